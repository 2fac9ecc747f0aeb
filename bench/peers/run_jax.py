"""JAX: all steps of a window in one lax.scan under jit, weights donated (variant scan), or a
jitted step called for each batch (variant step)."""
import common
import jax_layers

import jax
import jax.numpy as jnp

map_tree = jax.tree_util.tree_map
layers = common.network.layers


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
    image, step_key = data[chosen], jax.random.fold_in(key, state[3])

    def objective(p):
        return jnp.mean((jax_layers.apply(layers, p, image, step_key)[0] - image) ** 2)

    loss, gradient = jax.value_and_grad(objective)(state[0])
    return nadam(state, gradient), loss


data = jnp.asarray(common.images())
p = jax_layers.parameters(layers, jax.random.key(1))
state = (p, map_tree(jnp.zeros_like, p), map_tree(jnp.zeros_like, p), jnp.int32(0), jnp.float32(1))


def first_loss():
    """A transposed convolution here is one with the kernel turned, and its channels."""
    trained = [layer for layer in layers if layer.trained]
    given = [(kernel[::-1, ::-1].swapaxes(2, 3) if layer.kind == "conv2d_transpose" else kernel,
              *rest) for layer, (kernel, *rest) in zip(trained, common.weights())]
    image = data[:common.batch]
    return float(jnp.mean((jax_layers.apply(layers, given, image, None)[0] - image) ** 2))


if common.weights_path:
    common.answer(loss=first_loss())
else:
    common.serve(jax_layers.trainer(step, state, data))
