#!/bin/sh
# Every command of a trainer on sequences of several lengths, on the hand-
# written model: series of a CSV, files of lengths, windows.
set -u
. tests/lib.sh
model=fake_sequence
. tests/train/fake
build_fake ./lengths -DLENGTHS
build_fake ./windows -DWINDOWS

# write_series LENGTH ... -- a series of each length; step 10 s, 10 s + 1.
write_series() {
    echo "a,id,b"
    for length in "$@"; do
        echo "$length"
    done | awk '{ for (i = 0; i < $1; i++) { print 10 * s ",s" NR "," 10 * s + 1; s++ } }'
}
write_series 3 1 6 2 4 5 1 3 3 >x.csv
printf '3\n1\n6\n2\n4\n5\n1\n3\n3\n' >n.csv
floats() { od -A n -v -t f4 -w8 -j 128 "$1"; }
whole() { od -A n -v -t d4 -j 128 "$1" | xargs; }

# Training, the same bits on one thread; evaluate gives the validation loss.
"$fake" --quiet --log 2.jsonl --save 2.safetensors --batch 4 --threads 2 || fail "training"
"$fake" --quiet --log log.jsonl --save fake.safetensors --batch 4 --threads 1 || fail "training"
same_files 2.safetensors fake.safetensors
loss=$(tail -n 1 log.jsonl | sed 's/.*"val_loss":\([^,]*\),.*/\1/')
"$fake" evaluate --json --batch 4 >out || fail "evaluate"
expect_text "\"samples\":9,\"loss\":$loss}" out
"$fake" --steps 1 --quiet --no-shuffle --batch 1 --log first.jsonl --log-steps || fail "--steps"
expect_text '{"step":1,"loss":166.6666' first.jsonl     # (0 + 10^2 + 20^2) / 3

awk 'BEGIN { print "id,a,b"; for (i = 0; i < 999; i++) print int(i * i / 5000) "," i % 7 "," i % 5
}' | awk -F, '{ n = $1 == last ? n + 1 : 0; last = $1; if (n < 6) print }' >many.csv
for threads in 1 2 5; do
    "$fake" --quiet --data points=many.csv --batch 64 --threads $threads \
        --save many-$threads.safetensors || fail "--threads $threads"
    same_files many-$threads.safetensors many-1.safetensors
done

# run: padded with zeros up to the maximum, lengths beside; alone or in a batch.
"$fake" --quiet --epochs 0 || fail "no epochs"
"$fake" run copy --in x.csv --out y.npy || fail "run"
"$fake" run copy --in x=x.csv --out 1.npy --batch 1 || fail "run"
same_files y.npy 1.npy
same_files y.lengths.npy 1.lengths.npy
expect_text "'shape': (9, 6, 2)" y.npy
expect_text "'descr': '<i4'" y.lengths.npy
expect_text "'shape': (9,)" y.lengths.npy
[ "$(whole y.lengths.npy)" = "3 1 6 2 4 5 1 3 3" ] || fail "the lengths"
floats y.npy | awk '
    BEGIN { n = split("3 1 6 2 4 5 1 3 3", length_of, " "); for (i = 1; i <= n; i++)
                for (t = 0; t < 6; t++) { live = t < length_of[i]
                    want[++rows] = live ? 10 * s " " 10 * s + 1 : "0 0"; s += live } }
    $1 + 0 " " $2 + 0 != want[NR] { print NR ": " $0 " not " want[NR]; bad = 1 }
    END { exit bad || NR != 54 }' || fail "the padded result"

# The result is an input again: padded, or one step after another.
"$fake" run copy --in y.npy --lengths y.lengths.npy --out again.npy || fail "--lengths"
same_files again.npy y.npy
"$fake" run copy --in y.npy --lengths x=n.csv --out again.npy || fail "--lengths x="
same_files again.npy y.npy
{ head -c 128 y.npy | sed 's/(9, 6, 2)/(28, 2)  /'
  at=129
  while read -r length; do
      tail -c +$at y.npy | head -c $((8 * length))
      at=$((at + 48))
  done <n.csv; } >rows.npy
"$fake" run copy --in rows.npy --lengths n.csv --out again.npy || fail "steps of all"
same_files again.npy y.npy
tail -n +2 x.csv | cut -d, -f1,3 >rows.csv
"$fake" run copy --in rows.csv --lengths n.csv --out again.npy || fail "lines without a series"
same_files again.npy y.npy
fails 1 'x.csv: the lengths of its series are in n.csv and in its column "id"' \
    "$fake" run copy --in x.csv --lengths n.csv --out again.npy
expect_text "give no file of lengths, or a file without that column" errors
"$fake" run copy --in y.npy --out all.npy || fail "no lengths: all have six steps"
[ "$(whole all.lengths.npy)" = "6 6 6 6 6 6 6 6 6" ] || fail "the lengths without --lengths"

