"""JAX: all steps of a window in one lax.scan under jit, weights donated (variant scan), or a
jitted step called for each batch (variant step)."""
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
trained = [layer for layer in common.network.layers if layer.trained]


def kernel_shape(layer):
    if layer.kind == "dense":
        return layer.before[-1], layer.sizes[0]
    return layer.sizes[1], layer.sizes[1], layer.before[2], layer.sizes[0]


def layer_parameters(layer, key):
    glorot = nn.initializers.glorot_uniform()
    if layer.kind == "lstm":
        units = layer.sizes[0]
        return (glorot(key, (layer.before[-1], 4 * units)),
                nn.initializers.orthogonal()(key, (units, 4 * units)), jnp.zeros(4 * units))
    return glorot(key, kernel_shape(layer)), jnp.zeros(layer.sizes[0])


def parameters():
    keys = jax.random.split(jax.random.key(1), len(trained))
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
    return nn.relu(x + bias) if layer.relu else x + bias


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


def network(p, x, key):
    rest = iter(p)
    for layer in common.network.layers:
        if layer.kind == "lstm":
            x = lstm(layer, x, *next(rest))
        else:
            x = weighted(layer, x, *next(rest)) if layer.trained else other(layer, x, key)
    return x


def nadam(state, gradient):
    """Keras 3's."""
    p, m, v, t, product = state
    t = t + 1
    u = 0.9 * (1 - 0.5 * 0.96 ** t)
    u_next = 0.9 * (1 - 0.5 * 0.96 ** (t + 1))
    product = product * u
    m = map_tree(lambda m, g: m + (g - m) * 0.1, m, gradient)
    v = map_tree(lambda v, g: v + (g * g - v) * 0.001, v, gradient)

    def update(p, m, v, g):
        mean = u_next * m / (1 - product * u_next) + (1 - u) * g / (1 - product)
        return p - 0.001 * mean / (jnp.sqrt(v / (1 - 0.999 ** t)) + 1e-7)

    return map_tree(update, p, m, v, gradient), m, v, t, product


def step(state, chosen, data, key):
    image = data[chosen]

    def objective(p):
        return jnp.mean((network(p, image, jax.random.fold_in(key, state[3])) - image) ** 2)

    loss, gradient = jax.value_and_grad(objective)(state[0])
    return nadam(state, gradient), loss


data = jnp.asarray(common.images())
key = jax.random.key(2)
one = jax.jit(step, donate_argnums=0)
many = jax.jit(lambda state, chosen, data, key: lax.scan(
    lambda s, c: step(s, c, data, key), state, chosen), donate_argnums=0)
p = parameters()
state = (p, map_tree(jnp.zeros_like, p), map_tree(jnp.zeros_like, p), jnp.int32(0), jnp.float32(1))


def run(steps):
    global state
    chosen = jnp.asarray(common.order(steps, len(data)))
    if common.variant == "scan":
        state, loss = many(state, chosen, data, key)
    else:
        for c in chosen:
            state, loss = one(state, c, data, key)
    jax.block_until_ready(loss)


def first_loss():
    """A transposed convolution here is one with the kernel turned, and its channels."""
    given = [(kernel[::-1, ::-1].swapaxes(2, 3) if layer.kind == "conv2d_transpose" else kernel,
              *rest) for layer, (kernel, *rest) in zip(trained, common.weights())]
    image = data[:common.batch]
    return float(jnp.mean((network(given, image, None) - image) ** 2))


if common.weights_path:
    common.answer(loss=first_loss())
else:
    common.serve(run)
