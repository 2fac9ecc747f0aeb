#!/bin/sh
# `generate`: codings and class numbers by the number of the sample, the way from
# one coding to another, .npy and PNG in the scale of the program's data.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

# The networks give back what they get: codings and class numbers can be read.
cat >echo.nn <<'END'
data images = idx("images.idx") / 255
data training, kept = split(images, last: 2)
network generator(coding: [2, 2], kind: [], size: []) {
    shown = sum(one_hot(kind, 3) * range(3), each: sample)
        + 10 * sum(one_hot(size, 2) * range(2), each: sample)
    return concat(coding, 0 * coding + shown, axis: 0)
}
network plain(coding: [6]) {
    coding + 0
}
network words(text: [7]) {
    embedding(8, 2)
}
network named(kind: []) {
    return reshape(one_hot(kind, 3), 1, 3)
}
network paint(image: [3, 2]) {
    flatten()
    dense(6)
    reshape(3, 2)
}
train on training(image) {
    validate on kept
    minimize mse(paint(image), image) using sgd()
    batch 2
}
END
printf '\000\000\010\003\000\000\000\004\000\000\000\003\000\000\000\002%s' \
    abcdefghijklmnopqrstuvwx >images.idx
"$AECC" echo.nn 2>errors || fail "aecc echo.nn: $(cat errors)"
./echo --quiet || fail "training"

# values FILE: the floats of a .npy, one a line.
values() {
    od -A n -v -t f4 -w4 -j 128 "$1" | tr -d ' '
}
rows() {         # rows FILE FIRST COUNT ELEMENTS: of samples FIRST …
    values "$1" | tail -n +$(($2 * $4 + 1)) | head -n $(($3 * $4))
}

# Sample s is a function of the seed and s.
./echo generate plain --count 5 --out five.npy || fail "generate to .npy"
./echo generate plain --count 300 --out many.npy --threads 1 || fail "generate 300"
rows five.npy 0 5 6 >five
rows many.npy 0 5 6 >many
same_files five many
expect_text "'shape': (300, 6)" many.npy
./echo generate plain --count 5 --out seed.npy --seed 7 || fail "generate --seed"
! cmp -s five.npy seed.npy || fail "another seed gives the same samples"
[ "$(values many.npy | sort -u | wc -l)" -gt 1790 ] || fail "codings repeat"
values many.npy | awk '{ sum += $1; square += $1 * $1 }
    END { exit !(sum / NR > -0.1 && sum / NR < 0.1 && square / NR > 0.9 && square / NR < 1.1) }' ||
    fail "codings are not standard normal"

# From sample 1 to sample 4, the ends included; the squares of the weights add to 1.
./echo generate plain --interpolate 1,4 --count 3 --out way.npy || fail "--interpolate"
rows five.npy 1 1 6 >wanted
rows five.npy 4 1 6 >>wanted
{ rows way.npy 0 1 6; rows way.npy 2 1 6; } >ends
same_files wanted ends
awk '{ at[NR] = $1 } END { for (i = 1; i <= 6; i++)
    printf "%.4f\n", sqrt(0.5) * (at[i] + at[i + 6]) }' ends >wanted
rows way.npy 1 1 6 | awk '{ printf "%.4f\n", $1 }' >middle
same_files wanted middle
./echo generate plain --interpolate 1,4 --out eight.npy || fail "--interpolate"
expect_text "'shape': (8, 6)" eight.npy

# Class numbers take turns, the first input's fastest, and stand in --labels.
labels() {       # labels FILE: two numbers a line
    od -A n -v -t d4 -w8 -j 128 "$1" | awk '{ print $1, $2 }'
}
shown() {        # what the network saw, the same way; 8 elements a sample
    values "$1" | awk 'NR % 8 == 0 { printf "%d %d\n", $1 % 10, $1 / 10 }'
}
./echo generate --count 8 --out all.npy --labels labels.npy || fail "--labels"
expect_text "'shape': (8, 2)" labels.npy
expect_text "<i4" labels.npy
labels labels.npy >found
printf '%s\n' '0 0' '1 0' '2 0' '0 1' '1 1' '2 1' '0 0' '1 0' >wanted
same_files wanted found
shown all.npy >found
same_files wanted found
# Interpolation: all the steps for each class in turn.
./echo generate --interpolate 0,3 --count 2 --out way.npy --labels labels.npy || fail "classes"
labels labels.npy >found
for pair in '0 0' '1 0' '2 0' '0 1' '1 1' '2 1'; do printf '%s\n%s\n' "$pair" "$pair"; done >wanted
same_files wanted found
shown way.npy >found
same_files wanted found
rows all.npy 3 1 8 | head -n 4 >wanted
rows way.npy 11 1 8 | head -n 4 >found
same_files wanted found

