#!/usr/bin/env python3
"""Makes tests/keras/golden with Keras 3 from PyPI (pip install tensorflow-cpu).

usage: make_reference.py BUILD [DATA [MODEL]]

BUILD is aecc's build folder (its make_weights writes the initial weights), DATA
that of Fashion MNIST; all models, or one. For each model and optimizer: the loss of each of 100
steps of batch 32 in the order of the file; for the convolutional model and that of
all recurrent layers also the gradients of the first step.
"""
import gzip
import json
import os
import struct
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf
from keras import layers

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH, STEPS = 32, 100
OPTIMIZERS = {
    "nadam": lambda: keras.optimizers.Nadam(),
    "adam": lambda: keras.optimizers.Adam(),
    "rmsprop": lambda: keras.optimizers.RMSprop(),
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
}


def stacked():
    return keras.Sequential([
        keras.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(100, activation="relu"),
        layers.Dense(30, activation="relu"),
        layers.Dense(100, activation="relu"),
        layers.Dense(28 * 28),
        layers.Reshape((28, 28)),
    ])


def conv():
    def conv2d(filters):
        return layers.Conv2D(filters, 3, padding="same", activation="relu")

    def transposed(filters, **options):
        return layers.Conv2DTranspose(filters, 3, strides=2, **options)

    return keras.Sequential([
        keras.Input((28, 28)),
        layers.Reshape((28, 28, 1)),
        conv2d(16), layers.MaxPool2D(),
        conv2d(32), layers.MaxPool2D(),
        conv2d(64), layers.MaxPool2D(),
        conv2d(30),
        layers.GlobalAvgPool2D(),
        layers.Dense(3 * 3 * 16),
        layers.Reshape((3, 3, 16)),
        transposed(32, activation="relu"),
        transposed(16, padding="same", activation="relu"),
        transposed(1, padding="same"),
        layers.Reshape((28, 28)),
    ])


def recurrent():
    def lstm(units, **options):
        return layers.LSTM(units, **options)

    return keras.Sequential([
        keras.Input((28, 28)),
        lstm(100, return_sequences=True),
        lstm(30),
        layers.RepeatVector(28),
        lstm(100, return_sequences=True),
        layers.Dense(28),
    ])


def cells():
    return keras.Sequential([
        keras.Input((28, 28)),
        layers.Masking(0.0),
        layers.GRU(20, return_sequences=True),
        layers.Bidirectional(layers.LSTM(10, return_sequences=True)),
        layers.SimpleRNN(12),
        layers.RepeatVector(28),
        layers.GRU(16, return_sequences=True),
        layers.TimeDistributed(layers.Dense(28)),
    ])


def stateful():
    options = {"return_sequences": True, "stateful": True}
    return keras.Sequential([
        keras.Input(batch_shape=(BATCH, 28, 28)),
        layers.LSTM(20, **options),
        layers.GRU(16, **options),
        layers.SimpleRNN(12, **options),
        layers.Dense(28),
    ])


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    return {
        name: np.frombuffer(data[slice(*t["data_offsets"])], np.float32).reshape(t["shape"])
        for name, t in header.items()
    }


def write_safetensors(path, tensors):
    header, at = {}, 0
    for name, value in tensors.items():
        end = at + value.nbytes
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value, np.float32).tobytes())


def initial_weights(build, name):
    """In the order of the model's variables, which is that of NAME.shapes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights")
        subprocess.run([os.path.join(build, "tests", "keras.make_weights"),
                        os.path.join(HERE, name + ".shapes"), path], check=True)
        return read_safetensors(path)


def batches(folder):
    with gzip.open(os.path.join(folder, "train-images-idx3-ubyte.gz")) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    images = pixels.reshape(-1, 28, 28)[:BATCH * STEPS].astype(np.float32) / 255
    return images.reshape(STEPS, BATCH, 28, 28)


def train(model, optimizer, images):
    """The losses, and the gradients of the first step."""
    loss_of = keras.losses.MeanSquaredError()

    @tf.function
    def step(image):
        with tf.GradientTape() as tape:
            loss = loss_of(image, model(image, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        return loss, gradients

    optimizer.build(model.trainable_variables)
    results = [step(image) for image in images]
    return [float(loss) for loss, _ in results], [g.numpy() for g in results[0][1]]


def main(build, folder="/usr/share/datasets/fashion-mnist", only=""):
    images = batches(folder)
    golden = os.path.join(HERE, "golden")
    models = {stacked: OPTIMIZERS, conv: ["nadam"], recurrent: ["nadam"], cells: ["nadam"],
              stateful: ["nadam"]}
    for make, names in models.items():
        for name in names if only in ("", make.__name__) else []:
            weights = initial_weights(build, make.__name__)
            model = make()
            for variable, value in zip(model.trainable_variables, weights.values()):
                variable.assign(value)
            losses, gradients = train(model, OPTIMIZERS[name](), images)
            path = os.path.join(golden, f"{make.__name__}_{name}.json")
            with open(path, "w") as file:
                rows = ",\n".join(np.format_float_scientific(x, 8) for x in losses)
                file.write(f'{{"keras": "{keras.__version__}", "losses": [\n{rows}\n]}}\n')
            print(path, losses[0], losses[-1])
            if make in (conv, cells):
                path = os.path.join(golden, f"{make.__name__}_gradients.safetensors")
                write_safetensors(path, dict(zip(weights, gradients)))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
