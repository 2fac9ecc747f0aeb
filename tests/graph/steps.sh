#!/bin/sh
# What runs in each step of a recurrent layer: products, and one elementwise
# kernel; no copies of what is carried, no sequence written twice.
set -eu
. tests/lib.sh
temporary_folder

cat > "$folder/lstm.nn" <<'EOF'
data series = npy("x.npy")
network f(x: [9, 12]) {
    lstm(20, return_sequences: true)
    dense(12)
}
train on series(x) {
    minimize mse(f(x), x) using sgd()
}
EOF
"$AECC" --emit=fused "$folder/lstm.nn" > "$folder/fused"
sed -n '/^program "train_1.step"/,/^program/p' "$folder/fused" | grep '^kernel' > "$folder/kernels"
grep ' scan [0-9]' "$folder/kernels" | sed 's/^kernel "[^"]*\.\([a-z_]*\)\.[0-9]*".*/\1/' | sort |
    uniq -c > "$folder/steps"
expected='2 contract 2 map'
[ "$(echo $(cat "$folder/steps"))" = "$expected" ] || fail "kernels of the steps: $(cat "$folder/steps")"
