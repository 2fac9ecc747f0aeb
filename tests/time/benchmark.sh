#!/bin/sh
# FLOPs of the steps that are done: one more than the longest sequence, 7, has,
# whatever the maximum.
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1
awk 'BEGIN {
    print "id,a,b"
    for (s = 0; s < 40; s++)
        for (t = 0; t <= s % 7; t++) print s "," s * t ",1" }' >x.csv
flops() {        # flops MAXIMUM: of the product in the steps
    cat >long.nn <<END
data d: [time <= $1, 2] = csv("x.csv", series: "id")
network f(x: [time <= $1, 2]) {
    lstm(4)
}
train on d(x) {
    minimize mean(f(x)^2) using sgd()
}
END
    "$AECC" long.nn -o long || fail "it does not compile"
    ./long benchmark --steps 2 --batch 16 --json >table || fail "benchmark"
    tr '{' '\n' <table | grep '"name":"f.lstm_1.contract' |
        sed 's/.*"flops":\([^,]*\),.*/\1/' | head -n 1
}
few=$(flops 8)
[ "$few" = 16384 ] || fail "8 steps of 4 x 16, of 16 samples, have $few"
for maximum in 16 700; do
    [ "$(flops $maximum)" = "$few" ] || fail "$few became $(flops $maximum)"
done
