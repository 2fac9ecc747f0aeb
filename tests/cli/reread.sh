# The text forms of the IRs read back: printed again they are the same, bytes
# for bytes, and what is wrong in them is an error at its line.
. tests/lib.sh
temporary_folder

for model in stacked_ae noise_ae pca; do
    for form in graph grad loop; do
        "$AECC" examples/$model.nn --emit=$form -o "$folder/text" || fail "--emit=$form"
        "$AECC" "$folder/text" --emit=$form -o "$folder/again" || fail "$form of $model as input"
        same_files "$folder/text" "$folder/again"
        "$AECC" - --emit=$form <"$folder/text" >"$folder/again" || fail "$form from stdin"
        same_files "$folder/text" "$folder/again"
        cp "$folder/text" "$folder/$model.$form"
    done
done

refused() {        # refused STATUS TEXT ARGUMENT ...
    wanted=$1 text=$2
    shift 2
    expect_status "$wanted" "$AECC" "$@" >"$folder/out" 2>"$folder/errors"
    expect_text "$text" "$folder/errors"
    [ ! -s "$folder/out" ] || fail "an output in spite of an error"
}

refused 2 "it is read with --emit=graph or --emit=grad" "$folder/pca.graph" -o "$folder/x"
refused 2 "it is read with --emit=loop" "$folder/pca.loop" --emit=graph
refused 2 "has a gradient left" "$folder/pca.graph" --emit=grad

# All inputs stand before their lengths.
printf '%s\n' 'fn step "a" {' '    %0 = input f32 [batch, 3] index(0) "x"' \
    '    steps of(0, -1, 5)' '    %1 = input f32 [batch, 3] index(1) "y"' '}' >"$folder/bad"
refused 1 "no input behind a line" "$folder/bad" --emit=graph

# Every line cut short, or with another word, is fine or an error, no crash.
sed 's/ add f32/ ad f32/' "$folder/pca.graph" >"$folder/bad"
refused 1 "did you mean \`add\`" "$folder/bad" --emit=graph
sed 's/ add f32 \[/ add i32 [/' "$folder/pca.graph" >"$folder/bad"
refused 1 "a legal node" "$folder/bad" --emit=graph
sed 's/vf32 = load/i32 = load/' "$folder/pca.loop" >"$folder/bad"
refused 1 "kernel" "$folder/bad" --emit=loop
for form in graph loop; do
    lines=$(grep -c '' "$folder/pca.$form")
    for n in 4 7 20 $((lines / 2)) $((lines - 1)); do
        head -n "$n" "$folder/pca.$form" | head -c -4 >"$folder/bad"
        "$AECC" "$folder/bad" --emit=$form >"$folder/out" 2>"$folder/errors"
        [ $? -eq 1 ] || fail "$form cut in line $n"
        expect_text "$folder/bad:" "$folder/errors"
    done
done

# Sequences, masks, draws and checkpoints.
sed 's/backwards carrying/backwards checkpoint 3 carrying/' tests/time/models.nn >"$folder/time.nn"
for form in graph grad loop; do
    "$AECC" "$folder/time.nn" --emit=$form -o "$folder/text" || fail "--emit=$form"
    "$AECC" "$folder/text" --emit=$form -o "$folder/again" || fail "$form of models.nn"
    same_files "$folder/text" "$folder/again"
    [ $form = loop ] || grep -q ' scan(.* again' "$folder/text" || fail "no checkpoints in $form"
    [ $form = loop ] || grep -q 'output .* length(1)$' "$folder/text" || fail "no lengths in $form"
done

# A scan names the lengths of its samples, its loop what it writes step by step.
cat >"$folder/varying.nn" <<'EOF'
data d: [time <= 9, 3] = npy("x.npy", lengths: "n.npy")
network f(x: [time <= 9, 3]) { lstm(4) }
train on d(x) { minimize mean(f(x)) using sgd() }
EOF
for form in graph grad loop; do
    "$AECC" "$folder/varying.nn" --emit=$form -o "$folder/varying.$form" || fail "--emit=$form"
    grep -q 'scan.* lengths' "$folder/varying.$form" || fail "no lengths in $form"
    "$AECC" "$folder/varying.$form" --emit=$form -o "$folder/again" || fail "$form as input"
    same_files "$folder/varying.$form" "$folder/again"
done
grep -q '    steps of(1, 0, 9)$' "$folder/varying.graph" || fail "no lengths of inputs in graph"
sed 's/    steps of(1, 0/    steps of(1, 2/' "$folder/varying.graph" >"$folder/bad"
refused 1 "expected inputs above" "$folder/bad" --emit=graph
sed 's/ index(1)/ index(0)/' "$folder/varying.graph" >"$folder/bad"
refused 1 "expected the number of another input" "$folder/bad" --emit=graph
sed 's/ index(1)/ index(3)/' "$folder/varying.graph" >"$folder/bad"
refused 1 "expected input 1 above" "$folder/bad" --emit=graph
sed 's/ lengths(1)/ lengths(2)/' "$folder/varying.graph" >"$folder/bad"
refused 1 "an input above" "$folder/bad" --emit=graph
sed 's/ lengths b1 by/ lengths b0 by/' "$folder/varying.loop" >"$folder/bad"
refused 1 "the lengths of samples" "$folder/bad" --emit=loop
