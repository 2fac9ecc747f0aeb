"""Layers as JAX has them."""
import os

import common

os.environ["JAX_PLATFORMS"] = "cpu"
if common.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
from jax import lax, nn

IMAGE = ("NHWC", "HWIO", "NHWC")
map_tree = jax.tree_util.tree_map
ACTIVATIONS = {"": lambda x: x, "relu": nn.relu, "sigmoid": nn.sigmoid, "tanh": jnp.tanh,
               "leaky_relu": lambda x: nn.leaky_relu(x, 0.2)}


def kernel_shape(layer):
    if layer.kind == "dense":
        return layer.before[-1], layer.sizes[0]
    return layer.sizes[1], layer.sizes[1], layer.before[2], layer.sizes[0]


def layer_parameters(layer, key):
    glorot = nn.initializers.glorot_uniform()
    if layer.kind == "batch_normalization":
        return jnp.ones(layer.after[-1]), jnp.zeros(layer.after[-1])
    if layer.kind == "lstm":
        units = layer.sizes[0]
        return (glorot(key, (layer.before[-1], 4 * units)),
                nn.initializers.orthogonal()(key, (units, 4 * units)), jnp.zeros(4 * units))
    return glorot(key, kernel_shape(layer)), jnp.zeros(layer.sizes[0])


def parameters(layers, key):
    trained = [layer for layer in layers if layer.trained or layer.kind == "batch_normalization"]
    keys = jax.random.split(key, len(trained))
    return [layer_parameters(layer, key) for key, layer in zip(keys, trained)]


def lstm(layer, x, kernel, recurrent_kernel, bias):
    """The products with the inputs are made for all steps at once."""
    units = layer.sizes[0]
    inputs = jnp.swapaxes(x @ kernel + bias, 0, 1)

    def cell(carried, s):
        h, c = carried
        i, f, g, o = jnp.split(s + h @ recurrent_kernel, 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h if layer.sequences else None

    zero = jnp.zeros((len(x), units))
    (last, _), all_steps = lax.scan(cell, (zero, zero), inputs)
    return jnp.swapaxes(all_steps, 0, 1) if layer.sequences else last


def weighted(layer, x, kernel, bias):
    padding, strides = "SAME" if layer.same else "VALID", (layer.stride, layer.stride)
    if layer.kind == "dense":
        x = x @ kernel
    elif layer.kind == "conv2d":
        x = lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=IMAGE)
    else:
        x = lax.conv_transpose(x, kernel, strides, padding, dimension_numbers=IMAGE)
    return ACTIVATIONS[layer.activation](x + bias)


def other(layer, x, key):
    if layer.kind == "dropout":
        keep = 1 - layer.rate
        if key is None:
            return x
        return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0)
    if layer.kind == "max_pool2d":
        window = (1, layer.sizes[0], layer.sizes[0], 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
    if layer.kind == "global_average_pool2d":
        return x.mean((1, 2))
    if layer.kind == "repeat_vector":
        return jnp.broadcast_to(x[:, None], (len(x), *layer.after))
    return x.reshape(len(x), *layer.after)


def normalized(x, gamma, beta, moving):
    """With the statistics of the batch, which join the moving ones, or (no key) with those."""
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    kept = tuple(0.99 * old + 0.01 * new for old, new in zip(moving, (mean, variance)))
    return gamma * (x - mean) * lax.rsqrt(variance + 1e-3) + beta, kept


def apply(layers, p, x, key, moving=()):
    """What the layers make of x, and moving statistics. Without a key as in inference."""
    rest, statistics, kept = iter(p), iter(moving), []
    for i, layer in enumerate(layers):
        if layer.kind == "lstm":
            x = lstm(layer, x, *next(rest))
        elif layer.kind == "batch_normalization":
            gamma, beta = next(rest)
            mean, variance = own = next(statistics)
            if key is None:
                x = gamma * (x - mean) * lax.rsqrt(variance + 1e-3) + beta
            else:
                x, own = normalized(x, gamma, beta, own)
            kept.append(own)
        elif layer.trained:
            x = weighted(layer, x, *next(rest))
        else:
            x = other(layer, x, None if key is None else jax.random.fold_in(key, i))
    return x, tuple(kept)


def trainer(step, state, data):
    """run(steps) of step(state, batch, data, key) -> state, loss, which gives its state away."""
    key = jax.random.key(2)
    one = jax.jit(step, donate_argnums=0)
    many = jax.jit(lambda state, chosen, data, key: lax.scan(
        lambda s, c: step(s, c, data, key), state, chosen), donate_argnums=0)

    def run(steps):
        nonlocal state
        chosen = jnp.asarray(common.order(steps, len(data)))
        if common.variant == "scan":
            state, loss = many(state, chosen, data, key)
        else:
            for c in chosen:
                state, loss = one(state, c, data, key)
        jax.block_until_ready(loss)

    return run
