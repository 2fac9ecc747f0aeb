#!/bin/sh
# concat of sources each with arithmetic of its own: what a program sees of them, in training,
# in reports, and where a network is run; the examples that score others compile.
set -u
. tests/lib.sh
temporary_folder
root=$PWD
cd "$folder" || exit 1
printf '10,20\n30,40\n' >tens.csv
printf '0.5,0.25\n' >parts.csv
cat >joined.nn <<'END'
data tens = csv("tens.csv") / 10
data parts = 1 - csv("parts.csv") * 4
data both = concat(tens, parts)
data more = both * 2
network encoder(x: [2]) {
    param scale: [] = 1
    return x * scale
}
network decoder(x: [2]) {
    param scale: [] = 1
    return x * scale
}
train on more(x) {
    minimize mse(decoder(encoder(x)), x) using sgd(learning_rate: 0)
}
train on tens(x) {
    minimize mse(decoder(encoder(x)), x) using sgd(learning_rate: 0)
}
report on more(x) {
    metric(mean(x))
    metric(mean(x), name: first, count: 2)
}
report on tens(x) {
    metric(mean(x), name: alone)
}
END
"$AECC" joined.nn -o joined || fail "joined.nn"
./joined --quiet || fail "training"
./joined evaluate --json >out || fail "evaluate"
# 2 (1 2 3 4), 2 (-1 0): 18 / 6; 20 / 4; 10 / 4.
expect_text '"metric":3,"first":5,"alone":2.5}' out
./joined encode --out codings.npy || fail "encode"
expect_text "'shape': (2, 2)" codings.npy
tail -c 16 codings.npy | od -An -t f4 >seen
awk '{ exit !($1 == 1 && $2 == 2 && $3 == 3 && $4 == 4) }' seen || fail "encode: $(cat seen)"
printf '20,20\n' >one.csv
./joined evaluate --in one.csv --json >out || fail "evaluate --in"
expect_text '"metric":4,"first":4,"alone":2}' out

cd "$root" || exit 1
for file in examples/scores/*.nn; do
    imported=examples/$(sed -n 's/^import "..\/\([a-z_]*.nn\)"$/\1/p' "$file")
    [ -e "$imported" ] || continue
    "$AECC" --emit=graph "$file" -o "$folder/graph" 2>"$folder/said" ||
        fail "$file: $(cat "$folder/said")"
    [ ! -s "$folder/said" ] || fail "$file: $(cat "$folder/said")"
    "$AECC" --format "$file" | cmp - "$file" || fail "$file is not in its canonical form"
done
