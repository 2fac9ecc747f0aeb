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
kernels=$(echo $(cat "$folder/steps"))
[ "$kernels" = "$expected" ] || fail "kernels of the steps: $kernels"

# For the backward pass: h and c before the first step and after each, three
# gates, tanh of two values; of the backward pass the derivative of the sums.
"$AECC" --stats "$folder/lstm.nn" -o "$folder/lstm" 2>"$folder/stats"
grep -E '^ +9 +[0-9]+ ' "$folder/stats" | grep train_1.step > "$folder/kept"
expected='9 7 5200 0 train_1.step f.lstm_1 9 1 2880 0 train_1.step f.lstm_1 backwards'
[ "$(echo $(cat "$folder/kept"))" = "$expected" ] || fail "kept: $(cat "$folder/stats")"
