#!/usr/bin/env bash
# Installs Edge-C2VL as a service from this checkout: sudo deploy/install.sh
#
# Into /opt/edge-c2vl (a virtual environment that sees the system's packages, for JetPack's TensorRT and its OpenCV with
# GStreamer), /etc/edge-c2vl, /etc/systemd/system. Running it again upgrades; settings are kept. --dry-run only says
# what it would do.
set -euo pipefail
# The system's Python and no other: the service cannot see what lies in somebody's home.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")/.." && pwd)
dry=
[ "${1:-}" = --dry-run ] && dry=1
do_() { if [ -n "$dry" ]; then printf '%q ' "$@"; echo; else "$@"; fi; }
fail() { echo "install.sh: $1" >&2; exit 1; }

[ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail "run it as root: sudo $0"
python=
for candidate in python3.12 python3.13 python3.14 python3.11 python3.10 python3; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))'; then
    python=$(command -v "$candidate"); break
  fi
done
[ -n "$python" ] || fail "needs Python 3.10 to 3.14"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "needs the venv module: apt install python3-venv"

# TensorRT's Python package comes with JetPack and matches the GPU's driver; none from PyPI would.
if [ -f /etc/nv_tegra_release ] && ! "$python" -c 'import tensorrt' 2>/dev/null; then
  echo "install.sh: TensorRT for $python is missing; for engines: apt install python3-libnvinfer" >&2
fi

id edge-c2vl >/dev/null 2>&1 || do_ useradd --system --user-group --home-dir /var/lib/edge-c2vl --shell /usr/sbin/nologin edge-c2vl
do_ "$python" -m venv --system-site-packages /opt/edge-c2vl
do_ /opt/edge-c2vl/bin/pip install --quiet --upgrade pip
do_ /opt/edge-c2vl/bin/pip install --quiet --constraint "$here/constraints.txt" "${here}[can,metrics,mqtt,web]"
do_ install -d -m 0750 -o root -g edge-c2vl /etc/edge-c2vl
[ -e /etc/edge-c2vl/environment ] || do_ install -m 0640 -o root -g edge-c2vl "$here/deploy/environment" /etc/edge-c2vl/environment
config=/etc/edge-c2vl/config.yaml
if [ ! -e "$config" ]; then
  new=$config.new
  if [ -n "$dry" ]; then
    echo "$here/deploy/make-config.sh /etc/edge-c2vl /opt/edge-c2vl/bin/edge-c2vl > $new"
  else
    install -m 0640 -o root -g edge-c2vl /dev/null "$new"
    if ! "$here/deploy/make-config.sh" /etc/edge-c2vl /opt/edge-c2vl/bin/edge-c2vl >"$new"; then
      rm -f "$new"
      fail "CAMERA and OPTIONS in /etc/edge-c2vl/environment are no options of this version: mend them, and run $0 again"
    fi
    if grep -qsE '^(CAMERA|OPTIONS)=' /etc/edge-c2vl/environment || [ -e /etc/edge-c2vl/settings.yaml ]; then
      echo "install.sh: CAMERA and OPTIONS of /etc/edge-c2vl/environment, and settings.yaml, are in $config now and read there alone" >&2
    fi
  fi
  do_ mv "$new" "$config"
fi
do_ install -D -m 0644 "$here/docs/jetson.md" /usr/share/doc/edge-c2vl/jetson.md
do_ install -m 0644 "$here/deploy/edge-c2vl.service" /etc/systemd/system/edge-c2vl.service
do_ systemctl daemon-reload
do_ /opt/edge-c2vl/bin/edge-c2vl doctor || true
echo "Now name the camera in $config, then: systemctl enable --now edge-c2vl"
