# Every example: each parameter's gradient against differences in float64, and
# machine code of every function against the interpreter, on 1, 2 and 3 threads.
. tests/lib.sh
temporary_folder
bad=0
for model in examples/*.nn; do
    for check in grad interp; do
        "$AECC" --check=$check "$model" >"$folder/log" 2>&1 && continue
        echo "$model --check=$check:"
        cat "$folder/log"
        bad=1
    done
done
exit $bad
