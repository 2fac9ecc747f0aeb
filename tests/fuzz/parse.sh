# The parser under sanitizers: its corpus, then mutations of it.
#
# FUZZ_SECONDS  5, and 60 in the full tier (FULL=1); FUZZ_SEED, default 42.
# With libFuzzer: add -fsanitize=fuzzer to clang's flags, leave out replay.c.
. tests/lib.sh
out=$BUILD/fuzz-parse
mkdir -p "$out"
seconds=${FUZZ_SECONDS:-$([ -n "${FULL:-}" ] && echo 60 || echo 5)}
# shellcheck disable=SC2086
${CC:-cc} -std=gnu11 -g -O1 -w -fsanitize=address,undefined -fno-sanitize-recover=undefined \
    -Icompiler -Idsl -I"$BUILD/generated" -o "$out/parse_fuzz" \
    tests/fuzz/parse_fuzz.c tests/fuzz/replay.c compiler/base/*.c dsl/*.c \
    "$BUILD/generated/grammar.c" "$BUILD/generated/lexer.c" -ljansson -lm ||
    fail "the parser does not compile with sanitizers"
corpus=$PWD/tests/fuzz/corpus/parse
cd "$out" && ./parse_fuzz -seconds "$seconds" -seed "${FUZZ_SEED:-42}" "$corpus" || {
    fail "see $out/crash-parse_fuzz.bin"
}
