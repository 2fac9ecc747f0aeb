# Random programs: gradients against differences in float64, the machine code
# against the interpreter. COUNT and SEED choose others; a failure prints the
# seed that `build/tests/random.generate SEED` makes its program from.
. tests/lib.sh
temporary_folder
count=${COUNT:-500}
[ -z "${FULL:-}" ] || count=${COUNT:-2000}
seed=${SEED:-1}
last=$((seed + count - 1))

one() {
    file=$folder/$1.nn
    "$BUILD/tests/random.generate" "$1" >"$file"
    "$AECC" --check=grad "$file" >"$folder/$1.log" 2>&1 &&
        "$AECC" --check=interp "$file" >>"$folder/$1.log" 2>&1 && return
    { echo "seed $1:"; cat "$file" "$folder/$1.log"; } >"$folder/$1.failed"
}

# Two halves at once.
half() {
    for i in $(seq "$1" 2 $last); do one "$i"; done
}
half "$seed" &
half $((seed + 1)) &
wait

failed=$(ls "$folder" | grep -c '\.failed$')
for file in $(ls "$folder"/*.failed 2>/dev/null | head -n 3); do cat "$file"; done
echo "$count programs from seed $seed, $failed failed"
[ "$failed" -eq 0 ]