# Numbers of steps that belong to no input.
printf '1,2\n3,4\n' >codings.csv
"$fake" run repeat --in codings.csv --out r.npy || fail "run repeat"
[ "$(whole r.lengths.npy)" = "6 6" ] || fail "as many steps as there can be"
printf '2\n5\n' >steps.csv
"$fake" run repeat --in codings.csv --lengths steps.csv --out r.npy || fail "run repeat --lengths"
"$fake" run repeat --in codings.csv --lengths steps=steps.csv --out r.npy || fail "steps="
[ "$(whole r.lengths.npy)" = "2 5" ] || fail "the numbers of steps"
[ "$(floats r.npy | xargs)" = "1 2 1 2 0 0 0 0 0 0 0 0 3 4 3 4 3 4 3 4 3 4 0 0" ] ||
    fail "the repeated codings"

# detect: the mean over the steps there are; the most different series first.
"$fake" detect --out ranked.csv 2>errors || fail "detect"
[ "$(head -n 3 ranked.csv | cut -d, -f1,2,4-)" = "rank,sample,anomaly,series,step
1,2,1,s3,0
2,5,0,s6,0" ] || { cat ranked.csv; fail "the ranks"; }
error=$(sed -n 2p ranked.csv | cut -d, -f3)
awk -v e="$error" 'BEGIN { exit !(e > 916.66 && e < 916.67) }' || fail "error $error"
expect_text "2,5,6e+02," ranked.csv                  # five steps of six
"$fake" detect --count 1 --out ranked.json 2>errors || fail "detect to JSON"
expect_text '"anomaly":true,"series":"s3","step":0}' ranked.json
sed 's/s3/say ""hi"", s/; s/say [^,]*, s/"&"/' x.csv >quoted.csv
"$fake" detect --in quoted.csv --count 1 2>errors >out || fail "detect --in"
expect_text ',"say ""hi"", s",0' out
printf 'a,id,b\n0,a\tb,1\n50,c\303\251\377\355\240\200d,9\n' >bytes.csv
"$fake" detect --in bytes.csv --out bytes.json 2>errors || fail "detect of bytes"
expect_text "\"series\":\"c$(printf '\303\251')\\ufffd\\ufffd\\ufffd\\ufffdd\"" bytes.json
"$fake" detect --in bytes.csv --out bytes.csv.csv 2>errors || fail "detect of bytes"
expect_text "\"$(printf 'a\tb')\"" bytes.csv.csv
"$fake" reconstruct --out grid.png >out || fail "reconstruct"
"$fake" generate copy --count 3 --out noise.png >out || fail "generate"
"$fake" benchmark --steps 20 --batch 4 >out || fail "benchmark"
"$fake" benchmark --infer repeat --steps 20 >out || fail "benchmark --infer"

# A file of lengths.
cp y.npy x.npy
./lengths --quiet --log l.jsonl --save l.safetensors --batch 4 || fail "training with lengths"
same_files l.safetensors 2.safetensors
./lengths --quiet --data points=rows.npy --save l.safetensors --batch 4 || fail "--data"
same_files l.safetensors 2.safetensors
cp n.csv other.csv
./lengths --quiet --data points=rows.npy --data points.lengths=other.csv --batch 4 ||
    fail "--data points.lengths"
./lengths --quiet --epochs 0 || fail "no epochs"
./lengths run copy --in y.npy --lengths n.csv --out again.npy || fail "run with lengths"
same_files again.npy y.npy

# Windows: three steps of each series that has them.
./windows --quiet --batch 4 2>errors || fail "training on windows"
expect_text "x.csv: 3 series shorter than a window of 3 steps: skipped" errors
[ "$(grep -c skipped errors)" -eq 1 ] || fail "it says so more than once"
./windows --quiet --epochs 0 2>errors || fail "no epochs"
./windows detect --quantile 0.5 --out windows.csv 2>errors || fail "detect windows"
cut -d, -f2,5- windows.csv | tail -n +2 | sort -n | tr '\n' ' ' >found
[ "$(cat found)" = "0,s1,0 1,s3,0 2,s3,1 3,s3,2 4,s3,3 5,s5,0 6,s5,1 7,s6,0 8,s6,1 9,s6,2 \
10,s8,0 11,s9,0 " ] || { cat found; fail "the places of windows"; }
./windows run copy --in x.csv --out w.npy 2>errors || fail "run on windows"
[ "$(floats w.npy | sed -n '4,9p' | xargs)" = "40 41 50 51 60 61 50 51 60 61 70 71" ] ||
    fail "windows of a CSV"
./windows run copy --in rows.npy --lengths n.csv --out again.npy 2>errors || fail "windows of rows"
same_files again.npy w.npy
./windows run copy --in w.npy --out again.npy || fail "windows as they are"
same_files again.npy w.npy
./windows run copy --in rows.npy --out one.npy 2>errors || fail "one series"
expect_text "'shape': (26, 3, 2)" one.npy
./windows run copy --in y.npy --out six.npy || fail "series of one length"
expect_text "'shape': (36, 3, 2)" six.npy

# What is refused.
write_series 3 7 2 >long.csv
fails 1 "long.csv: sequence 1 (from 0) has 7 steps, the input x takes up to 6" \
    "$fake" run copy --in long.csv --out z.npy
fails 1 "long.csv: sequence 1 (from 0) has 7 steps" "$fake" --data points=long.csv
fails 1 "has 7 steps" "$fake" evaluate --in long.csv
for bad in "0 is zero" "-2 is -2" "1.5 is 1.5" "7 is 7, but y.npy has room for 6 steps"; do
    printf '3\n%s\n6\n2\n4\n5\n1\n3\n3\n' "${bad%% *}" >bad.csv
    fails 1 "bad.csv: the length of sequence 1 (from 0) ${bad#* }" \
        "$fake" run copy --in y.npy --lengths bad.csv --out z.npy
done
printf '3\nx\n' >bad.csv
fails 1 "bad.csv:2:1: expected a number" "$fake" run copy --in y.npy --lengths bad.csv --out z.npy
fails 1 "steps.csv: 2 lengths, but y.npy has 9 sequences: its shape is [9, 6, 2]" \
    "$fake" run copy --in y.npy --lengths steps.csv --out z.npy
fails 1 "steps.csv: the lengths add up to fewer than the 28 steps of rows.npy" \
    "$fake" run copy --in rows.npy --lengths steps.csv --out z.npy
fails 1 "n.csv: 9 lengths, but w.npy has 12 sequences" ./lengths --data points=w.npy
fails 2 "no data of this name" "$fake" --data points.length=n.csv
fails 2 "did you mean points.lengths" ./lengths --data points.length=n.csv
fails 5 "points.lengths: none.csv: no such file" ./lengths --data points.lengths=none.csv
printf '7\n1\n' >steps.csv
fails 1 "steps.csv: the length of sequence 0 (from 0) is 7, more than the maximum, 6" \
    "$fake" run repeat --in codings.csv --lengths steps.csv --out z.npy
fails 2 "--in x.length=n.csv: lengths are given by --lengths x=FILE" \
    "$fake" run copy --in x.length=n.csv --out z.npy
fails 2 "--in steps=n.csv: numbers of steps are given by --lengths steps=FILE" \
    "$fake" run repeat --in steps=n.csv --out z.npy
fails 2 "--lengths n.csv: the input coding of repeat has one length only" \
    "$fake" run repeat --in codings.csv --lengths coding=n.csv --out z.npy
fails 2 "--lengths goes with --in" "$fake" evaluate --lengths n.csv
fails 2 "--lengths : the name of a file is missing" \
    "$fake" run copy --in y.npy --lengths "" --out z.npy
fails 2 "--lengths x=: the name of a file is missing" \
    "$fake" run copy --in y.npy --lengths x= --out z.npy
fails 2 "--lengths gives those of input x twice: n.csv and other.csv" \
    "$fake" run copy --in y.npy --lengths n.csv --lengths x=other.csv --out z.npy
fails 2 "--data points.lengths=: the name of a file is missing" ./lengths --data points.lengths=
: >empty.csv
fails 1 "empty.csv: the file is empty" "$fake" run copy --in empty.csv --out z.npy
fails 1 "empty.csv: the file is empty" "$fake" --data points=empty.csv
{ head -c 128 y.lengths.npy; printf '\000\000\300\177'; head -c 164 y.lengths.npy | tail -c 32
} | LC_ALL=C sed 1s/i4/f4/ >nan.npy
fails 1 "nan.npy: the length of sequence 0 (from 0) is nan" \
    "$fake" run copy --in y.npy --lengths nan.npy --out z.npy
sed 1s/id/name/ x.csv >unnamed.csv
fails 1 "unnamed.csv:1: no column \"id\" to name the series; the first line has a, name, b" \
    "$fake" --data points=unnamed.csv
{ cat x.csv; echo 1,s1,2; } >twice.csv
fails 1 "twice.csv:30: series s1 goes on here, after other series; it began in line 2" \
    "$fake" --data points=twice.csv
write_series 2 1 2 >short.csv
fails 1 "short.csv: all series are shorter than a window of 3 steps: 2" \
    ./windows --data points=short.csv
fails 1 "three.csv: its samples have the shape" sh -c \
    'sed "s/\$/,1/; 1s/1\$/c/" x.csv >three.csv; "$0" --data points=three.csv' "$fake"
for file in *.tmp.* z.npy z.lengths.npy; do
    [ ! -e "$file" ] || fail "$file is left behind"
done
