# Wrong usage ends with 2 and a message that helps; what only prints, prints.
. tests/lib.sh
temporary_folder
model=tests/parse/stack.nn

usage() {
    text=$1
    shift
    "$AECC" "$@" >"$folder/out" 2>&1
    [ $? -eq 2 ] || fail "status is not 2: $*"
    expect_text "$text" "$folder/out"
}

usage "a file is missing"
usage "unknown option \`--emmit=ast\`; did you mean \`--emit\`?" --emmit=ast $model
usage "unknown option \`--wat\`; see aecc --help" --wat $model
usage "unknown option \`-x\`" -x $model
usage "--emit=heder is not one of: exe, obj, asm" --emit=heder $model
usage "--emit=cc is not one of" --emit cc $model
for later in --weights=w.safetensors --weights-as=inline --network=encoder --quantize=int8 \
    --calibrate --emit=c --emit=header; do
    usage "is not part of this version of aecc" $later $model
done
usage "\`--weights\` is not part of this version" --weights w.safetensors $model
usage "\`--emit=header\` is not part of this version" --emit header $model
usage "--verify takes no value" --verify=yes $model
usage "-o needs a value: -o FILE" $model -o
usage "the value of --emit is empty" --emit= $model
usage "-O4: the levels are 0, 1, 2 and 3" -O4 $model
usage "--dump=shake is not one of: parse, check" --dump=check,shake $model
usage "--stop-after=x is not one of" --stop-after=x $model
usage "--check=all is not one of: grad, interp" --check=all $model
usage "--color=red is not one of: auto, always, never" --color=red $model
usage "--error-format=xml is not one of: text, json" --error-format=xml $model
usage "one file is compiled at a time" $model $model
usage "the output would replace the input" $model -o $model
usage "a trainer is not written to the standard output" $model -o -
usage "--target=pdp11" --target=pdp11 $model --emit=obj -o "$folder/none.o"
[ ! -e "$folder/none.o" ] || fail "an output was left behind"

prints() {
    text=$1
    shift
    expect_status 0 "$AECC" "$@" >"$folder/out" 2>"$folder/errors"
    expect_text "$text" "$folder/out"
    [ ! -s "$folder/errors" ] || fail "$* wrote to stderr"
}

prints "aecc 0." --version
prints "  --emit=FORM " --help
prints "simplify   algebra" --print-passes
prints "contract" --print-ops
prints "layer dense(x: [batch, ..., n], units" --print-std
prints "optimizer nadam(" --print-std
prints "x86-64" --print-targets

# Every option of the table is in the help.
"$AECC" --help >"$folder/help"
sed -n 's/^OPTION([A-Z]*, *[a-z_]*, *"\([^"]*\)".*/\1/p' compiler/options.def >"$folder/options"
[ "$(grep -c '' "$folder/options")" -ge 20 ] || fail "the table of options is not read"
while read -r option; do expect_text "  $option" "$folder/help"; done <"$folder/options"

# A closed standard output is an error of writing.
expect_status 5 "$AECC" --help >/dev/full 2>"$folder/errors"
expect_text "cannot write the standard output" "$folder/errors"
