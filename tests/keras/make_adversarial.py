#!/usr/bin/env python3
"""Makes the golden gradients of tests/keras/adversarial.sh with Keras 3 and PyTorch.

usage: make_adversarial.py BUILD [DATA]

BUILD is aecc's build folder (its make_weights writes the initial weights), DATA
that of Fashion MNIST, of which the first batch of 32 is used. Of gan and dcgan:
the gradients of one step of the discriminator, those of the step of the generator
after it, and what discriminator and moving statistics are then; by Keras, with
layers, binary crossentropy of probabilities, training=False for the generator in
the first phase and training=True in the second. Of the gradient penalties:
PyTorch's gradient of a gradient. All in float64: in float32 Keras rounds enough to flip
a leaky ReLU of dcgan, which moves gradients by up to 0.5 %.
"""
import os
import sys

import numpy as np

from make_reference import HERE, batches, initial_weights, keras, layers, tf, write_safetensors

RATE = 0.1  # of the discriminator, before the generator's step


def put(networks, weights):
    """Weights by name, in the order of the networks' layers."""
    values = dict(weights)
    for prefix, model in networks.items():
        counts = {}
        for layer in model.layers:
            kind = {"Dense": "dense", "Conv2D": "conv2d", "Conv2DTranspose": "conv2d_transpose",
                    "BatchNormalization": "batch_normalization"}.get(type(layer).__name__)
            if not kind:
                continue
            counts[kind] = counts.get(kind, 0) + 1
            for v in layer.variables:
                v.golden = f"{prefix}.{kind}_{counts[kind]}.{v.name}"
                v.assign(values[v.golden])


def gan():
    generator = keras.Sequential([
        keras.Input((30,)), layers.Dense(20, activation="relu"),
        layers.Dense(16, activation="relu"), layers.Dense(784, activation="sigmoid"),
        layers.Reshape((28, 28)),
    ])
    discriminator = keras.Sequential([
        keras.Input((28, 28)), layers.Flatten(), layers.Dense(16, activation="relu"),
        layers.Dense(12, activation="relu"), layers.Dense(1, activation="sigmoid"),
    ])
    return generator, discriminator, lambda image: image


def dcgan():
    def slope():
        return layers.LeakyReLU(negative_slope=0.2)

    generator = keras.Sequential([
        keras.Input((30,)), layers.Dense(7 * 7 * 8), layers.Reshape((7, 7, 8)),
        layers.BatchNormalization(),
        layers.Conv2DTranspose(6, 5, strides=2, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2DTranspose(1, 5, strides=2, padding="same", activation="tanh"),
    ])
    discriminator = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Conv2D(6, 5, strides=2, padding="same"), slope(),
        layers.Conv2D(8, 5, strides=2, padding="same"), slope(), layers.Flatten(),
        layers.Dense(1, activation="sigmoid"),
    ])
    return generator, discriminator, lambda image: (image * 2 - 1)[..., None]


def adversarial(name, make, weights, images):
    generator, discriminator, real_of = make()
    put({"generator": generator, "discriminator": discriminator}, weights)
    bce = keras.losses.BinaryCrossentropy(dtype="float64")
    image = images[0].astype(np.float64)
    flat = image.reshape(len(image), 784)
    codings = [flat[:, at:at + 30] * 2 - 1 for at in (300, 400)]
    real, ones, zeros = real_of(image), np.ones((32, 1)), np.zeros((32, 1))
    # Phase 1: fake and real samples in one batch, as the seed's train_on_batch has them.
    fake = generator(codings[0], training=False)
    both, labels = tf.concat([fake, real], 0), np.concatenate([zeros, ones])
    with tf.GradientTape() as tape:
        loss = bce(labels, discriminator(both, training=True))
    of = discriminator.trainable_variables
    gradients = tape.gradient(loss, of)
    save(f"{name}_discriminator", {v.golden: g.numpy() for v, g in zip(of, gradients)})
    for v, g in zip(of, gradients):
        v.assign_sub(RATE * g)
    # Phase 2: the discriminator is frozen, the generator normalizes by its batch.
    with tf.GradientTape() as tape:
        loss2 = bce(ones, discriminator(generator(codings[1], training=True), training=True))
    gradients = tape.gradient(loss2, generator.trainable_variables)
    save(f"{name}_generator",
         {v.golden: g.numpy() for v, g in zip(generator.trainable_variables, gradients)})
    left = [*discriminator.variables, *generator.non_trainable_variables]
    save(f"{name}_values", {v.golden: v.numpy() for v in left})
    print(name, float(loss), float(loss2))


def save(name, tensors):
    tensors = {k: v.astype(np.float32) for k, v in tensors.items()}
    write_safetensors(os.path.join(HERE, "golden", f"{name}.safetensors"), tensors)


# ---- Gradient penalties, by PyTorch ------------------------------------------------


def penalty(name, weights, image):
    import torch
    import torch.nn.functional as F

    w = {k: torch.tensor(v.astype(np.float64), requires_grad=True) for k, v in weights.items()}

    def layer(kind, i):
        return w[f"critic.{kind}_{i}.kernel"], w[f"critic.{kind}_{i}.bias"]

    def conv(x, i):
        kernel, bias = layer("conv2d", i)
        padded = F.pad(x, (1, 2, 1, 2))  # "same" of TensorFlow, stride 2
        return F.conv2d(padded, kernel.permute(3, 2, 0, 1), bias, stride=2)

    def dense(x, i):
        kernel, bias = layer("dense", i)
        return x @ kernel + bias

    def critic_dense(x):
        h = F.avg_pool2d(x[:, None], 4).flatten(1)
        h = torch.tanh(dense(h, 1))
        return dense(F.leaky_relu(dense(h, 2), 0.2), 3)

    def critic_conv(x):
        h = torch.tanh(conv(x[:, None], 1))
        h = F.leaky_relu(conv(h, 2), 0.2)
        return dense(h.permute(0, 2, 3, 1).flatten(1), 1)

    critic = critic_dense if name == "penalty_dense" else critic_conv
    real = torch.tensor(image.astype(np.float64))
    fake = real.transpose(1, 2)
    t = real.flatten(1)[:, 406].reshape(-1, 1, 1)
    between = (t * real + (1 - t) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm = slope.flatten(1).square().sum(1).sqrt()
    loss = critic(fake).mean() - 2 * critic(real).mean() + 10 * (norm - 1).square().mean()
    loss.backward()
    save(name, {k: v.grad.numpy() for k, v in w.items()})
    print(name, loss.item())


def main(build, folder="/usr/share/datasets/fashion-mnist"):
    images = batches(folder)
    keras.config.set_dtype_policy("float64")
    for make in (gan, dcgan):
        adversarial(make.__name__, make, initial_weights(build, make.__name__), images)
    for name in ("penalty_dense", "penalty_conv"):
        penalty(name, initial_weights(build, name), images[0])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
