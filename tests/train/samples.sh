#!/bin/sh
# `samples` of a report: pictures after the epochs that it names and at the end, of
# the same draws each time; training does not notice, and a resumed run draws the same.
set -u
. tests/lib.sh
temporary_folder
cd "$folder" || exit 1

cat >gan.nn <<'END'
data images = idx("images.idx") / 255
network generator(coding: [3]) {
    dense(8, relu)
    dense(12, sigmoid)
    reshape(4, 3)
}
network discriminator(image: [4, 3]) {
    flatten()
    dense(8, relu)
    dense(1, sigmoid)
}
train on images(image) {
    step discriminator {
        minimize discriminator_loss(discriminator(image), discriminator(generator(normal(3))))
        update discriminator using adam(learning_rate: 0.01)
    }
    step generator {
        minimize bce(discriminator(generator(normal(3))), 1)
        update generator using adam(learning_rate: 0.01)
    }
    epochs 5
    batch 4
}
report on images(image) {
    samples(generator(normal(3)), count: 10, every: 2, epochs: [1, 5])
    samples(image, count: 3, epochs: 4)
    samples(sum(image, each: sample))
}
END
{
    printf '\000\000\010\003\000\000\000\021\000\000\000\004\000\000\000\003'
    awk 'BEGIN { for (i = 0; i < 17 * 12; i++) printf "%c", 33 + i * 7 % 90 }'
} >images.idx
"$AECC" gan.nn || fail "aecc gan.nn"
./gan 2>errors || fail "training: $(cat errors)"
ls ./*.png >found
printf './gan-samples%s.png\n' -2-epoch4 -2 -epoch1 -epoch2 -epoch4 -epoch5 '' | sort >wanted
sort found >sorted
same_files wanted sorted
expect_text "wrote gan-samples-epoch1.png" errors
expect_text "wrote gan-samples-2.png" errors
expect_text "skipped gan-samples-3.png: the samples are no pictures" errors
# The draws stay, the weights do not.
same_files gan-samples-epoch5.png gan-samples.png
! cmp -s gan-samples-epoch2.png gan-samples-epoch4.png || fail "two epochs look the same"
same_files gan-samples-2-epoch4.png gan-samples-2.png
# 8 in a row, as tall as a second row asks for: cells 84 by 112, gaps of 12.
sides=$(od -A n -t u1 -j 16 -N 8 gan-samples.png | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }')
[ "$sides" = "780 260" ] || fail "10 samples, 8 in a row: $sides"

# Training does not notice.
sed '/^report/,$d' gan.nn >plain.nn
"$AECC" plain.nn || fail "aecc plain.nn"
./plain --quiet || fail "training"
same_files gan.safetensors plain.safetensors

# A run that stops on its way and goes on draws the same.
mkdir again && cd again || exit 1
for steps in 3 7 8 14 16 23; do
    ../gan --quiet --steps $steps --data images=../images.idx --checkpoint c --resume ||
        fail "resume"
done
../gan --quiet --data images=../images.idx --checkpoint c --resume || fail "the last part"
for file in ../*.png; do
    same_files "$file" "$(basename "$file")"
done

# Several blocks: the epochs of each.
cd .. || exit 1
awk '/^report/ { while ((getline line <"gan.nn") > 0) { if (line ~ /^train/) on = 1
    if (line ~ /^report/) on = 0; if (on) print line } } { print }' gan.nn >two.nn
"$AECC" two.nn || fail "aecc two.nn"
./two --quiet --epochs 2 || fail "two blocks"
for name in block1-epoch1 block1-epoch2 block2-epoch1 block2-epoch2; do
    [ -s two-samples-$name.png ] || fail "no picture of $name"
done