# Pictures: a column for each class, so 4 rows of 6; one row of steps.
sides() {        # WIDTH HEIGHT of a PNG
    od -A n -t u1 -j 16 -N 8 "$1" | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }'
}
./echo generate >out || fail "generate"
expect_text echo-samples.png out
[ "$(sides echo-samples.png)" = "420 508" ] || fail "4 rows of 6: $(sides echo-samples.png)"
./echo generate plain --interpolate 2,5 >out 2>errors && fail "six numbers are no picture"
sed 's/    coding + 0/    return reshape(coding, 3, 2)/' echo.nn >way.nn
"$AECC" way.nn 2>errors || fail "aecc way.nn: $(cat errors)"
./way generate plain --weights echo.safetensors --interpolate 2,5 --count 3 >out ||
    fail "generate --interpolate"
expect_text way-interpolation.png out
[ "$(sides way-interpolation.png)" = "270 135" ] ||
    fail "a row of 3: $(sides way-interpolation.png)"

# White is what becomes of a file's byte 0, black of 255.
scaled() {       # scaled NAME ARITHMETIC RESULT
    sed "s,/ 255,$2,; s,^    coding + 0,    return reshape($3\, 3\, 2)," echo.nn >"$1.nn"
    "$AECC" "$1.nn" 2>errors || fail "aecc $1.nn: $(cat errors)"
    ./$1 generate plain --weights echo.safetensors --out "$1.png" >out ||
        fail "generate of $1"
}
scaled unit '/ 255' 'coding'
scaled both '/ 255 * 2 - 1' 'coding * 2 - 1'
same_files unit.png both.png
scaled less '* 0.00390625' 'coding'
! cmp -s unit.png less.png || fail "black is 255 / 256, and drawn as if it were 1"

fails 2 "such as 3,17, not '3'" ./echo generate plain --interpolate 3 --out x.npy
fails 2 "such as 3,17, not '3,'" ./echo generate plain --interpolate 3, --out x.npy
fails 2 "such as 3,17, not '3,3'" ./echo generate plain --interpolate 3,3 --out x.npy
fails 2 "such as 3,17, not '3,4x'" ./echo generate plain --interpolate 3,4x --out x.npy
fails 2 "such as 3,17, not '-3,4'" ./echo generate plain --interpolate -3,4 --out x.npy
fails 2 "such as 3,17, not '3,99999999999'" ./echo generate plain --interpolate 3,99999999999
fails 2 "they count from 0, as \`echo generate\` shows them" ./echo generate --interpolate a,b
fails 2 "at least two steps: --count 2" ./echo generate --interpolate 1,2 --count 1
fails 2 "--count takes a whole number from 1 to 1000000" ./echo generate --count 0
fails 2 "ends in .png or .npy, not 'x.jpg'" ./echo generate --out x.jpg
fails 2 "--labels: plain takes no class numbers" ./echo generate plain --labels x.npy --out y.npy
fails 2 "--labels takes a name that ends in .npy, not 'x.csv'" ./echo generate --labels x.csv
fails 2 "--out and --labels are one file, 'x.npy'" ./echo generate --labels x.npy --out x.npy
fails 2 "its input text takes 7 class numbers" ./echo generate words --out x.npy
fails 2 "named cannot be fed with noise: it takes class numbers only" ./echo generate named
fails 2 "samples of shape [6] are no pictures" ./echo generate plain
fails 2 "did you mean plain?" ./echo generate plane
[ ! -e x.npy ] || fail "a file is left behind"
expect_status 5 ./echo generate --labels no/x.npy --out y.npy 2>errors
expect_text "no/x.npy" errors
