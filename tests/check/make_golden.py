#!/usr/bin/env python3
"""Makes tests/check/golden.txt with Keras 3 from PyPI (pip install tensorflow-cpu).

Each line of it is a layer or a training run, and what Keras computes for it in
float64, for inputs and weights that are sines of the place of an element:

    layer | shape of a sample | line of the network | three projections of the output, one of
            the gradient by the input, and of that by each weight
    train | body of the network | objective | optimizer | the objective before each of 6
            steps, and after them in inference mode
"""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf
from keras import layers as L
from keras import losses, optimizers

keras.backend.set_floatx("float64")
HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES, STEPS = 3, 6


def sines(n, phase):
    return np.sin(0.7 * np.arange(n) + phase)


def weights_of(layer, order):
    """Sets the weights, in the order in which aecc declares them."""
    values = []
    for i, weight in enumerate(layer.weights):
        n = int(np.prod(weight.shape))
        value = sines(n, order[i] + 1.0)
        if "variance" in weight.path:
            value = 1 + 0.5 * value
        values.append(value.reshape(weight.shape))
    layer.set_weights(values)


def project(values, m):
    flat = np.array(values).ravel()
    return float(np.dot(flat, np.cos(0.37 * m * np.arange(flat.size) + m)))


def layer_line(shape, line, layer, call=None, order=None):
    """`call` computes what the line says, where that is more than layer(x)."""
    call = call or layer
    layer.build((None,) + shape)
    weights_of(layer, order or range(len(layer.weights)))
    n = int(np.prod(shape))
    x = np.stack([2 * sines(n, 0.3 + s) for s in range(SAMPLES)]).reshape((SAMPLES,) + shape)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = call(x, training=False) if isinstance(layer, L.BatchNormalization) else call(x)
        elements = tf.reshape(y, (SAMPLES, -1))
        objective = tf.reduce_sum(elements * np.cos(0.37 * np.arange(elements.shape[1]) + 1))
    by = tape.gradient(objective, [x] + [w.value for w in layer.trainable_weights],
                       unconnected_gradients="zero")
    numbers = [project(y, m) for m in range(3)]
    numbers += [project(tf.convert_to_tensor(g), 1) for g in by]
    print("layer |", " ".join(map(str, shape)), "|", line, "|", *map(repr, numbers))


def convolutions():
    for pad in "same", "valid":
        for s in 1, 2, 3:
            for k in 1, 2, 3, 5:
                args = f"{k}, strides: {s}, padding: {pad}"
                layer_line((7, 8, 4), f"conv2d(6, {args})", L.Conv2D(6, k, strides=s, padding=pad))
                layer_line((4, 3, 2), f"conv2d_transpose(3, {args})",
                           L.Conv2DTranspose(3, k, strides=s, padding=pad))
                layer_line((7, 8, 2), f"max_pool2d({args})",
                           L.MaxPooling2D(k, strides=s, padding=pad))
                layer_line((7, 8, 2), f"average_pool2d({args})",
                           L.AveragePooling2D(k, strides=s, padding=pad))
        layer_line((9, 8, 4), f"conv2d(6, [2, 3], dilation: 2, padding: {pad})",
                   L.Conv2D(6, (2, 3), dilation_rate=2, padding=pad))
        layer_line((7, 8, 3), f"depthwise_conv2d(3, strides: 2, padding: {pad})",
                   L.DepthwiseConv2D(3, strides=2, padding=pad))
        layer_line((7, 8, 3), f"separable_conv2d(5, 3, padding: {pad})",
                   L.SeparableConv2D(5, 3, padding=pad))
        layer_line((9, 3), f"conv1d(5, 3, strides: 2, padding: {pad})",
                   L.Conv1D(5, 3, strides=2, padding=pad))
        for s, k in (1, 3), (2, 3), (3, 2), (2, 5):
            args = f"{k}, strides: {s}, padding: {pad}"
            layer_line((5, 3), f"conv1d_transpose(4, {args})",
                       L.Conv1DTranspose(4, k, strides=s, padding=pad))
            layer_line((9, 3), f"max_pool1d({args})", L.MaxPooling1D(k, strides=s, padding=pad))
            layer_line((9, 3), f"average_pool1d({args})",
                       L.AveragePooling1D(k, strides=s, padding=pad))
        layer_line((9, 4), f"conv1d(6, 3, dilation: 2, padding: {pad})",
                   L.Conv1D(6, 3, dilation_rate=2, padding=pad))
    layer_line((7, 8, 4), "conv2d(6, 3, groups: 2)", L.Conv2D(6, 3, groups=2))
    layer_line((9, 4), "conv1d(6, 3, groups: 2)", L.Conv1D(6, 3, groups=2))


