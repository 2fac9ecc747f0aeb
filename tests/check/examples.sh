# Every example: each parameter's gradient against differences in float64, and
# machine code of every function against the interpreter, on 1, 2 and 3 threads.
. tests/lib.sh
temporary_folder
bad=0
for model in examples/*.nn; do
    # Large ones are checked with fewer channels, and loops with fewer steps.
    small=$model
    if [ -z "${FULL:-}" ] && grep -q '^let channels = ' "$model"; then
        small=$folder/$(basename "$model")
        sed 's/^let channels = .*/let channels = 2/; s/^let steps = 4000$/let steps = 32/' \
            "$model" >"$small"
    fi
    for check in grad interp; do
        "$AECC" --check=$check "$small" >"$folder/log" 2>&1 && continue
        echo "$model --check=$check:"
        cat "$folder/log"
        bad=1
    done
done
exit $bad
