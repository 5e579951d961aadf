#!/usr/bin/env bash
# Prints the service's first config.yaml: deploy/make-config.sh FOLDER EDGE-C2VL
#
# FOLDER holds what an older installation read: CAMERA and OPTIONS in `environment`, and settings.yaml. Where it does not,
# defaults are printed. EDGE-C2VL is the program.
set -euo pipefail
folder=$1 program=$2
options=(--camera /dev/video0 --bundle /opt/edge-c2vl/current/bundle --reconnect --quiet --events /var/lib/edge-c2vl/events.jsonl --rotate-mb 20)
# As systemd reads it: the last line counts, quotes around the whole are no part of it.
value_of() { sed -n "s/^$1=//p" "$folder/environment" | tail -n 1 | sed 's/^"\(.*\)"$/\1/'; }
if [ -e "$folder/environment" ]; then
  camera=$(value_of CAMERA)
  [ -z "$camera" ] || options+=(--camera "$camera")
  words=$(value_of OPTIONS | xargs -r printf '%s\n')
  [ -z "$words" ] || mapfile -t -O "${#options[@]}" options <<<"$words"
fi
[ ! -e "$folder/settings.yaml" ] || options+=(--settings "$folder/settings.yaml")
exec "$program" run "${options[@]}" --print-config
