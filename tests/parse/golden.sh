# Each tests/parse/NAME.nn has the tree of NAME.ast; and its canonical form has
# the same one, places aside.
. tests/lib.sh
temporary_folder
status=0
for source in tests/parse/*.nn; do
    "$AECC" --emit=ast "$source" >"$folder/tree" || status=1
    diff -u "${source%.nn}.ast" "$folder/tree" || status=1
    "$AECC" --format "$source" >"$folder/canonical.nn" || status=1
    "$AECC" --emit=ast "$folder/canonical.nn" | sed 's/  # [0-9:]*$//' >"$folder/again"
    sed 's/  # [0-9:]*$//' "$folder/tree" | diff -u - "$folder/again" || status=1
done
exit $status
