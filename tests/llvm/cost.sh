#!/bin/sh
# What a compilation costs: the size of trainers and kernels, and the processor
# time against that of cc for a file of the runtime, measured beside it. The
# output does not depend on the number of threads.
set -u
. tests/lib.sh
temporary_folder
MOST_KERNEL=65536 MOST_RATIO=20

# processor_time COMMAND... -- in hundredths of a second, with its children.
processor_time() {
    (
        "$@" >"$folder/out" 2>&1 || exit 1
        times
    ) | awk '
        function seconds(t) { split(t, part, /[ms]/); return 60 * part[1] + part[2] }
        END { printf "%d\n", 100 * (seconds($1) + seconds($2)) + 1 }'
}

# A megabyte; half of one for each named step (those that share work are there
# joined and apart), and for each of the two functions (for one sample and for
# many) of a loop that draws samples.
most_bytes() {
    steps=$(grep -cE '^ *step ' "$1")
    loops=$(grep -cE '^ *scan ' "$1")
    echo $((1048576 + 524288 * (steps + 2 * loops)))
}

for file in examples/*.nn; do
    trainer=$folder/$(basename "$file" .nn)
    "$AECC" "$file" --stats -o "$trainer" 2>"$folder/stats" || fail "$file"
    bytes=$(stat -c %s "$trainer")
    [ "$bytes" -lt "$(most_bytes "$file")" ] || fail "$trainer has $bytes bytes"
    kernel=$(awk '$3 == "function" { on = 1; next }
        on && $2 > n && $3 !~ /^aecc\./ { n = $2; name = $3 }
        END { print n, name }' "$folder/stats")
    [ "${kernel%% *}" -gt 0 ] || fail "--stats shows no functions"
    [ "${kernel%% *}" -le $MOST_KERNEL ] || fail "$file: a function of ${kernel} bytes"
done

cc=$(processor_time cc -O2 -Iruntime -c runtime/train.c -o "$folder/train.o")
own=$(processor_time "$AECC" examples/conv_ae.nn -o "$folder/conv_ae")
[ "$own" -gt 1 ] && [ "$own" -le $((cc * MOST_RATIO)) ] ||
    fail "conv_ae.nn takes $own hundredths of a second, cc $cc for runtime/train.c"

for jobs in 1 2 5; do
    "$AECC" examples/stacked_ae.nn --jobs $jobs -o "$folder/jobs$jobs" || fail "--jobs $jobs"
    same_files "$folder/jobs1" "$folder/jobs$jobs"
done
"$AECC" examples/pca.nn --jobs 0 -o "$folder/none" 2>"$folder/seen"
[ $? -eq 2 ] || fail "--jobs 0"
"$AECC" examples/pca.nn --time -o "$folder/none" 2>"$folder/seen" || fail "--time"
for row in emit optimize generate; do
    grep -q "^  $row .* ms$" "$folder/seen" || fail "--time does not show $row"
done
