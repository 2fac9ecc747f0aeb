# The first command of the README, with few steps.
# serial
. tests/lib.sh
rm -f "$BUILD/conv_ae-reconstructions.png"
sh examples/quickstart --steps 40 || fail "quickstart"
[ -s "$BUILD/conv_ae-reconstructions.png" ] || fail "no picture"
"$BUILD/show" "$BUILD/conv_ae-reconstructions.png"
