#!/bin/sh
# Every reader under the address and undefined-behavior sanitizers: its corpus,
# then mutations of it. tests/fuzz/NAME_fuzz.c is a target, and
# tests/fuzz/corpus/NAME its corpus.
#
#   sh tests/fuzz/run.sh [NAME …]
#
# FUZZ_SECONDS  for each target; 5, and 60 in the full tier (FULL=1)
# FUZZ_SEED     another number tries other mutations; default: 42
#
# With libFuzzer instead of replay.c, for hours and guided by coverage:
#   clang -fsanitize=fuzzer,address,undefined -Iruntime tests/fuzz/idx_fuzz.c \
#       runtime/data*.c runtime/gather.c runtime/error.c -lpng -lz -lm -o idx_fuzz
#   mkdir found; ./idx_fuzz found tests/fuzz/corpus/idx
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh

BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
OUT=$BUILD/fuzz
CC=${CC:-cc}
SECONDS_EACH=${FUZZ_SECONDS:-$([ -n "${FULL:-}" ] && echo 60 || echo 5)}
CFLAGS="-std=gnu11 -g -O1 -fopenmp -fsanitize=address,undefined -fno-omit-frame-pointer -Iruntime"
LIBS="-lpng -lz -ljansson -lm"
export OUT CC CFLAGS

# The runtime, but for main(): what has changed since the last time.
build_runtime() {
    mkdir -p "$OUT"
    newest=$(ls -t runtime/*.h runtime/*.def | head -n 1)
    for source in runtime/*.c; do
        object=$OUT/$(basename "$source" .c).o
        [ "$source" = runtime/main.c ] && continue
        [ "$object" -nt "$source" ] && [ "$object" -nt "$newest" ] && continue
        echo "$source $object"
    done | xargs -r -n 2 -P 2 sh -c '$CC $CFLAGS -c "$0" -o "$1"' || return 1
    rm -f "$OUT/libruntime.a"
    ar rcs "$OUT/libruntime.a" "$OUT"/*.o
}

fuzz() {
    target=$OUT/$1_fuzz
    # shellcheck disable=SC2086
    $CC $CFLAGS -o "$target" "tests/fuzz/$1_fuzz.c" tests/fuzz/replay.c "$OUT/libruntime.a" \
        $LIBS || return 1
    (cd "$OUT" && "$target" -seconds "$SECONDS_EACH" -seed "${FUZZ_SEED:-42}" "$CORPUS/$1")
}

# Memory for a size in a header must be refused, not end the process.
ASAN_OPTIONS=abort_on_error=1:allocator_may_return_null=1:max_allocation_size_mb=2048
UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
CORPUS=$PWD/tests/fuzz/corpus
export ASAN_OPTIONS UBSAN_OPTIONS

build_runtime || fail "the runtime does not compile with sanitizers"
[ $# -gt 0 ] || set -- idx npy csv series lengths png safetensors checkpoint
for name in "$@"; do
    fuzz "$name" || fail "$name: see above"
done
