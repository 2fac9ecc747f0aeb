# Each form of --emit is what it says; looking inside changes nothing.
. tests/lib.sh
temporary_folder
cat >"$folder/pca.nn" <<'END'
data points = csv("points.csv")
network encoder(x: [3]) {
    dense(2)
}
network decoder(c: [2]) {
    dense(3)
}
train on points(x) {
    minimize mse(decoder(encoder(x)), x) using sgd(learning_rate: 0.5)
    epochs 2
    batch 20
}
END
cd "$folder" || exit 1

for form in ast graph grad fused plan loop dot; do
    "$AECC" pca.nn --emit=$form >$form || fail "--emit=$form"
    [ -s $form ] || fail "--emit=$form wrote nothing"
done
for form in obj asm llvm; do
    "$AECC" pca.nn --emit=$form || fail "--emit=$form"
done
[ "$(head -c 4 pca.o | tail -c 3)" = ELF ] || fail "pca.o is no object"
expect_text "define" pca.ll
expect_text ".text" pca.s
expect_text "digraph" dot
grep -q gradient graph || fail "no gradient in the graph as written"
! grep -q '= gradient' grad || fail "a gradient is left after grad"

# The same program, whatever is looked at.
"$AECC" pca.nn --emit=llvm -o plain.ll || fail "--emit=llvm"
"$AECC" pca.nn --emit=llvm -o watched.ll --verify --time --stats --dump=all -v 2>seen ||
    fail "looking inside"
same_files plain.ll watched.ll
for text in "# after simplify" "total " "operations" "aecc: lower:" "schedule, for "; do
    expect_text "$text" seen
done

# Each contraction has a schedule for the first processor.
"$AECC" pca.nn --emit=fused -o fused || fail "--emit=fused"
"$AECC" pca.nn --emit=obj -o pca.o --target=x86_64-linux-gnu --mcpu=x86-64-v4,x86-64 --stats \
    2>seen || fail "--stats"
expect_text "schedule, for avx512" seen
[ "$(grep -c 'contract.*: tile .* loops' seen)" -eq "$(grep -c '^ *kernel.*contract' fused)" ] ||
    fail "a schedule for each contraction"
"$AECC" pca.nn --dump=grad,fuse --stop-after=fuse 2>seen || fail "--dump"
[ "$(grep -c '^# after ' seen)" -eq 2 ] || fail "not two dumps"

# The trainer, and the command that links it.
"$AECC" pca.nn || fail "a trainer"
[ -x pca ] || fail "pca cannot be run"
"$AECC" pca.nn '-###' -o other 2>seen || fail "-###"
expect_text "-o other" seen
[ ! -e other ] || fail "-### linked"
[ "$(ls -A | grep -c tmp)" -eq 0 ] || fail "a temporary file was left"

# Proof.
"$AECC" pca.nn --check=grad >table || fail "--check=grad"
[ -s table ] || fail "--check=grad printed nothing"
"$AECC" pca.nn --check=interp >table || fail "--check=interp"
[ -s table ] || fail "--check=interp printed nothing"
