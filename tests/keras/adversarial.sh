# One step of a discriminator and one of a generator are those of Keras, and the
# gradient of a gradient penalty is that of PyTorch, from the same weights, codings
# and images; and of float64 differences in the interpreter. Golden files are made
# by make_adversarial.py.
. tests/lib.sh
temporary_folder
here=tests/keras
rate=1048576 # so large that the weights that a step leaves are its gradient
bad=0

# step MODEL RATE_OF_DISCRIMINATOR -- one pass from the weights by the rule.
step() {
    sed "/step discriminator/,/^    }/s/using rmsprop()/using sgd(learning_rate: $2)/
        s/using rmsprop()/using sgd(learning_rate: $rate)/" "$here/$1.nn" >"$folder/$1.nn"
    [ "$2" != $rate ] || sed -i '/step generator/,/^    }/d' "$folder/$1.nn"
    "$AECC" "$folder/$1.nn" -o "$folder/$1" 2>"$folder/messages" || fail "$1 does not compile"
    "$BUILD/tests/keras.make_weights" "$here/$1.shapes" "$folder/$1.weights"
    (cd "$folder" && "./$1" train --quiet --init "$1.weights" --no-shuffle --steps 1 \
        --save "$1.after") || fail "$1 ends with status $?"
}

# gradients MODEL GOLDEN
gradients() {
    echo "$2:"
    "$BUILD/tests/keras.compare" gradients "$folder/$1.weights" "$folder/$1.after" $rate \
        "$here/golden/$2.safetensors" 1e-5 || bad=1
}

for model in gan dcgan; do
    step $model $rate
    gradients $model ${model}_discriminator
    step $model 0.1
    gradients $model ${model}_generator
    "$BUILD/tests/keras.compare" values "$folder/$model.after" \
        $here/golden/${model}_values.safetensors 1e-5 || bad=1
done
for model in penalty_dense penalty_conv; do
    step $model 0.1
    gradients $model $model
    "$AECC" --check=grad $here/$model.nn || bad=1
done
exit $bad
