#!/bin/sh
# The steps of a block run in their order, each as often as it says, on the
# batch that it should see, with draws of its own and those before the steps:
# layers and optimizers of the program write down what happens.
set -u
. tests/lib.sh
temporary_folder
root=$PWD
cd "$folder" || exit 1
awk 'BEGIN { for (i = 0; i < 100; i++) print i }' >rows.csv

cat >order.nn <<'END'
data rows: [1] = csv("rows.csv")

# 4 p + digit, by a prime: a number that tells the whole sequence of digits.
optimizer write(digit) {
    next = 4 * parameter + digit + 0 * gradient
    parameter = next - 65521 * floor(next / 65521)
}
layer seen(x: [batch, 1], shared, own) {
    state calls: [] = 0
    state samples: [] = 0
    state row: [] = 0
    state drawn: [] = 0
    state drew: [] = 0
    update calls = calls + 1
    update samples = samples + batch
    update row = mean(x)
    update drawn = mean(shared)
    update drew = mean(own)
    return x
}
network tape(x: [1]) {
    param order: [] = 0
    return x * order
}
network a(x: [1], shared, own) {
    return seen(x, shared, own)
}
network b(x: [1], shared, own) {
    return seen(x, shared, own)
}
network c(x: [1], shared, own) {
    return seen(x, shared, own)
}
network d(x: [1], shared, own) {
    return seen(x, shared, own)
}

train on rows(x) {
    shared = normal(1)
    step a {
        minimize mean(tape(a(x, shared, normal(1))))
        update tape.order, a using write(digit: 0)
    }
    step b repeat 3 {
        minimize mean(tape(b(x, shared, normal(1))))
        update tape.order, b using write(digit: 1)
    }
    step c {
        minimize mean(tape(c(x, shared, normal(1))))
        update tape.order, c using write(digit: 2)
    }
    step d repeat 1 {
        minimize mean(tape(d(x, shared, normal(1))))
        update tape.order, d using write(digit: 3)
    }
    epochs 3
    batch 10
}
END
(cd "$root" && "$AECC" "$folder/order.nn" -o "$folder/order") || fail "order.nn"

# values FILE -- "name value" of each tensor, all of which are numbers.
values() {
    length=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
    tail -c +9 "$1" | head -c "$length" | tr '{' '\n' | sed -n 's/^.*"\([^"]*\)":$/\1/p' |
        grep -v '^__metadata__$' >names
    tail -c +$((9 + length)) "$1" | od -An -v -t f4 -w4 >numbers
    paste -d ' ' names numbers
}
value() { awk -v name="$2" '$1 == name { printf "%.6g", $2 }' "$1"; }
expect() {
    [ "$(value values "$1")" = "$2" ] || { cat values; fail "$1 is not $2"; }
}
same() {
    [ "$(value values "$1")" = "$(value values "$2")" ] || { cat values; fail "$1, $2"; }
}
differ() {
    [ "$(value values "$1")" != "$(value values "$2")" ] || { cat values; fail "$1 = $2"; }
}

# after PASSES OPTION ... -- the sequence 0 1 1 1 2 3, so often.
after() {
    passes=$1
    shift
    ./order --no-shuffle --quiet --save w.st "$@" || fail "order $*"
    values w.st >values
    expect tape.order "$(awk -v n="$passes" 'BEGIN {
        while (n-- > 0) { split("0 1 1 1 2 3", s, " ")
            for (i = 1; i <= 6; i++) p = (4 * p + s[i]) % 65521 }
        print p }')"
    for step in a c d; do expect $step.seen_1.calls "$passes"; done
    expect b.seen_1.calls $((3 * passes))
}

# Five batches a pass, two passes an epoch.
for threads in 1 2 3; do
    after 6 --threads $threads
    mv w.st $threads.st
    same_files 1.st $threads.st
done
expect b.seen_1.samples $((6 * 30))
# The last pass takes batches 5 to 9; c sees b's last one.
expect a.seen_1.row 54.5
expect b.seen_1.row 84.5
expect c.seen_1.row 84.5
expect d.seen_1.row 94.5
# Draws before the steps belong to the batch, those in a step to the step.
same b.seen_1.drawn c.seen_1.drawn
differ a.seen_1.drawn b.seen_1.drawn
differ c.seen_1.drawn d.seen_1.drawn
differ b.seen_1.drew c.seen_1.drew
differ c.seen_1.drew d.seen_1.drew
differ c.seen_1.drawn c.seen_1.drew
for passes in 1 2 3 5; do
    after $passes --steps $passes
done
# 100 samples are 3 batches of 30 and a short one: too few for a pass of five.
expect_status 1 ./order --batch 30 --quiet --save w.st 2>messages
expect_text 'too few for one pass: it takes 5 batches of 30' messages
# Seven batches, of which a pass takes five: the others of the epoch are left out.
after 3 --batch 15
expect d.seen_1.row 67
