# Every example: each parameter's gradient against differences in float64, and
# machine code of every function against the interpreter, on 1, 2 and 3 threads.
# Those that say how many channels they have get 3; with --full, what they say.
. tests/lib.sh
temporary_folder
bad=0
for model in examples/*.nn; do
    small=$model
    if [ -z "${FULL:-}" ] && grep -q '^let channels = ' "$model"; then
        small=$folder/$(basename "$model")
        sed 's/^let channels = .*/let channels = 3/' "$model" >"$small"
    fi
    # A loop of thousands of steps is checked in a few of them.
    if [ "$model" = examples/diffusion.nn ]; then
        small=$folder/diffusion.nn
        sed 's/^let steps = 4000/let steps = 4/; s/^let channels = 16/let channels = 2/' \
            "$model" >"$small"
        cmp -s "$model" "$small" && fail "diffusion.nn is as large as before"
    fi
    for check in grad interp; do
        "$AECC" --check=$check "$small" >"$folder/log" 2>&1 && continue
        echo "$model --check=$check:"
        cat "$folder/log"
        bad=1
    done
done
exit $bad
