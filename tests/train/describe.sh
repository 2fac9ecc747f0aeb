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

# Without a validate line nothing is there to evaluate.
expect_status 2 "$folder/stacked" evaluate 2>"$folder/errors"
expect_text "validates nothing" "$folder/errors"
