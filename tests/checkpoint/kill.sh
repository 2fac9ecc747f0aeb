#!/bin/sh
# kill -9 at any instant and --resume: the weights and the log of a run that
# was never interrupted.
set -u
. tests/lib.sh
. tests/train/fake

kills=6
[ -z "${FULL:-}" ] || kills=20
train() {
    exec "$fake" --threads 2 --epochs 60 --quiet --log-steps "$@"
}
(train --save whole.safetensors --log whole.jsonl) || fail "the whole run"

killed=0
for i in $(seq $kills); do
    delay=$(awk -v i="$i" 'BEGIN { printf "%.3f", 0.03 + (i * 0.37) % 0.2 }')
    (train --save k.safetensors --log k.jsonl --checkpoint c --every 5 --resume) &
    run=$!
    sleep "$delay"
    kill -9 $run 2>/dev/null
    wait $run 2>/dev/null
    [ $? -ne 137 ] || killed=$((killed + 1))
done
(train --save k.safetensors --log k.jsonl --checkpoint c --every 5 --resume) ||
    fail "the last part"

[ $killed -gt 0 ] || fail "no run was killed"
same_files whole.safetensors k.safetensors
sed 's/,"seconds.*//' whole.jsonl >whole.rows
sed 's/,"seconds.*//' k.jsonl >k.rows
same_files whole.rows k.rows
