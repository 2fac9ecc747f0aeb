# Nesting has a limit: no input overflows a stack.
. tests/lib.sh
temporary_folder

# repeated N TEXT
repeated() {
    awk -v n="$1" -v text="$2" 'BEGIN { while (n-- > 0) printf "%s", text }'
}

rejected() {
    "$AECC" --stop-after=check "$folder/deep.nn" 2>"$folder/errors"
    [ $? -eq 1 ] || fail "status is not 1, where is: $1"
    expect_text "$1" "$folder/errors"
}

for n in 600 100000; do
    echo "let a = $(repeated $n '(')x$(repeated $n ')')" >"$folder/deep.nn"
    rejected "brackets are nested more than 200 deep"
    echo "let a = $(repeated $n '1 + ')1" >"$folder/deep.nn"
    rejected "this is nested more than 500 levels deep"
done
echo "let a = $(repeated 600 'if x then x else ')x" >"$folder/deep.nn"
rejected "this is nested more than 500 levels deep"
echo "let a = $(repeated 100000 '-')1" >"$folder/deep.nn"
rejected "this is nested too deeply"
echo "let a = $(repeated 100000 'not ')x" >"$folder/deep.nn"
rejected "this is nested too deeply"
echo "let a = $(repeated 100000 'x^')2" >"$folder/deep.nn"
rejected "this is nested too deeply"
repeated 300 'network a(x: [2]) { ' >"$folder/deep.nn"
rejected "a \`}\` is missing"
{ echo "train on data(x) {"; repeated 300 'step s { '; } >"$folder/deep.nn"
rejected "brackets are nested more than 200 deep"

# Long is not deep.
echo "let a = sum([$(repeated 20000 '1, ')2])" >"$folder/long.nn"
"$AECC" --stop-after=parse "$folder/long.nn" || fail "a long list is rejected"
