#!/bin/sh
# Every command of a trainer on the hand-written model.
set -u
. tests/lib.sh
. tests/train/fake

"$fake" --log log.jsonl 2>errors || fail "training: $(cat errors)"
[ "$(grep -c '"epoch"' log.jsonl)" -eq 5 ] || fail "an epoch lacks its row"
expect_text '"block":2,"epoch":2,"step":33,"first.loss":' log.jsonl
[ "$(grep -c '^Epoch' errors)" -eq 5 ] || fail "an epoch lacks its line"
! tr -d '\n -~' <errors | grep -q . || fail "control characters where no terminal is"
[ -s fake.safetensors ] || fail "no weights"
[ -s fake-reconstructions.png ] || fail "no picture"

# evaluate gives the validation loss of the last row, bit for bit.
loss=$(tail -n 1 log.jsonl | sed 's/.*"val_loss":\([^,]*\),.*/\1/')
"$fake" evaluate --json >out || fail "evaluate"
expect_text "\"loss\":$loss}" out
# 4 numbers of a CSV as 4 elements of a coding.
expect_text '{"bytes":16,"ratio":1,"error":' out
"$fake" evaluate --in points.csv >out || fail "evaluate --in"
expect_text "300" out

# Results do not depend on the batch; 300 samples of [2, 2] and a header.
"$fake" run encoder --in points.csv --out 1.npy --batch 1 || fail "run"
"$fake" run encoder --in image=points.csv --out 300.npy --batch 300 --threads 1 || fail "run"
same_files 1.npy 300.npy
[ "$(wc -c <1.npy)" -eq 4928 ] || fail "the size of run's result"
expect_text "'shape': (300, 2, 2)" 1.npy
# .npy of floats is not scaled, so feeding the result again works on it as it is.
"$fake" run encoder --in 1.npy --out 2.npy || fail "run on .npy"
"$fake" encode --out codings.npy || fail "encode"
"$fake" encode --in points.csv --out all.npy || fail "encode --in"
same_files all.npy 1.npy

"$fake" reconstruct --count 4 --out grid.png >out || fail "reconstruct"
[ -s grid.png ] || fail "no grid"
"$fake" generate encoder --count 3 --out noise.png >out || fail "generate"
[ -s noise.png ] || fail "no samples"

"$fake" detect --quantile 0 --out ranked.csv 2>errors || fail "detect"
[ "$(wc -l <ranked.csv)" -eq 25 ] || fail "detect ranks the validation data"
cut -d, -f3 ranked.csv | tail -n +2 >found
sort -gr found >sorted
same_files found sorted
"$fake" detect --in points.csv --count 2 --out ranked.json 2>errors || fail "detect --in"
[ "$(grep -c '"sample"' ranked.json)" -eq 2 ] || fail "detect --count"

"$fake" summary >out || fail "summary"
expect_text "Total params: 24 (96 B)" out
expect_text "dense_1 (dense)" out
"$fake" benchmark --steps 50 >out || fail "benchmark"
expect_text "dense_1.forward" out
"$fake" benchmark --steps 50 --json >out || fail "benchmark --json"
"$fake" benchmark --infer --steps 50 --batch 3 >out || fail "benchmark --infer"
expect_text "fake, reconstruct: batch 3" out
expect_text "us a sample" out
(cd / && "$fake" benchmark --infer encoder --steps 50) >out || fail "--infer needs no file"
expect_text "fake, encoder: batch 32" out
# Threads that have to share a core meet slowly, and then not often: seconds of
# the processor, which do not depend on what else runs.
core=$(awk '/^Cpus_allowed_list/ { split($2, list, /[,-]/); print list[1] }' /proc/self/status)
(
    taskset -c "$core" "$fake" benchmark --steps 2 --threads 64 >out || exit 1
    times
) | awk '
    { for (i = 1; i <= 2; i++) { split($i, part, /[ms]/); sum += 60 * part[1] + part[2] } }
    END { exit !(NR == 2 && sum > 0 && sum < 3) }' || fail "benchmark with 64 threads on a core"
for command in train evaluate run encode reconstruct generate detect summary benchmark; do
    "$fake" $command --help >out || fail "$command --help"
    expect_text "Usage: fake $command" out
done

# --steps ends a run; --early-stop a block; --epochs holds for every block.
"$fake" --quiet --steps 4 --log log.jsonl --log-steps || fail "--steps"
[ "$(wc -l <log.jsonl)" -eq 4 ] || fail "--steps 4 makes other than 4 steps"
"$fake" --epochs 1 --quiet --log log.jsonl || fail "--epochs"
[ "$(wc -l <log.jsonl)" -eq 2 ] || fail "--epochs 1 of two blocks"
"$fake" --epochs 400 --early-stop 2 2>errors || fail "--early-stop"
expect_text "stopped early" errors
"$fake" --progress=json --epochs 1 2>out || fail "--progress=json"
expect_text '"epoch":1,"done":9,"total":9' out
