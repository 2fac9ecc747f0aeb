# serial
# The cost model against measurement: what it chooses is not far from the best
# of the schedules timed. The bound is wide: other work on the machine counts, too.
set -u
. tests/lib.sh
temporary_folder

# near_best FILE WORD N
near_best() {
    "$BUILD/bench/schedules" "$1" "$2" "$3" >"$folder/log" || fail "schedules $1 $2"
    awk '
        /on average/ { found = $1 > 0 && $NF >= 1 && $NF < 1.5 }
        END { exit !found }' "$folder/log" || fail "$1 $2: $(tail -n 5 "$folder/log")"
}

near_best examples/stacked_ae.nn dense_1 6
near_best examples/conv_ae.nn conv2d_3 4
[ -z "${FULL:-}" ] || near_best examples/conv_ae.nn contract 16
