#!/usr/bin/env bash
# Installs Edge-C2VL as a service: from a checkout (sudo deploy/install.sh), which fetches packages, or from what
# `edge-c2vl package` wrote (sudo ./install.sh), which needs no network.
#
#   install.sh               install or upgrade; the service, where it runs, is restarted
#   install.sh --rollback    back to the release before
#   install.sh --dry-run     only say what would be done
#   install.sh --root DIR    into a system that lies in DIR: no user is made, no service started
#
# A release is a folder of /opt/edge-c2vl/releases: a virtual environment that sees the system's packages (JetPack's
# TensorRT), the bundle, the unit, the fleet's config. It is made beside the one that runs, tried with `doctor`, marked complete,
# and then `current` is pointed at it in one step: wherever the power fails, what `current` names is whole. A service that
# does not start with it goes back by itself. /etc/edge-c2vl is kept.
set -euo pipefail
# The system's Python and no other: the service cannot see what lies in somebody's home.
[ -n "${EDGE_C2VL_KEEP_PATH:-}" ] || PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
fail() { echo "install.sh: $1" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
dry='' root='' back=''
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=1 ;;
    --rollback) back=1 ;;
    --root) [ $# -gt 1 ] || fail "--root wants a folder"; root=$(realpath -m "$2"); shift ;;
    *) echo "install.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
do_() { if [ -n "$dry" ]; then printf '%q ' "$@"; echo; else "$@"; fi; }
[ -n "$dry$root" ] || [ "$(id -u)" = 0 ] || fail "run it as root: sudo $0"

opt=$root/opt/edge-c2vl config=$root/etc/edge-c2vl/config.yaml
fleets=/opt/edge-c2vl/current/config.yaml # what the config of a vehicle without one of its own links to
# A chroot and a container have systemctl, and no systemd that answers.
services='' owner=()
[ -n "$root" ] || owner=(-o root -g edge-c2vl)
[ -n "$root" ] || [ ! -d /run/systemd/system ] || services=1

point() { # LINK TARGET: the link's new target, in one step
  do_ ln -sfn "$2" "$1.new"
  do_ mv -T "$1.new" "$1"
}
has_fleets() { [ "$(readlink "$config")" = "$fleets" ]; }
own_config() { # the fleet's config becomes this vehicle's own
  do_ install -m 0640 "${owner[@]}" "$opt/current/config.yaml" "$config.new"
  do_ mv -T "$config.new" "$config"
}
go_back() { # RELEASE: `current` names it; where it brings no config, the vehicle keeps the fleet's that it had
  if has_fleets && [ -e "$opt/current/config.yaml" ] && [ ! -e "$opt/$1/config.yaml" ]; then own_config; fi
  point "$opt/current" "$1"
}
start() { # the release that `current` names, where the service runs; fails where it does not start
  [ -n "$services" ] || return 0
  do_ systemctl daemon-reload
  if systemctl is-active --quiet edge-c2vl; then do_ systemctl restart edge-c2vl; fi
}

if [ -z "$dry" ]; then
  install -d "$opt/releases"
  exec 9>"$opt/lock"
  flock --nonblock 9 || fail "another install is running"
fi
now=$(readlink "$opt/current" || true)

if [ -n "$back" ]; then
  before=$(readlink "$opt/current/previous" || true)
  if [ -z "$before" ] || [ ! -e "$opt/$before/complete" ]; then fail "there is no release before ${now:-the first}"; fi
  go_back "$before"
  start || fail "the service did not start with $before: journalctl -u edge-c2vl"
  echo "Back from $now to $before"
  exit
fi

# What the package was made for; from a checkout any Python that fits.
wanted_python='' wanted_machine='' release=''
if [ -f "$here/package.env" ]; then
  (cd "$here" && sha256sum --check --quiet --strict SHA256SUMS) || fail "the package is damaged: copy it again"
  # shellcheck disable=SC1091
  . "$here/package.env"
  [ "$wanted_machine" = "$(uname -m)" ] || fail "the package is for $wanted_machine, this machine is $(uname -m)"
  unit=$here/edge-c2vl.service fleet=$here/fleet-config.yaml environment=$here/environment guide=$here/jetson.md
else
  checkout=$(cd "$here/.." && pwd)
  unit=$here/edge-c2vl.service fleet='' environment=$here/environment guide=$checkout/docs/jetson.md
  release=checkout-$(date --utc +%Y%m%dT%H%M%S)
fi
python=
for candidate in ${wanted_python:-python3.12 python3.13 python3.14 python3.11 python3.10 python3}; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))'; then
    python=$(command -v "$candidate"); break
  fi
done
[ -n "$python" ] || fail "needs ${wanted_python:-Python 3.10 to 3.14}"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "needs the venv module: apt install python3-venv"
# TensorRT's Python package comes with JetPack and matches the GPU's driver; none from PyPI would.
if [ -f /etc/nv_tegra_release ] && ! "$python" -c 'import tensorrt' 2>/dev/null; then
  echo "install.sh: TensorRT for $python is missing; for engines: apt install python3-libnvinfer" >&2
