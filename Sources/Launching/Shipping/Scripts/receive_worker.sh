# folder's name, identity (SHA-256 of the manifest), machine, version, bytes of the manifest, of all
name=$1 identity=$2 machine=$3 version=$4 head=$5 bytes=$6
umask 077
[ "$(uname -s) $(uname -m)" = "Linux $machine" ] || fail machine "$(uname -s) $(uname -m)"
need cat chmod df head mkdir mv rm sed sha256sum sleep tail touch wc
base=${XDG_CACHE_HOME:-${HOME:-}/.cache}/flap
mkdir -p "$base" 2>/dev/null && [ -w "$base" ] || fail folder "$base"
final=$base/$name partial=$base/$name.partial new=$base/$name.new
whole() (
  cd "$1" 2>/dev/null && [ "$(sum WORKER)" = "$identity" ] &&
    sed -n 's/^\([0-9a-f]\{64\}  \)[0-7]*  [0-9]*  /\1/p' WORKER | sha256sum -c - >/dev/null 2>&1
)
ready() {
  touch "$final"
  finish "$1" "$final"
}
if whole "$final"; then ready there; fi
lock "$final.lock" "$partial"
if whole "$final"; then ready there; fi
printf '#!/bin/sh\n' >"$held/run" && chmod 700 "$held/run" || fail folder "$base"
"$held/run" 2>/dev/null || fail noexec "$base"
# The stream, and the files that are made of it.
room=$(free "$base") wanted=$(((2 * bytes - $(size "$partial")) / 1024 + 64))
[ "${room:-$wanted}" -ge $wanted ] || fail room "$room" "$wanted" "$base"
receive "$partial" "$bytes"
rm -rf "$new"
mkdir "$new" && cd "$new" || fail folder "$base"
head -c "$head" <"$partial" >WORKER || fail write "$new"
sed -n 's/^[0-9a-f]\{64\}  \([0-7]*\)  \([0-9]*\)  /\1 \2 /p' WORKER | {
  at=$((head + 1))
  while read -r mode count path; do
    case $path in */*) mkdir -p "${path%/*}" ;; esac
    tail -c +$at "$partial" 2>/dev/null | head -c "$count" >"$path" && chmod "$mode" "$path" || exit 1
    at=$((at + count))
  done
} || fail write "$new"
whole "$new" || {
  rm -rf "$new" "$partial"
  fail damaged "$final"
}
said=$(bin/flap-worker --version 2>&1) || said="exit code $?: $said"
[ "$said" = "$version" ] || {
  rm -rf "$new" "$partial"
  fail run "$(echo "$said" | tail -n 1)"
}
cd "$base" && rm -rf "$final" && mv "$new" "$final" || fail folder "$base"
rm -f "$partial"
# Versions that no run has used for a month.
find "$base" -maxdepth 1 -name 'worker-*' -mtime +30 -exec rm -rf {} + 2>/dev/null
ready done
