#!/bin/sh
# A state of each place in the batch goes on from batch to batch, in the order
# of the file; it begins as 0 in each epoch, in validation and in `evaluate`,
# and is no weight.
set -u
. tests/lib.sh
root=$PWD
temporary_folder
cd "$folder" || exit 1
awk 'BEGIN { for (i = 0; i < 28; i++) print i % 7 - 3 }' >numbers.csv
cat >sums.nn <<'END'
# The sum of all that a place has seen, and `w` of it.
layer running(x: [batch, n]) {
    param w: [] = 1
    state total: [batch <= 8, n] = 0
    update total = total + x
    return w * (total + x)
}
network net(x: [1]) {
    running()
}
data numbers = csv("numbers.csv")
data again = numbers
train on numbers(x) {
    validate on again
    minimize mean(net(x)) using sgd(learning_rate: 0)
    epochs 2
    batch 8
}
END
(cd "$root" && "$AECC" "$folder/sums.nn" -o "$folder/sums") || fail "sums.nn"
./sums --quiet --log log --log-steps || fail "training"

# What awk makes of it: batches of 8, 8, 8, 4.
awk '{ total[(NR - 1) % 8] += $1; sum += total[(NR - 1) % 8]; n++ }
     n == 8 || NR == 28 { printf "%.6f\n", sum / n; sum = n = 0 }' numbers.csv >once
cat once once >wanted
grep -v epoch log | sed 's/.*"loss"://; s/[,}].*//' | awk '{ printf "%.6f\n", $1 }' >got
same_files wanted got
mean=$(awk '{ sum += $1 } END { print sum / NR }' numbers.csv)
grep '"epoch"' log | sed 's/.*"val_loss"://; s/,.*//' |
    awk -v mean="$mean" '{ bad += ($1 - mean) ^ 2 > 1e-12 } END { exit bad || NR != 2 }' ||
    fail "validation does not begin anew in each batch"
! grep -q total sums.safetensors || fail "the state is among the weights"
./sums --quiet --init sums.safetensors 2>errors || fail "--init"
[ ! -s errors ] || { cat errors; fail "--init asks for the state"; }

# Places behind the eighth keep nothing.
./sums --quiet --batch 14 --log log --log-steps || fail "--batch 14"
awk '{ place = (NR - 1) % 14; if (place >= 8) total[place] = 0; total[place] += $1
       sum += total[place] }
     NR % 14 == 0 { printf "%.6f\n", sum / 14; sum = 0 }' numbers.csv >once
cat once once >wanted
grep -v epoch log | sed 's/.*"loss"://; s/[,}].*//' | awk '{ printf "%.6f\n", $1 }' >got
same_files wanted got

# The compiler says so where the file's batch has more.
(cd "$root" && sed 's/batch 8$/batch 14/' "$folder/sums.nn" >"$folder/more.nn" &&
    "$AECC" "$folder/more.nn" -o "$folder/more" 2>"$folder/errors") || fail "more.nn"
expect_text 'a batch has 14 places, `net.running_1.total` keeps 8' errors
