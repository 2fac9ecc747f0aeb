"""Keras 3 on TensorFlow. Variants: fit (as users call it), fused (50 steps in one execution),
xla (the same with jit_compile)."""
import time

import common

import keras
import tensorflow as tf
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(common.threads)
tf.config.threading.set_inter_op_parallelism_threads(common.threads)


def keras_layer(layer):
    options = {"activation": "relu" if layer.relu else None}
    if layer.kind.startswith("conv2d"):
        options.update(strides=layer.stride, padding="same" if layer.same else "valid")
    make = {"flatten": layers.Flatten, "dense": layers.Dense, "dropout": layers.Dropout,
            "conv2d": layers.Conv2D, "conv2d_transpose": layers.Conv2DTranspose,
            "max_pool2d": layers.MaxPool2D, "global_average_pool2d": layers.GlobalAvgPool2D,
            "reshape": layers.Reshape}[layer.kind]
    if layer.kind == "dropout":
        return make(layer.rate)
    if layer.kind == "reshape":
        return make(layer.sizes)
    return make(*layer.sizes, **(options if layer.trained else {}))


class Clock(keras.callbacks.Callback):
    """When each execution ended: what fit does before the first one is no training."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())


FUSED = 1 if common.variant == "fit" else 50
model = keras.Sequential([keras.Input(common.network.shape),
                          *map(keras_layer, common.network.layers)])
model.compile(loss="mse", optimizer="nadam", steps_per_execution=FUSED,
              jit_compile=common.variant == "xla")
data = common.images()
clock = Clock()


def run(steps):
    chosen = data[common.order(steps, len(data)).ravel()]
    model.fit(chosen, chosen, batch_size=common.batch, epochs=1, verbose=0, callbacks=[clock])
    executions = len(clock.ends) - 1
    if executions > 1:
        return executions * FUSED, clock.ends[-1] - clock.ends[0]


def first_loss():
    model.set_weights([tensor for pair in common.weights() for tensor in pair])
    batch = data[:common.batch]
    return float(keras.ops.mean((model(batch, training=False) - batch) ** 2))


if common.weights_path:
    common.answer(loss=first_loss())
else:
    common.serve(run, FUSED)
