"""JAX: all steps of a window in one lax.scan under jit, weights donated
(variant scan), or a jitted step called for each batch (variant step)."""
import os

import common

os.environ["JAX_PLATFORMS"] = "cpu"
if common.threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
from jax import lax, nn

IMAGE = ("NHWC", "HWIO", "NHWC")
glorot = nn.initializers.glorot_uniform()


def parameters(shapes):
    keys = jax.random.split(jax.random.key(1), len(shapes))
    return [(glorot(key, shape), jnp.zeros(shape[-1])) for key, shape in zip(keys, shapes)]


def dense(x, p):
    return x @ p[0] + p[1]


def stacked(p, image, key):
    x = image.reshape(len(image), 784)
    if common.model == "denoising":
        x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x * 2, 0)
    for i in range(3):
        x = nn.relu(dense(x, p[i]))
    return dense(x, p[3]).reshape(image.shape)


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def conv2d(x, p):
    return nn.relu(lax.conv_general_dilated(x, p[0], (1, 1), "SAME", dimension_numbers=IMAGE)
                   + p[1])


def transposed(x, p, padding):
    return lax.conv_transpose(x, p[0], (2, 2), padding, dimension_numbers=IMAGE) + p[1]


def conv(p, image, key):
    x = image[..., None]
    for i in range(3):
        x = pool(conv2d(x, p[i]))
    x = dense(conv2d(x, p[3]).mean((1, 2)), p[4]).reshape(-1, 3, 3, 16)
    x = nn.relu(transposed(x, p[5], "VALID"))
    x = nn.relu(transposed(x, p[6], "SAME"))
    return transposed(x, p[7], "SAME")[..., 0]


SHAPES = {
    "stacked": [(784, 100), (100, 30), (30, 100), (100, 784)],
    "conv": [(3, 3, 1, 16), (3, 3, 16, 32), (3, 3, 32, 64), (3, 3, 64, 30), (30, 144),
             (3, 3, 16, 32), (3, 3, 32, 16), (3, 3, 16, 1)],
}
SHAPES["denoising"] = SHAPES["stacked"]
network = conv if common.model == "conv" else stacked
map_tree = jax.tree_util.tree_map


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
p = parameters(SHAPES[common.model])
zeros = map_tree(jnp.zeros_like, p)
state = (p, zeros, map_tree(jnp.zeros_like, p), jnp.int32(0), jnp.float32(1))

one = jax.jit(step, donate_argnums=0)
many = jax.jit(lambda state, chosen, data, key: lax.scan(
    lambda s, c: step(s, c, data, key), state, chosen), donate_argnums=0)


def run(steps):
    global state
    chosen = jnp.asarray(common.order(steps))
    if common.variant == "scan":
        state, loss = many(state, chosen, data, key)
    else:
        for c in chosen:
            state, loss = one(state, c, data, key)
    jax.block_until_ready(loss)


common.report(run)
