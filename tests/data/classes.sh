#!/bin/sh
# Class numbers that a program counts with are checked when their file is
# read: training, validation and evaluation never see one out of range.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

cat >count.nn <<'END'
data x: [2] = csv("x.csv")
data label: [] = csv("label.csv")
data number: [] = csv("number.csv")
data training, validation = split(zip(x, label, number), last: 4)
network f(x: [2], number: []) {
    e = embedding(number, 3, 2)
    x + e
    dense(10, softmax)
}
train on training(x, label, number) {
    validate on validation
    minimize sparse_categorical_crossentropy(f(x, number), reshape(label, [])) using sgd()
    batch 4
}
END
"$AECC" count.nn || fail "aecc count.nn"

numbers() {      # numbers COUNT MODULUS: 0, 1, … in turn
    awk -v n="$1" -v m="$2" 'BEGIN { for (i = 0; i < n; i++) print i % m }'
}
numbers 20 10 >label.csv
numbers 20 3 >number.csv
numbers 20 7 | sed 's/$/,1/' >x.csv
./count --quiet || fail "classes in range"

# refuses FILE LINE VALUE CLASSES: that value in that line of the file.
refuses() {
    cp "$1" right.csv
    awk -v line="$2" -v value="$3" 'NR == line { $0 = value } 1' right.csv >"$1"
    for command in "train --quiet" evaluate; do
        expect_status 1 ./count $command 2>errors
        expect_text "$1: sample $(($2 - 1)), element 0 is $3" errors
        expect_text "from 0 to $(($4 - 1))" errors
    done
    cp right.csv "$1"
}
refuses label.csv 3 10 10
refuses label.csv 1 -1 10
refuses label.csv 20 2.5 10
refuses number.csv 7 3 3
