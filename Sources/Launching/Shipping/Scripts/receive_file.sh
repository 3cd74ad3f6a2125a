# folder, name, bytes, SHA-256, and 1 where a file that is there is the beginning of it
folder=$1 bytes=$3 digest=$4 adopts=$5
final=$folder/$2 partial=$folder/$2.partial
mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ] || fail folder "$folder"
lock "$final.lock" "$partial"
# Another run, or a host that shares the folder, was first.
if [ "$(size "$final")" -eq "$bytes" ]; then finish there "$final"; fi
if [ "$adopts" = 1 ] && [ -f "$final" ]; then mv -f "$final" "$partial"; fi
receive "$partial" "$bytes"
[ "$(sum "$partial")" = "$digest" ] || {
  rm -f "$partial"
  fail damaged "$final"
}
mv -f "$partial" "$final" || fail write "$final"
finish done "$final"