def recurrence():
    """Steps that a mask leaves out are at the ends and in the middle."""
    def masked(layer):
        return lambda x: layer(x, mask=tf.reduce_max(x, axis=-1) > 1)

    mask = "mask: if max(x, axis: -1) > 1 then 1 else 0"
    for name, make in ("simple_rnn", L.SimpleRNN), ("lstm", L.LSTM), ("gru", L.GRU):
        layer_line((7, 3), f"{name}(4)", make(4))
        layer_line((1, 3), f"{name}(4)", make(4))
        layer_line((7, 3), f"{name}(4, return_sequences: true, use_bias: false)",
                   make(4, return_sequences=True, use_bias=False))
        backwards = make(4, return_sequences=True, go_backwards=True)
        layer_line((7, 3), f"{name}(4, return_sequences: true, backwards: true)", backwards,
                   lambda x, layer=backwards: tf.reverse(layer(x), [1]))
        layer_line((7, 3), f"{name}(4, activation: softsign)", make(4, activation="softsign"))
        layer = make(4)
        layer_line((7, 2), f"{name}(4, {mask})", layer, masked(layer))
        layer = make(4, return_sequences=True)
        layer_line((7, 2), f"{name}(4, return_sequences: true, {mask})", layer, masked(layer))
        for sequences, text in (False, ""), (True, ", return_sequences: true"):
            layer = L.Bidirectional(make(4, return_sequences=sequences))
            layer_line((7, 3), f"bidirectional({name}(units: 4{text}))", layer)
        layer = L.Bidirectional(make(4))
        layer_line((7, 2), f"bidirectional({name}(units: 4), {mask})", layer, masked(layer))
        layer = L.Bidirectional(make(4, return_sequences=True))
        layer_line((7, 2), f"bidirectional({name}(units: 4, return_sequences: true), {mask})",
                   layer, masked(layer))
    for name in "lstm", "gru":
        make = {"lstm": L.LSTM, "gru": L.GRU}[name]
        layer_line((7, 3), f"{name}(4, recurrent_activation: hard_sigmoid)",
                   make(4, recurrent_activation="hard_sigmoid"))
    layer_line((7, 3), "bidirectional(gru(units: 4), merge: added)",
               L.Bidirectional(L.GRU(4), merge_mode="sum"))
    layer = L.LSTM(4)
    layer_line((7, 1), "return lstm(minimum(x, 0), 4, mask: masking(minimum(x, 0)))", layer,
               lambda x: layer(L.Masking(0.0)(tf.minimum(x, 0))))
    layer_line((4,), "repeat_vector(3)", L.RepeatVector(3))
    layer_line((6, 4), "time_distributed(dense(units: 3, activation: tanh))",
               L.TimeDistributed(L.Dense(3, activation="tanh")))
    layer_line((3, 7, 8, 2), "time_distributed(conv2d(filters: 4, kernel_size: 3))",
               L.TimeDistributed(L.Conv2D(4, 3)))
    table = L.Embedding(5, 3)
    layer_line((6,), "return embedding(3 * x, 5, 3)", table,
               lambda x: table(tf.cast(tf.clip_by_value(3 * x, 0, 4), tf.int32)))


