#!/bin/sh
# Every way to fail: the documented status, a clear message, nothing half
# written, nothing overwritten.
set -u
. tests/lib.sh
. tests/train/fake

# Wrong usage.
fails 2 "did you mean --epochs?" "$fake" --epoch 3
fails 2 "did you mean train?" "$fake" trian
fails 2 "whole number from 1 to 65536" "$fake" --batch 0
fails 2 "whole number from 1 to 65536" "$fake" --batch 65537
fails 2 "whole number" "$fake" --seed -1
fails 2 "--epochs needs a value" "$fake" --epochs
fails 2 "takes no value" "$fake" --quiet=yes
fails 2 "not an option of summary" "$fake" summary --epochs 3
fails 2 "auto, always, never or json" "$fake" --progress=fancy
fails 2 "did you mean points?" "$fake" --data point=x.csv
fails 2 "did you mean encoder?" "$fake" run encodr --in points.csv --out y.npy
fails 2 "did you mean encoder?" "$fake" benchmark --infer encodr
fails 2 "time encoder with --infer" "$fake" benchmark encoder
fails 2 "ends in .npy" "$fake" run encoder --in points.csv --out y.txt
fails 2 "from noise" "$fake" generate

# Data.
fails 5 "none.csv" "$fake" --data points=none.csv
: >empty.csv
fails 1 "empty.csv" "$fake" --data points=empty.csv
{ write_points 50; echo 1,2,nan,4; } >nan.csv
fails 1 "nan.csv" "$fake" --data points=nan.csv
write_points 50 | cut -d, -f1-3 >narrow.csv
fails 1 "[3]" "$fake" --data points=narrow.csv
write_points 24 >few.csv
fails 1 "" "$fake" --data points=few.csv

# Weights.
fails 1 "no weights: fake.safetensors" "$fake" evaluate
fails 5 "none.safetensors" "$fake" evaluate --weights none.safetensors
fails 1 "points.csv" "$fake" evaluate --weights points.csv

# Divergence: the weights of before stay.
"$fake" --quiet || fail "training"
cp fake.safetensors before.safetensors
awk -F, '{ print $1 "e30," $2 "," $3 "," $4 }' points.csv >huge.csv
fails 3 "epoch 1, step " "$fake" --data points=huge.csv --checkpoint c
expect_text "nothing was overwritten" errors
same_files fake.safetensors before.safetensors
[ ! -e c ] || fail "a checkpoint of a run that diverged"

# Writing.
fails 5 "no/such/w.safetensors" "$fake" --quiet --save no/such/w.safetensors
fails 5 "no/such/c" "$fake" --quiet --checkpoint no/such/c
fails 5 "no/such/log" "$fake" --quiet --log no/such/log
if [ -c /dev/full ]; then
    fails 5 "/dev/full" "$fake" --quiet --log /dev/full --log-steps
    "$fake" summary >/dev/full 2>errors
    [ $? -eq 5 ] || fail "summary to a full disk"
fi
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked && chmod 500 locked
    fails 5 "locked/w.safetensors" "$fake" --quiet --save locked/w.safetensors
fi
# What a process that was killed left behind goes; what others write stays.
dead=$(sh -c 'echo $$')
: >w.safetensors.tmp.$dead
: >c.tmp.$dead
: >c.tmp.$$
: >c.tmp.notes
"$fake" --quiet --save w.safetensors --checkpoint c || fail "beside temporary files"
[ ! -e w.safetensors.tmp.$dead ] && [ ! -e c.tmp.$dead ] || fail "stale temporary files stay"
[ -e c.tmp.$$ ] && [ -e c.tmp.notes ] || fail "a file that may be in use was removed"
rm -f c w.safetensors c.tmp.*

# The log of a full disk holds whole rows.
(ulimit -f 1 && "$fake" --quiet --epochs 200 --log full.jsonl --log-steps 2>errors)
[ $? -eq 5 ] || { cat errors; fail "no room for the log"; }
[ -s full.jsonl ] && [ -z "$(tail -c 1 full.jsonl)" ] || fail "half a row in the log"

# A limit on the size of files stands for a full disk.
(ulimit -f 0 && "$fake" --quiet --save w.safetensors 2>errors)
[ $? -eq 5 ] || { cat errors; fail "no room for weights"; }
[ ! -e w.safetensors ] || fail "half a file of weights"
cp fake.safetensors w.safetensors
(ulimit -f 0 && "$fake" --quiet --save w.safetensors 2>errors)
[ $? -eq 5 ] || fail "no room for weights, again"
same_files w.safetensors fake.safetensors
(ulimit -f 0 && "$fake" run encoder --in points.csv --out y.npy 2>errors)
[ $? -eq 5 ] || fail "no room for results"
[ ! -e y.npy ] || fail "half a file of results"
for file in *.tmp.*; do
    [ ! -e "$file" ] || fail "$file is left behind"
done

# A CPU without what the code needs is named before anything runs.
if grep -q '^flags' /proc/cpuinfo; then
    build_fake strange -DFAKE_CPU='"fpu,avx9000"'
    fails 2 "lacks avx9000" ./strange --version
fi
