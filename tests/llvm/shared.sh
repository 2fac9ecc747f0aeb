#!/bin/sh
# Kernels that do the same in other places are compiled once: those of a network in
# its training step, where it is called twice, in the objective and by itself.
set -u
. tests/lib.sh
temporary_folder
cat >"$folder/twice.nn" <<'END'
data a: [9] = npy("a.npy")
network f(x: [9]) {
    dense(12, tanh)
    dense(9)
}
train on a(x) {
    minimize mse(f(x), x) + mse(f(x * x), x) using sgd()
}
END
"$AECC" "$folder/twice.nn" --emit=asm -o "$folder/twice.s" || fail "no assembly"
# For a batch, for one sample, and the gradient.
n=$(grep -c '^f\.dense_1\.contract\.[0-9.]*:' "$folder/twice.s")
[ "$n" -eq 3 ] || { grep '^f\.dense' "$folder/twice.s"; fail "$n functions for one layer"; }
"$AECC" "$folder/twice.nn" --check=interp >"$folder/log" || { cat "$folder/log"; fail "results"; }