fi

if [ -z "$root" ]; then
  id edge-c2vl >/dev/null 2>&1 || do_ useradd --system --user-group --home-dir /var/lib/edge-c2vl --shell /usr/sbin/nologin edge-c2vl
  for group in video render; do # cameras; on JetPack 6 and newer the GPU
    if getent group "$group" >/dev/null; then do_ usermod --append --groups "$group" edge-c2vl; fi
  done
fi

# What an install left that did not come to its end.
for folder in "$opt"/releases/*/; do
  if [ -d "$folder" ] && [ ! -e "$folder/complete" ]; then do_ rm -rf "$folder"; fi
done
made=$opt/releases/$release
if [ ! -e "$made/complete" ]; then
  do_ "$python" -m venv --system-site-packages "$made"
  if [ -d "$here/wheels" ]; then
    do_ "$made/bin/pip" install --quiet --no-index --find-links "$here/wheels" --requirement "$here/requirements.txt"
    do_ cp -r "$here/bundle" "$made/bundle"
    if [ -f "$fleet" ]; then do_ install -m 0640 "${owner[@]}" "$fleet" "$made/config.yaml"; fi
  else
    do_ "$made/bin/pip" install --quiet --upgrade pip
    do_ "$made/bin/pip" install --quiet --constraint "$checkout/constraints.txt" "${checkout}[can,metrics,mqtt,web]"
    # shellcheck disable=SC2016
    do_ sh -c 'cd / && ln -s "$("$1/bin/python" -c "from edge_c2vl.bundle.bundle import DEFAULT; print(DEFAULT)")" "$1/bundle"' sh "$made"
  fi
  do_ cp "$unit" "$made/edge-c2vl.service"
  do_ cp "$0" "$made/install.sh"
  do_ "$made/bin/edge-c2vl" doctor || fail "this release cannot run here: see above; ${now:-nothing} stays as it was"
  do_ sync
  do_ touch "$made/complete"
fi
if [ -n "$now" ] && [ "$now" != "releases/$release" ]; then point "$made/previous" "$now"; fi

do_ install -d -m 0750 "${owner[@]}" "$root/etc/edge-c2vl"
[ -e "$root/etc/edge-c2vl/environment" ] || do_ install -m 0640 "${owner[@]}" "$environment" "$root/etc/edge-c2vl/environment"
if [ -f "$fleet" ]; then # of the fleet, and of its release, unless this vehicle has its own
  if [ ! -e "$config" ] || has_fleets; then point "$config" "$fleets"
  else echo "install.sh: $config is this vehicle's own, so the fleet's is not used" >&2; fi
elif has_fleets && [ -e "$opt/current/config.yaml" ]; then
  own_config
elif [ -n "$dry" ]; then
  echo "$here/make-config.sh /etc/edge-c2vl $made/bin/edge-c2vl > $config"
elif [ ! -e "$config" ] || has_fleets; then
  install -m 0640 "${owner[@]}" /dev/null "$config.new"
  if ! "$here/make-config.sh" "$root/etc/edge-c2vl" "$made/bin/edge-c2vl" >"$config.new"; then
    rm -f "$config.new"
    fail "CAMERA and OPTIONS in /etc/edge-c2vl/environment are no options of this version: mend them, and run $0 again"
  fi
  if grep -qsE '^(CAMERA|OPTIONS)=' "$root/etc/edge-c2vl/environment" || [ -e "$root/etc/edge-c2vl/settings.yaml" ]; then
    echo "install.sh: CAMERA and OPTIONS of /etc/edge-c2vl/environment, and settings.yaml, are in $config now and read there alone" >&2
  fi
  mv -T "$config.new" "$config"
fi
do_ install -D -m 0644 "$guide" "$root/usr/share/doc/edge-c2vl/jetson.md"
do_ install -d "$root/usr/local/lib/systemd/system"
do_ sync
point "$opt/current" "releases/$release"
# A link, so that a release brings its unit, also on the way back. Not in /etc, where `systemctl disable` would remove it.
point "$root/usr/local/lib/systemd/system/edge-c2vl.service" /opt/edge-c2vl/current/edge-c2vl.service
do_ rm -f "$root/etc/systemd/system/edge-c2vl.service" # of an earlier version

if ! start; then
  if [ -n "$now" ] && [ "$now" != "releases/$release" ]; then
    go_back "$now"
    start || true
    fail "the service did not start with $release (journalctl -u edge-c2vl): back to $now"
  fi
  fail "the service did not start with $release: journalctl -u edge-c2vl"
fi
for folder in "$opt"/releases/*/; do # the one that runs and the one before stay
  name=releases/$(basename "$folder")
  if [ "$name" != "releases/$release" ] && [ "$name" != "$(readlink "$made/previous" || true)" ] && [ -d "$folder" ]; then do_ rm -rf "$folder"; fi
done
echo "Installed $release. Name the camera in /etc/edge-c2vl/config.yaml, then: systemctl enable --now edge-c2vl"
echo "Back to the release before: /opt/edge-c2vl/current/install.sh --rollback"
