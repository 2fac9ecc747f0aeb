#!/bin/sh
# The cosine of a prediction of zeros: its derivative is a number.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1
cat >zero.nn <<END
data points = csv("x.csv")
network f(x: [2]) {
    dense(3, init: zeros)
}
train on points(x) {
    minimize cosine_similarity(f(x), ones(3)) using sgd()
}
END
printf '1,2\n3,4\n' >x.csv
"$AECC" zero.nn -o zero || fail "it does not compile"
./zero --epochs 1 --quiet || fail "training"
./zero evaluate >value || fail "weights that are no numbers"
