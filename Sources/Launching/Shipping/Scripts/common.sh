# What the scripts that receive something on a host share. They run under any POSIX shell with the
# tools of busybox, are read from standard input, and answer by lines that begin with `flap-ship`.
LC_ALL=C
export LC_ALL
say() { printf 'flap-ship %s\n' "$*"; }
unlock() { if [ "$held" ]; then rm -rf "$held"; fi; }
held=
# The last answer: whoever reads it may end what is left of this.
finish() {
  unlock
  say "$@"
  exit 0
}
fail() { finish fail "$@"; }
size() { if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi; }
sum() {
  set -- "$(sha256sum <"$1" 2>/dev/null)"
  echo "${1%% *}"
}
need() {
  for tool; do command -v "$tool" >/dev/null 2>&1 || fail tool "$tool"; done
}
# KiB that are free in a folder; nothing where df has no number.
free() { df -Pk "$1" 2>/dev/null | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9]*%.*/\1/p'; }
# One at a time, also of hosts that share the folder: waits for the one that holds the lock $1 and
# writes into $2. A lock is dead when its process is, or, of another host, after 300 s without growth.
lock() {
  still=0 seen= missed=0
  until mkdir "$1" 2>/dev/null; do
    if [ -d "$1" ]; then
      now=$(size "$2")
      if [ "$now" = "$seen" ]; then still=$((still + 1)); else still=0; fi
      seen=$now
      say wait
      host= process=
      if [ -f "$1/owner" ]; then read -r host process <"$1/owner"; fi
      if [ "$host" = "$(uname -n)" ] && ! kill -0 "$process" 2>/dev/null; then still=300; fi
      if [ $still -ge 300 ]; then rm -rf "$1"; else sleep 1; fi
    else
      missed=$((missed + 1))
      [ $missed -lt 3 ] || fail folder "${1%/*}"
    fi
  done
  held=$1
  trap unlock EXIT
  trap 'exit 1' HUP INT TERM PIPE
  echo "$(uname -n) $$" >"$1/owner"
}
# Has the rest of $2 bytes sent and appends it to the file $1.
receive() {
  have=$(size "$1")
  if [ "$have" -gt "$2" ]; then
    rm -f "$1"
    have=0
  fi
  say send "$have"
  cat >>"$1" || fail write "$1"
  [ "$(size "$1")" -eq "$2" ] || fail short "$1"
}
