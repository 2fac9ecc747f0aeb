# Each tests/format/NAME.nn has the canonical form NAME.out, which is its own.
. tests/lib.sh
temporary_folder
status=0
for source in tests/format/*.nn; do
    "$AECC" --format "$source" >"$folder/once.nn" || status=1
    diff -u "${source%.nn}.out" "$folder/once.nn" || status=1
    "$AECC" --format "$folder/once.nn" | diff -u "$folder/once.nn" - || status=1
done
# Where and how it is written.
"$AECC" --format - -o "$folder/out.nn" <tests/format/wrap.nn || fail "stdin"
same_files tests/format/wrap.out "$folder/out.nn"
printf 'network a(' >"$folder/bad.nn"
expect_status 1 "$AECC" --format "$folder/bad.nn" -o "$folder/none" 2>/dev/null
[ ! -e "$folder/none" ] || fail "an output was left behind after an error"
exit $status