def other_layers():
    layer_line((5,), "dense(3, tanh)", L.Dense(3, activation="tanh"))
    layer_line((4, 5), "dense(3, use_bias: false)", L.Dense(3, use_bias=False))
    layer_line((7, 8, 4), "global_average_pool2d()", L.GlobalAveragePooling2D())
    layer_line((7, 8, 4), "global_max_pool2d()", L.GlobalMaxPooling2D())
    layer_line((7, 4), "global_average_pool1d()", L.GlobalAveragePooling1D())
    layer_line((7, 4), "global_max_pool1d()", L.GlobalMaxPooling1D())
    layer_line((3, 4), "upsample1d(3)", L.UpSampling1D(3))
    layer_line((3, 4), "zero_pad1d(2)", L.ZeroPadding1D(2))
    layer_line((5, 4), "crop1d(2)", L.Cropping1D(2))
    layer_line((3, 2, 4), "upsample2d([2, 3])", L.UpSampling2D((2, 3)))
    layer_line((3, 2, 4), "zero_pad2d([1, 2])", L.ZeroPadding2D((1, 2)))
    layer_line((5, 6, 4), "crop2d([1, 2])", L.Cropping2D((1, 2)))
    layer_line((5, 6, 4), "layer_normalization()", L.LayerNormalization())
    layer_line((5, 6, 4), "batch_normalization()", L.BatchNormalization())
    names = ("relu leaky_relu elu selu gelu sigmoid tanh softmax log_softmax softplus softsign "
             "silu mish hard_sigmoid hard_silu hard_tanh exponential log_sigmoid relu6")
    for name in names.split():
        layer_line((4, 6), f"activation({name})", L.Activation(name))
    layer_line((4, 6), "activation(gelu(approximate: true))",
               L.Activation(lambda x: keras.activations.gelu(x, approximate=True)))


class Spectral(L.Layer):
    """The kernel of a layer divided by its largest singular value, as torch.nn.utils.spectral_norm
    does it: derivatives go through the division, not through the vectors."""

    def __init__(self, layer, call):
        super().__init__()
        self.layer, self.multiply = layer, call

    def build(self, shape):
        self.layer.build(shape)
        self.u = self.add_weight(shape=(self.layer.kernel.shape[-1],), trainable=False)

    def call(self, x, training=False):
        matrix = tf.reshape(self.layer.kernel, (-1, self.u.shape[0]))
        u = tf.convert_to_tensor(self.u)
        v = tf.linalg.normalize(tf.linalg.matvec(matrix, u))[0]
        if training:
            u = tf.linalg.normalize(tf.linalg.matvec(matrix, v, transpose_a=True))[0]
            self.u.assign(u)
        u, v = tf.stop_gradient(u), tf.stop_gradient(v)
        sigma = tf.tensordot(v, tf.linalg.matvec(matrix, u), 1)
        return self.multiply(x, self.layer.kernel / sigma) + self.layer.bias


def minibatch_stddev(x):
    spread = keras.ops.mean(keras.ops.sqrt(keras.ops.var(x, axis=0) + 1e-8))
    return keras.ops.concatenate([x, spread * keras.ops.ones_like(x[..., :1])], axis=-1)


def adversarial():
    through = "parametrize: spectral_normalization"
    order = [2, 0, 1]  # u comes first here, last there
    layer_line((5,), f"dense(3, {through})", Spectral(L.Dense(3), tf.matmul), order=order)
    layer_line((6, 5, 2), f"conv2d(3, [3, 2], strides: 2, {through})",
               Spectral(L.Conv2D(3, (3, 2)), lambda x, w: tf.nn.conv2d(x, w, 2, "VALID")),
               order=order)
    layer_line((5,), "minibatch_stddev()", L.Activation(minibatch_stddev))
    layer_line((7, 8, 4), "minibatch_stddev()", L.Activation(minibatch_stddev))
    sgd = lambda: optimizers.SGD(0.1, momentum=0.9)
    text = "sgd(0.1, momentum: 0.9)"
    mse, bce = losses.MeanSquaredError(), losses.BinaryCrossentropy()
    train_line(f"dense(4, {through})", [Spectral(L.Dense(4), tf.matmul)], "mse(y, t)", mse, text,
               sgd(), order)
    train_line("dense(4); minibatch_stddev(); dense(4)",
               [L.Dense(4), L.Lambda(minibatch_stddev, output_shape=(5,)), L.Dense(4)],
               "mse(y, t)", mse, text, sgd())
    train_line("dense(4, sigmoid)", [L.Dense(4, activation="sigmoid")],
               "discriminator_loss(y, 0.3 * y, smoothing: 0.1)",
               lambda t, y: (bce(0 * t + 0.9, y) + bce(0 * t, 0.3 * y)) / 2, text, sgd())


