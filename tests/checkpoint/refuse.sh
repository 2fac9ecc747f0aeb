#!/bin/sh
# --resume: afresh without a checkpoint, else from there; refuses other models',
# corrupt ones and other options, and overwrites nothing then.
set -u
. tests/lib.sh
. tests/train/fake

refused() {        # refused STATUS TEXT COMMAND ...
    wanted=$1 text=$2
    shift 2
    cp c c.before
    "$@" >out 2>errors
    got=$?
    [ $got -eq "$wanted" ] || { cat errors; fail "status $got, not $wanted: $*"; }
    expect_text "$text" errors
    same_files c c.before
}

"$fake" --quiet --resume --checkpoint c --save a.safetensors || fail "afresh"
[ -s c ] || fail "no checkpoint"
"$fake" --quiet --resume --checkpoint c --save b.safetensors || fail "a finished run"
same_files a.safetensors b.safetensors

# A run in parts, of steps and of epochs, ends as one in one go.
rm -f c
"$fake" --quiet --save b.safetensors --steps 4 --checkpoint c || fail "four steps"
"$fake" --quiet --save b.safetensors --steps 11 --checkpoint c --resume || fail "eleven steps"
"$fake" --quiet --save b.safetensors --checkpoint c --resume || fail "all steps"
same_files a.safetensors b.safetensors
"$fake" --quiet --save b.safetensors --checkpoint c --resume --epochs 5 || fail "more epochs"

build_fake other -DFAKE_HASH='"00000000000000bb"'
refused 1 "a checkpoint of fake" ./other --resume --checkpoint c
refused 1 "--seed 42" "$fake" --resume --checkpoint c --seed 1
refused 1 "--batch" "$fake" --resume --checkpoint c --batch 7
refused 1 "--no-shuffle" "$fake" --resume --checkpoint c --no-shuffle
refused 2 "--checkpoint" "$fake" --resume

size=$(wc -c <c)
cp c good
for at in 0 5 9 20 300 $((size / 2)) $((size - 1)); do
    cp good c
    printf '\377' | dd of=c bs=1 seek=$at conv=notrunc 2>/dev/null
    refused 1 "not a whole checkpoint" "$fake" --resume --checkpoint c
    head -c $at good >c
    refused 1 "not a whole checkpoint" "$fake" --resume --checkpoint c
done
cp good c
printf x >>c
refused 1 "not a whole checkpoint" "$fake" --resume --checkpoint c

write_points 280 >fewer.csv
cp good c
refused 1 "training samples" "$fake" --resume --checkpoint c --epochs 9 --data points=fewer.csv

# A sound checksum over numbers that no run reaches: as many bytes as before,
# and the CRC-32 that gzip computes.
forged() {        # forged FROM TO
    head -c $((size - 4)) good | LC_ALL=C sed "s/$1/$2/" >body
    [ "$(wc -c <body)" -eq $((size - 4)) ] || fail "the forged header has another size"
    ! cmp -s -n $((size - 4)) body good || fail "nothing is forged with $2"
    { cat body; gzip -c body | tail -c 8 | head -c 4; } >c
    refused 1 "not a whole checkpoint" "$fake" --resume --checkpoint c
}
"$fake" --quiet --steps 14 --checkpoint good || fail "a checkpoint to forge"
size=$(wc -c <good)
forged '"block":0' '"block":7'
forged '"epoch":1,"position":5' '"epoch":-1,"position":'
forged '"epoch":1,"position":5' '"epoch":1,"position":-'
forged '"position":5,"step":14' '"position":55,"step":1'
forged '"epoch":1,"position":5,"step":14' '"epoch":-1,"position":5,"step":1'
forged '"samples":276' '"samples":-76'
forged '"seed":42,"batch":0' '"seed":4,"batch":-1'
forged '"sums":\[[^]]\{4\}' '"sums":[0,0,'
forged '"counts":\[160.0' '"counts":[160,0'
