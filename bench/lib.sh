# What the scripts of bench/ share.
BUILD=$(realpath "${BUILD:-build}")
AECC=${AECC:-$BUILD/aecc}
[ -x "$AECC" ] || { echo "build first: sh tests/run" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# seconds COMMAND ... -- its wall time; files of its own go to the work folder.
seconds() {
    begin=$(date +%s%N)
    (cd "$work" && exec "$@") >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
    echo "$begin $(date +%s%N)" | awk '{ printf "%.6f\n", ($2 - $1) / 1e9 }'
}

# The smallest, and the middle, of numbers one a line.
smallest() { sort -g | head -n 1; }
median() { sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }
