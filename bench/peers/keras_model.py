"""A model of layers as Keras 3 on TensorFlow has it. Variants: fit (as users call it), fused
(50 steps in one execution), xla (the same with jit_compile)."""
import common

import keras
import tensorflow as tf
from keras import layers

tf.config.threading.set_intra_op_parallelism_threads(common.threads)
tf.config.threading.set_inter_op_parallelism_threads(common.threads)


def active(name):
    return layers.LeakyReLU(negative_slope=0.2) if name == "leaky_relu" else name or None


def keras_layer(layer):
    options = {"activation": active(layer.activation)}
    if layer.kind.startswith("conv2d"):
        options.update(strides=layer.stride, padding="same" if layer.same else "valid")
    make = {"flatten": layers.Flatten, "dense": layers.Dense, "dropout": layers.Dropout,
            "conv2d": layers.Conv2D, "conv2d_transpose": layers.Conv2DTranspose,
            "max_pool2d": layers.MaxPool2D, "global_average_pool2d": layers.GlobalAvgPool2D,
            "reshape": layers.Reshape, "lstm": layers.LSTM,
            "repeat_vector": layers.RepeatVector,
            "batch_normalization": layers.BatchNormalization}[layer.kind]
    if layer.kind == "lstm":
        return make(*layer.sizes, return_sequences=layer.sequences)
    if layer.kind == "dropout":
        return make(layer.rate)
    if layer.kind == "reshape":
        return make(layer.sizes)
    return make(*layer.sizes, **(options if layer.trained else {}))


FUSED = 1 if common.variant == "fit" else 50


def stack(shape, of_layers):
    return keras.Sequential([keras.Input(shape), *map(keras_layer, of_layers)])


def compiled():
    model = stack(common.network.shape, common.network.layers)
    model.compile(loss="mse", optimizer="nadam", steps_per_execution=FUSED,
                  jit_compile=common.variant == "xla")
    return model
