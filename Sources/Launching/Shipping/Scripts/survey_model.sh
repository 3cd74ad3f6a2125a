# folder, then name and bytes of each file: what is there of them
folder=$1
shift
need cat df mkdir mv rm sed sha256sum sleep wc
above=$folder
while [ ! -d "$above" ]; do
  above=${above%/*}
  above=${above:-/}
done
[ -w "$above" ] || fail folder "$above"
say room "$(free "$above")"
while [ $# -gt 1 ]; do
  have=- digest=-
  if [ -f "$folder/$1" ]; then
    have=$(size "$folder/$1")
    # Shorter than it should be: the beginning of the file, or another one?
    [ "$have" -ge "$2" ] || digest=$(sum "$folder/$1")
  fi
  say file "$have" "$(size "$folder/$1.partial")" "$digest"
  shift 2
done
finish done "$folder"
