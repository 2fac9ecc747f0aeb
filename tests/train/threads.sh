#!/bin/sh
# The same bits for any number of threads, run after run; not for another seed.
set -u
. tests/lib.sh
. tests/train/fake

for threads in 1 2 3 7; do
    "$fake" --threads $threads --quiet --save $threads.safetensors --log $threads.jsonl \
        --log-steps || fail "training on $threads threads"
    sed 's/,"seconds.*//' $threads.jsonl >$threads.rows
    same_files 1.safetensors $threads.safetensors
    same_files 1.rows $threads.rows
done

"$fake" --threads 1 --quiet --seed 43 --save other.safetensors || fail "another seed"
! cmp -s 1.safetensors other.safetensors || fail "the seed changes nothing"

# Reading weights and saving them again changes nothing.
"$fake" --quiet --epochs 0 --init 1.safetensors --save again.safetensors || fail "--init"
same_files 1.safetensors again.safetensors

# Of 276 samples the last batch has 20; any batch size goes.
for batch in 1 13 276 65536; do
    "$fake" --quiet --epochs 1 --batch $batch --save b.safetensors --steps 5 2>errors ||
        grep -q 'too few for one pass' errors || fail "--batch $batch"
done
