# The trainer follows Keras 3 step for step from the same weights: losses of
# 100 steps (conv: a rounding difference flips a ReLU early, hence the wider
# bands), and every gradient of the first step of conv and of all recurrent
# layers. Golden files are made by make_reference.py.
. tests/lib.sh
temporary_folder
here=tests/keras
bad=0

# compile MODEL OPTIMIZER -- the example, or the model here, with another optimizer.
compile() {
    source=examples/$1_ae.nn
    [ -e "$source" ] || source=$here/$1.nn
    sed "s/using nadam([^)]*)/using $2/" "$source" >"$folder/$1.nn"
    "$AECC" "$folder/$1.nn" -o "$folder/$1" || fail "$1 with $2 does not compile"
    "$BUILD/tests/keras.make_weights" "$here/$1.shapes" "$folder/$1.weights"
}

# run MODEL OPTION ...
run() {
    model=$1
    shift
    rm -f "$folder/log"
    (cd "$folder" && "./$model" train --quiet --init "$model.weights" --no-shuffle "$@") ||
        fail "$model $* ends with status $?"
}

# follow MODEL GOLDEN OPTIMIZER STEPS TOLERANCE ...
follow() {
    model=$1 golden=$here/golden/$1_$2.json
    compile "$1" "$3"
    run "$model" --log log --log-steps --steps 100
    echo "$1 with $3:"
    shift 3
    "$BUILD/tests/keras.compare" losses "$folder/log" "$golden" "$@" || bad=1
}

follow stacked nadam 'nadam()' 100 1e-5
follow stacked adam 'adam()' 100 1e-5
follow stacked rmsprop 'rmsprop()' 100 1e-5
follow stacked sgd 'sgd(learning_rate: 0.1, momentum: 0.9, nesterov: true)' 100 1e-5
follow recurrent nadam 'nadam()' 100 1e-5
follow cells nadam 'nadam()' 100 1e-5
follow stateful nadam 'nadam()' 100 1e-5
follow conv nadam 'nadam()' 5 1e-5 40 3e-4 100 1e-2

# gradients MODEL -- with a learning rate this large the weights that step 1
# leaves are its gradient, to the last bits of a float.
gradients() {
    echo "$1, gradients of step 1:"
    compile "$1" 'sgd(learning_rate: 1048576)'
    run "$1" --steps 1 --save "$1.after"
    "$BUILD/tests/keras.compare" gradients "$folder/$1.weights" "$folder/$1.after" 1048576 \
        "$here/golden/$1_gradients.safetensors" 1e-5 || bad=1
}

gradients conv
gradients cells
exit $bad
