# What tests/run and the scripts of tests/*/ share; read with `. tests/lib.sh`.
# Scripts run in the root of the project with AECC, BUILD and, in the full
# tier, FULL set.

# tests/check/shapes_test.c -> check.shapes_test
test_name() {
    folder=$(basename "$(dirname "$1")")
    base=$(basename "$1")
    echo "$folder.${base%.*}"
}

# A folder that is removed when the script ends.
temporary_folder() {
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
}

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

# expect_status N COMMAND ... -- the command ends with that status.
expect_status() {
    wanted=$1
    shift
    "$@"
    got=$?
    [ $got -eq "$wanted" ] || fail "status $got, not $wanted: $*"
}

# expect_text TEXT FILE -- the file has the text in it.
expect_text() {
    grep -qF -- "$1" "$2" || { cat "$2" >&2; fail "no \"$1\" in $2"; }
}

# fails STATUS TEXT COMMAND ... -- the command ends with that status and a message
# with the text, and leaves nothing half written; `out` and `errors` have what it said.
fails() {
    wanted=$1 text=$2
    shift 2
    "$@" >out 2>errors
    got=$?
    [ $got -eq "$wanted" ] || { cat errors; fail "status $got, not $wanted: $*"; }
    expect_text "$text" errors
    for file in *.tmp.*; do
        [ ! -e "$file" ] || fail "$file is left behind by $*"
    done
}

# waves N -- a CSV of so many lines of 64 numbers, images of 8 x 8.
waves() {
    awk -v n="$1" 'BEGIN { srand(1); for (i = 0; i < n; i++) { for (j = 0; j < 64; j++)
        printf "%s%d", j ? "," : "", 255 * (sin(i + j / 5) + 1) / 2 * rand(); print "" } }'
}

# same_files A B
same_files() {
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

# reference_blocks FILE.md FOLDER -- writes each ```nn block to FOLDER/LINE.nn,
# LINE its place in the manual, and prints the paths.
reference_blocks() {
    mkdir -p "$2"
    awk -v folder="$2" '
        /^```nn *$/ { path = sprintf("%s/%04d.nn", folder, NR + 1); print path; next }
        /^```/      { if (path) close(path); path = ""; next }
        path        { print > path }' "$1"
}

# compare_messages FILE.nn MESSAGES -- comments `# error: text` and
# `# warning: text` at the ends of lines are parts of the messages at these
# lines; every message must be expected, and every expected one be there.
compare_messages() {
    awk -v source="$1" '
        function expect(line, text,    n, parts, i) {
            n = split(text, parts, / *# (error|warning): /)
            for (i = 2; i <= n; i++) { wanted[line, ++count[line]] = parts[i] }
        }
        FNR == NR { expect(FNR, $0); lines = FNR; next }
        match($0, /:[0-9]+:[0-9]+: (error|warning): /) {
            path = substr($0, 1, RSTART - 1)
            split(substr($0, RSTART + 1), place, ":")
            line = place[1]
            text = substr($0, RSTART + RLENGTH)
            ok = 0
            for (i = 1; path == source && i <= count[line]; i++)
                if (index(text, wanted[line, i])) { seen[line, i] = 1; ok = 1 }
            if (!ok) { print "unexpected: " $0; bad = 1 }
        }
        END {
            for (line = 1; line <= lines; line++)
                for (i = 1; i <= count[line]; i++)
                    if (!((line, i) in seen)) {
                        print source ":" line ": expected: " wanted[line, i]; bad = 1
                    }
            exit bad
        }' "$1" "$2" >"$2.wrong" || { cat "$2" "$2.wrong"; return 1; }
}
