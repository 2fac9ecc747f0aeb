#!/bin/sh
# Sequences from the program to the weights: a column of series, files of lengths
# and arrays of one length mean the same; windows of a split, a concatenation and
# of several series; labels beside sequences; scaling.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

awk 'BEGIN { print "id,a,b"; for (s = 0; s < 40; s++) for (t = 0; t < 3 + s * 7 % 10; t++)
    printf "s%d,%d,%d\n", s, 128 + 100 * sin(t + s), 128 + 100 * cos(t / (s + 1)) }' >x.csv
awk -F, 'NR > 1 { n[$1]++ } END { for (i = 0; i < 40; i++) print n["s" i] }' x.csv >n.csv
awk 'BEGIN { for (s = 0; s < 40; s++) print s % 3 }' >y.csv
cut -d, -f2,3 x.csv >rows.csv

# model NAME DATA [MORE] -- a classifier of sequences; MORE follows the source.
model() {
    cat >"$1.nn" <<END
$2
data label: [] = csv("y.csv")
data both = zip(x${3:-}, label)
data training, validation = split(both, last: 10)

network f(x: [time <= 12, 2]) {
    lstm(5)
    dense(3, softmax)
}

train on training(x, label) {
    validate on validation
    minimize sparse_categorical_crossentropy(f(x), label) using adam()
    epochs 2
    batch 7
}
END
    "$AECC" "$1.nn" || fail "aecc $1.nn"
}

model series 'data x: [time <= 12, 2] = csv("x.csv", series: "id")' ' / 100 - 1.5'
model lengths 'data x: [time <= 12, 2] = npy("x.npy", lengths: "n.csv")' ' / 100 - 1.5'
./series --quiet --threads 1 --log series.jsonl || fail "series"
./series --quiet --threads 2 --save two.safetensors || fail "series, two threads"
same_files two.safetensors series.safetensors

# The same sequences as an array: padded by a network that changes nothing.
cat >none.nn <<'END'
data x: [time <= 12, 2] = csv("x.csv", series: "id")
network same(x: [time <= 12, 2]) {
    param zero: [] = zeros
    x + 0 * zero
}
network one(x: [2]) {
    param zero: [] = zeros
    x + 0 * zero
}
train on x(s) {
    minimize mse(same(s), s) using sgd()
    epochs 1
}
END
"$AECC" none.nn || fail "aecc none.nn"
./none --quiet --epochs 0 || fail "no epochs"
./none run same --in x.csv --out x.npy || fail "run same"
./none run one --in rows.csv --out rows.npy || fail "run one"
expect_text "'shape': (40, 12, 2)" x.npy
./lengths --quiet --log lengths.jsonl || fail "padded"
same_files lengths.safetensors series.safetensors
./lengths --quiet --data x=rows.npy --save rows.safetensors || fail "steps of all"
same_files rows.safetensors series.safetensors
./lengths --quiet --data x=x.npy --data x.lengths=x.lengths.npy --save own.safetensors ||
    fail "lengths that run wrote"
same_files own.safetensors series.safetensors

# evaluate and run take what the program takes; alone as in a batch.
./series evaluate --json >own || fail "evaluate"
./lengths evaluate --json --weights series.safetensors >other || fail "evaluate lengths"
same_files own other
./series evaluate --json --in x.csv --in y.csv >own || fail "evaluate --in"
./lengths evaluate --json --weights series.safetensors --in label=y.csv --in x=x.npy \
    --lengths n.csv >other || fail "evaluate --in --lengths"
same_files own other
./series run f --in x.csv --batch 1 --out 1.npy || fail "run"
./series run f --in x.csv --batch 40 --out 40.npy || fail "run"
same_files 1.npy 40.npy

# windows_of NAME DATA -- the places of the windows that detect ranks, in order.
windows_of() {
    cat >"$1.nn" <<END
$2

network encoder(x: [4, 2]) {
    flatten()
    dense(3)
}

network decoder(c: [3]) {
    dense(8)
    reshape([4, 2])
}

train on x(w) {
    minimize mse(decoder(encoder(w)), w) using sgd()
    batch 4
    epochs 1
}
END
    "$AECC" "$1.nn" || fail "aecc $1.nn"
    "./$1" --quiet 2>"$1.warnings" || { cat "$1.warnings"; fail "$1"; }
    "./$1" detect --out "$1.csv" 2>errors || { cat errors; fail "$1 detect"; }
    tail -n +2 "$1.csv" | sort -t, -k2n | cut -d, -f2,5,6 | xargs
}

found=$(windows_of each 'data all = csv("x.csv", series: "id")
data x = windows(all, length: 4, stride: 5) / 256')
expect_text "x.csv: 4 series shorter than a window of 4 steps: skipped" each.warnings
want=$(awk 'BEGIN { for (s = 0; s < 40; s++) for (t = 0; t + 4 <= 3 + s * 7 % 10; t += 5)
    printf "%s%d,s%d,%d", n ? " " : "", n++, s, t }')
[ "$found" = "$want" ] || fail "windows of each series: $found, not $want"
found=$(windows_of one 'data all: [2] = csv("rows.csv")
data most, few = split(all, last: 11)
data x = windows(few, length: 4, stride: 3) / 256')
[ "$found" = "0,0,0 1,0,3 2,0,6" ] || fail "windows of a split: $found"
found=$(windows_of two 'data a: [2] = csv("rows.csv")
data b: [2] = npy("rows.npy")
data most, few = split(a, last: 5)
data rest, less = split(b, first: 9)
data x = windows(concat(few, rest), length: 4, stride: 2) / 256')
[ "$found" = "0,0,0 1,0,0 2,0,2 3,0,4" ] || fail "windows of a concatenation: $found"
found=$(windows_of some 'data all: [time <= 12, 2] = npy("x.npy", lengths: "n.csv")
data most, few = split(all, last: 2)
data x = windows(few, length: 4, stride: 4) / 256')
want=$(tail -n 2 n.csv | awk '{ for (t = 0; t + 4 <= $1; t += 4)
    printf "%s%d,%d,%d", n ? " " : "", n++, NR - 1, t }')
[ "$found" = "$want" ] || fail "windows of sequences: $found, not $want"

# What a declared maximum and the files disagree about.
sed 's/time <= 12/time <= 9/' series.nn >long.nn
"$AECC" long.nn || fail "aecc long.nn"
expect_status 1 ./long --quiet 2>errors
expect_text "x.csv: sequence 1 (from 0) has 10 steps, the input x takes up to 9" errors

# Nothing behind a sequence makes a gradient no number, as the logarithm of zeros would, neither
# of what is read nor of what a scan or a layer gives.
cat >singular.nn <<'END'
data x: [time <= 12, 2] = csv("x.csv", series: "id")
layer logs(s: [time, n]) {
    param w: [n] = ones
    scan v in s along time carrying h = zeros(n) {
        h = h + log(v * w) / 100
        emit h
    }
    return emitted
}
network f(s: [time <= 12, 2]) {
    logs()
}
network g(s: [time <= 12, 2]) {
    param w: [2] = ones
    return s * w / sum(s * w, axis: -1, keep: true)
}
train on x(s) {
    minimize mean(log(f(s))^2) + mean(log(g(s)) / g(s)) using sgd(learning_rate: 0.001)
    epochs 1
    batch 7
}
END
"$AECC" singular.nn || fail "singular.nn"
./singular --quiet || fail "a gradient that is no number"
