#!/bin/sh
# What a compiled trainer knows of its program: layers, shapes, parameters.
set -u
. tests/lib.sh
temporary_folder

cat >"$folder/stacked.nn" <<'END'
data points: [28, 28] = npy("points.npy") / 255
network encoder(image: [28, 28]) {
    flatten()
    dense(100, activation: relu)
    dense(30, activation: relu)
}
network decoder(coding: [30]) {
    dense(100, activation: relu)
    dense(784)
    reshape(28, 28)
}
train on points(image) {
    minimize mse(decoder(encoder(image)), image) using nadam()
    epochs 3
    batch 32
}
END
"$AECC" "$folder/stacked.nn" -o "$folder/stacked" || fail "stacked.nn"
"$folder/stacked" summary >"$folder/out" || fail "summary"
expect_text 'Network: "encoder"' "$folder/out"
expect_text 'Total params: 163,814 (639.90 KB)' "$folder/out"
expect_text 'Trainable params: 163,814' "$folder/out"
expect_text 'FLOPs of one sample: 162,800' "$folder/out"
grep -qE 'dense_1 \(dense\) +\[100\] +78,500 +156,800 +306.64 KB' "$folder/out" ||
    { cat "$folder/out"; fail "the row of encoder.dense_1"; }

# The same program is the same model; another one is another.
hash_of() {
    "$folder/$1" --version | sed 's/.*(model \(.*\)).*/\1/'
}
"$AECC" "$folder/stacked.nn" -o "$folder/again" || fail "stacked.nn again"
sed 's/nadam()/nadam(learning_rate: 0.01)/' "$folder/stacked.nn" >"$folder/other.nn"
"$AECC" "$folder/other.nn" -o "$folder/other" || fail "other.nn"
[ "$(hash_of stacked)" = "$(hash_of again)" ] || fail "hashes of one program differ"
[ "$(hash_of stacked)" != "$(hash_of other)" ] || fail "hashes of two programs agree"

# Without a validate line there is nothing to stop early by.
expect_status 2 "$folder/stacked" --early-stop 3 2>"$folder/errors"
expect_text "--early-stop needs validation" "$folder/errors"

# ... and the objective is evaluated over the training data, or over --in.
cat >"$folder/pca.nn" <<'END'
data points = csv("points.csv")
network encoder(x: [3]) {
    dense(2)
}
network decoder(c: [2]) {
    dense(3)
}
train on points(x) {
    minimize mse(decoder(encoder(x)), x) using sgd(learning_rate: 0.001)
    epochs 2
    batch 2
}
END
printf '1,2,3\n4,5,6\n7,8,10\n2,4,5\n' >"$folder/points.csv"
"$AECC" "$folder/pca.nn" -o "$folder/pca" || fail "pca.nn"
cd "$folder" || exit 1
expect_status 2 ./pca --report r.html 2>errors
expect_text "--report is not part of this version" errors
! grep -q "did you mean" errors || fail "--report has no near name"
./pca --quiet --log log.jsonl || fail "training"
! grep -q val_loss log.jsonl || fail "a validation without a validate line"
./pca evaluate --json >trained || fail "evaluate"
./pca evaluate --json --in points.csv >given || fail "evaluate --in"
same_files trained given
expect_text '{"samples":4,"loss":' given
expect_status 2 ./pca evaluate --in points.csv --in points.csv 2>errors
expect_text "train block 1 takes 1 input (x), and --in gives 2" errors
