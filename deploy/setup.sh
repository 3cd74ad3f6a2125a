#!/usr/bin/env bash
# Installs the Debian packages that are missing, and those named as arguments, and builds the
# release programs.
# Needs Debian 12 or later (or Ubuntu 24.04) and a Swift toolchain, 6.2 or later, on the PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(libzmq3-dev libprotobuf-c-dev protobuf-c-compiler libsqlite3-dev zlib1g-dev libxxhash-dev
  libzstd-dev liblzma-dev liblz4-dev libsnappy-dev)
packages+=("$@")

command -v swift >/dev/null || {
  echo "setup: no swift on the PATH: install Swift 6.2 or later from https://swift.org/install" >&2
  exit 1
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}" >&2
  as_root=()
  ((EUID == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

swift build -c release --product flap-coord >&2
swift build -c release --product flap-worker >&2
