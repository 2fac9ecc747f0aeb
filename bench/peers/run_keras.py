"""Keras 3 on TensorFlow. Variants: fit (as users call it), fused (50 steps in
one execution), xla (the same with jit_compile)."""
import common

import keras
import tensorflow as tf
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(common.threads)
tf.config.threading.set_inter_op_parallelism_threads(common.threads)


def dense_model(first):
    return [layers.Flatten(), *first, layers.Dense(100, activation="relu"),
            layers.Dense(30, activation="relu"), layers.Dense(100, activation="relu"),
            layers.Dense(784), layers.Reshape((28, 28))]


def conv2d(filters):
    return layers.Conv2D(filters, 3, padding="same", activation="relu")


def transposed(filters, **options):
    return layers.Conv2DTranspose(filters, 3, strides=2, **options)


def conv_model():
    return [layers.Reshape((28, 28, 1)), conv2d(16), layers.MaxPool2D(), conv2d(32),
            layers.MaxPool2D(), conv2d(64), layers.MaxPool2D(), conv2d(30),
            layers.GlobalAvgPool2D(), layers.Dense(144), layers.Reshape((3, 3, 16)),
            transposed(32, activation="relu"),
            transposed(16, padding="same", activation="relu"),
            transposed(1, padding="same"), layers.Reshape((28, 28))]


body = {"stacked": lambda: dense_model([]), "conv": conv_model,
        "denoising": lambda: dense_model([layers.Dropout(0.5)])}[common.model]()
model = keras.Sequential([keras.Input((28, 28)), *body])
fused = 1 if common.variant == "fit" else 50
model.compile(loss="mse", optimizer="nadam", steps_per_execution=fused,
              jit_compile=common.variant == "xla")
data = common.images()


def run(steps):
    chosen = data[common.order(steps).ravel()]
    model.fit(chosen, chosen, batch_size=common.batch, epochs=1, verbose=0)


common.report(run, 100)