def train_line(body, layer_list, objective, loss, optimizer_text, optimizer, order=None):
    """3 numbers to 4 by the layers of `body`; the target is made of the input. The losses of
    each step, and the last one in inference mode."""
    model = keras.Sequential([keras.Input((3,))] + layer_list)
    weights_of(model, order or range(len(model.weights)))
    x = np.stack([2 * sines(3, 0.3 + s) for s in range(SAMPLES)])
    target = np.abs(np.concatenate([x, x[:, :1]], axis=1)) / 2
    seen = []
    for _ in range(STEPS):
        with tf.GradientTape() as tape:
            value = loss(target, model(x, training=True))
        seen.append(float(value))
        optimizer.apply(tape.gradient(value, model.trainable_weights), model.trainable_weights)
    seen.append(float(loss(target, model(x, training=False))))
    print("train |", body, "|", objective, "|", optimizer_text, "|", *map(repr, seen))


def normalizations():
    mse = losses.MeanSquaredError()
    for body, layer_list in [
        ("dense(4); batch_normalization(momentum: 0.9)",
         [L.Dense(4), L.BatchNormalization(momentum=0.9)]),
        ("dense(4); layer_normalization(); dense(4)",
         [L.Dense(4), L.LayerNormalization(), L.Dense(4)]),
        ("reshape(3, 1, 1); conv2d(4, [2, 1], padding: same, activation: tanh); "
         "batch_normalization(); max_pool2d([2, 1]); flatten()",
         [L.Reshape((3, 1, 1)), L.Conv2D(4, (2, 1), padding="same", activation="tanh"),
          L.BatchNormalization(), L.MaxPooling2D((2, 1)), L.Flatten()]),
    ]:
        train_line(body, layer_list, "mse(y, t)", mse, "sgd(0.1, momentum: 0.9)",
                   optimizers.SGD(0.1, momentum=0.9))


def objectives():
    sgd = lambda: optimizers.SGD(0.1)
    for activation, text, loss in [
        ("linear", "mse(y, t)", losses.MeanSquaredError()),
        ("linear", "mae(y, t)", losses.MeanAbsoluteError()),
        ("linear", "huber(y, t, delta: 0.5)", losses.Huber(0.5)),
        ("linear", "log_cosh(y, t)", losses.LogCosh()),
        ("linear", "cosine_similarity(y, t)", losses.CosineSimilarity()),
        ("linear", "mape(y, t) / 100",
         lambda t, y: losses.MeanAbsolutePercentageError()(t, y) / 100),
        ("softplus", "msle(y, t)", losses.MeanSquaredLogarithmicError()),
        ("softplus", "poisson(y, t)", losses.Poisson()),
        ("linear", "hinge(y, 2 * t - 1)", lambda t, y: losses.Hinge()(2 * t - 1, y)),
        ("sigmoid", "bce(y, t)", losses.BinaryCrossentropy()),
        ("sigmoid", "bce(0.5 * y, t)", lambda t, y: losses.BinaryCrossentropy()(t, 0.5 * y)),
        ("sigmoid", "kl_divergence(y, t)", losses.KLDivergence()),
        ("softmax", "categorical_crossentropy(y, t / sum(t, axis: -1, keep: true))",
         lambda t, y: losses.CategoricalCrossentropy()(t / t.sum(axis=1, keepdims=True), y)),
        ("sigmoid", "categorical_crossentropy(0.5 * y, t)",
         lambda t, y: losses.CategoricalCrossentropy()(t, 0.5 * y)),
        ("softmax", "sparse_categorical_crossentropy(y, 2)",
         lambda t, y: losses.SparseCategoricalCrossentropy()(np.full(SAMPLES, 2), y)),
    ]:
        train_line(f"dense(4, {activation})", [L.Dense(4, activation=activation)], text, loss,
                   "sgd(learning_rate: 0.1)", sgd())


