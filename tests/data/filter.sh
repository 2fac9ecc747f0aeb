#!/bin/sh
# A filter trains and shows what a file with the other samples taken out does,
# bit for bit; its numbers are looked for and replaced as other files are.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

awk 'BEGIN { for (i = 0; i < 90; i++) print i % 7 / 7 "," i % 11 / 11 }' >x.csv
awk 'BEGIN { for (i = 0; i < 90; i++) print i * i % 5 }' >number.csv
paste -d ' ' x.csv number.csv | awk '$2 == 1 || $2 == 4 { print $1 }' >few.csv
[ "$(wc -l <few.csv)" = 72 ] || fail "what is to be kept"

files='data x = csv("x.csv")
data number = csv("number.csv")'

# model NAME FILES SOURCE
model() {
    cat >"$1.nn" <<END
$2
data chosen = $3
data training, validation = split(chosen, last: 9)
network encoder(x: [2]) {
    dense(1)
}
network decoder(coding: [1]) {
    dense(2)
}
train on training(x) {
    validate on validation
    minimize mse(decoder(encoder(x)), x) using adam()
    epochs 3
}
END
    "$AECC" "$1.nn" || fail "aecc $1.nn"
    "./$1" --quiet --save "$1.safetensors" || fail "$1"
    "./$1" encode --weights "$1.safetensors" --out "$1.npy" || fail "encode $1"
}
model filtered "$files" 'filter(x, number, keep: [1, 4])'
model plain 'data few = csv("few.csv")' few
same_files filtered.safetensors plain.safetensors
same_files filtered.npy plain.npy
model scaled "$files" 'filter(x / 2, number, keep: [4, 1]) * 2'
same_files scaled.safetensors plain.safetensors

# Other numbers by the command line; too few of them, and none that is kept.
tac number.csv >other.csv
./filtered --quiet --data number=other.csv --save other.safetensors || fail "--data number"
cmp -s other.safetensors plain.safetensors && fail "--data number changed nothing"
head -n 80 number.csv >short.csv
expect_status 1 ./filtered --quiet --data number=short.csv 2>errors
expect_text "x.csv has 90 samples, short.csv has 80 numbers" errors
expect_status 1 ./filtered --quiet --data number=x.csv 2>errors
expect_text "a filter takes one number for each" errors
sed 's/.*/0/' number.csv >zeros.csv
expect_status 1 ./filtered --quiet --data number=zeros.csv 2>errors
expect_text "none of the 90 numbers is one of those to keep" errors
rm number.csv
expect_status 5 ./filtered --quiet 2>errors
expect_text number.csv errors

# Windows of the series that stay.
cat >windows.nn <<'END'
data all = csv("series.csv", series: "id")
data kind = csv("kind.csv")
data x = windows(filter(all, kind, keep: 1), length: 4, stride: 2) / 16
network encoder(x: [4, 1]) {
    flatten()
    dense(2)
}
network decoder(coding: [2]) {
    dense(4)
    reshape(4, 1)
}
train on x(x) {
    minimize mse(decoder(encoder(x)), x) using adam()
}
END
awk 'BEGIN {
    print "id,v"
    for (s = 0; s < 5; s++) for (i = 0; i < 4 + s; i++) print "s" s "," i
}' >series.csv
printf '1\n0\n1\n0\n1\n' >kind.csv
"$AECC" windows.nn || fail "aecc windows.nn"
./windows --quiet || fail windows
./windows detect --out found.csv >/dev/null 2>&1 || fail "detect"
found=$(sed 1d found.csv | sort -t, -k2n | cut -d, -f5,6 | paste -s -d ' ')
[ "$found" = "s0,0 s2,0 s2,2 s4,0 s4,2 s4,4" ] || fail "windows of what stays: $found"
