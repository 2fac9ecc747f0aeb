# Programs that are almost right: aecc ends with 0 or 1, whatever they are.
# FUZZ_SECONDS  8, and 120 in the full tier (FULL=1); FUZZ_SEED, default 42.
. tests/lib.sh
command -v python3 >/dev/null || skip "python3 is missing"
mkdir -p "$BUILD/fuzz-programs"
seconds=${FUZZ_SECONDS:-$([ -n "${FULL:-}" ] && echo 120 || echo 8)}
python3 tests/fuzz/programs.py "$AECC" "$seconds" "${FUZZ_SEED:-42}" "$BUILD/fuzz-programs" \
    tests/error/*.nn tests/parse/*.nn examples/pca.nn examples/stacked_ae.nn || fail "see above"