def all_optimizers():
    o, s = optimizers, optimizers.schedules
    mse = losses.MeanSquaredError()
    for text, optimizer in [
        ("sgd(0.1, momentum: 0.9)", o.SGD(0.1, momentum=0.9)),
        ("sgd(0.1, momentum: 0.9, nesterov: true)", o.SGD(0.1, momentum=0.9, nesterov=True)),
        ("sgd(0.1, weight_decay: 0.1, clip_norm: 0.3)", o.SGD(0.1, weight_decay=0.1, clipnorm=0.3)),
        ("sgd(0.1, global_clip_norm: 0.5)", o.SGD(0.1, global_clipnorm=0.5)),
        ("sgd(0.1, clip_value: 0.2)", o.SGD(0.1, clipvalue=0.2)),
        ("rmsprop(0.01)", o.RMSprop(0.01)),
        ("rmsprop(0.01, centered: true, momentum: 0.5)",
         o.RMSprop(0.01, centered=True, momentum=0.5)),
        ("adam(0.01)", o.Adam(0.01)),
        ("adam(0.01, amsgrad: true)", o.Adam(0.01, amsgrad=True)),
        ("adamw(learning_rate: 0.01)", o.AdamW(0.01)),
        ("nadam(0.01)", o.Nadam(0.01)),
        ("adagrad(0.1)", o.Adagrad(0.1)),
        ("sgd(exponential_decay(initial_learning_rate: 0.1, decay_steps: 2, decay_rate: 0.5))",
         o.SGD(s.ExponentialDecay(0.1, 2, 0.5))),
        ("sgd(exponential_decay(initial_learning_rate: 0.1, decay_steps: 2, decay_rate: 0.5, "
         "staircase: true))", o.SGD(s.ExponentialDecay(0.1, 2, 0.5, staircase=True))),
        ("sgd(inverse_time_decay(initial_learning_rate: 0.1, decay_steps: 2, decay_rate: 0.5))",
         o.SGD(s.InverseTimeDecay(0.1, 2, 0.5))),
        ("sgd(polynomial_decay(initial_learning_rate: 0.1, decay_steps: 4, power: 2))",
         o.SGD(s.PolynomialDecay(0.1, 4, power=2.0))),
        ("sgd(piecewise_constant(boundaries: [1, 3], values: [0.1, 0.05, 0.2]))",
         o.SGD(s.PiecewiseConstantDecay([1, 3], [0.1, 0.05, 0.2]))),
        ("sgd(cosine_decay(initial_learning_rate: 0.1, decay_steps: 4, alpha: 0.1))",
         o.SGD(s.CosineDecay(0.1, 4, alpha=0.1))),
        ("sgd(cosine_decay(initial_learning_rate: 0.01, decay_steps: 3, warmup_target: 0.1, "
         "warmup_steps: 3))", o.SGD(s.CosineDecay(0.01, 3, warmup_target=0.1, warmup_steps=3))),
    ]:
        train_line("dense(4)", [L.Dense(4)], "mse(y, t)", mse, text, optimizer)


if __name__ == "__main__":
    with open(os.path.join(HERE, "golden.txt"), "w") as out:
        keep, print_ = out, print

        def print(*words):
            print_(*words, file=keep)

        convolutions()
        recurrence()
        other_layers()
        objectives()
        all_optimizers()
        normalizations()
        adversarial()
