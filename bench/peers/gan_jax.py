"""JAX: a GAN, all steps of a window in one lax.scan under jit, weights donated (variant scan), or
a jitted step called for each batch (variant step)."""
import common
import jax_layers

import jax
import jax.numpy as jnp
from jax import nn

map_tree = jax.tree_util.tree_map
GENERATOR, DISCRIMINATOR = common.network.layers, common.network.adversary
LOGITS = [*DISCRIMINATOR[:-1], common.without_activation(DISCRIMINATOR[-1])]


def bce(logits, target):
    return jnp.mean(nn.softplus(logits) - target * logits)


def rmsprop(p, v, gradient):
    """Keras'."""
    v = map_tree(lambda v, g: 0.9 * v + 0.1 * g * g, v, gradient)
    return map_tree(lambda p, v, g: p - 1e-3 * g / jnp.sqrt(v + 1e-7), p, v, gradient), v


def generated(p, key, moving, training):
    coding, dropped = jax.random.split(key)
    z = jax.random.normal(coding, (common.batch, *common.network.coding))
    return jax_layers.apply(GENERATOR, p, z, dropped if training else None, moving)


def step(state, chosen, data, key):
    g, vg, d, vd, moving, count = state
    image = data[chosen]
    keys = jax.random.split(jax.random.fold_in(key, count), 5)
    fake = generated(g, keys[0], moving, False)[0]

    def doubt(d):
        no, yes = (jax_layers.apply(LOGITS, d, x, k)[0] for x, k in
                   ((fake, keys[1]), (image, keys[2])))
        return (bce(no, 0) + bce(yes, 1)) / 2

    loss, gradient = jax.value_and_grad(doubt)(d)
    d, vd = rmsprop(d, vd, gradient)

    def deceit(g):
        x, kept = generated(g, keys[3], moving, True)
        return bce(jax_layers.apply(LOGITS, d, x, keys[4])[0], 1), kept

    (_, moving), gradient = jax.value_and_grad(deceit, has_aux=True)(g)
    g, vg = rmsprop(g, vg, gradient)
    return (g, vg, d, vd, moving, count + 1), loss


data = jnp.asarray(common.images())
g, d = (jax_layers.parameters(layers, jax.random.key(i))
        for i, layers in enumerate((GENERATOR, DISCRIMINATOR)))
moving = tuple((jnp.zeros(layer.after[-1]), jnp.ones(layer.after[-1]))
               for layer in GENERATOR if layer.kind == "batch_normalization")
zeros = lambda p: map_tree(jnp.zeros_like, p)
state = g, zeros(g), d, zeros(d), moving, jnp.int32(0)

common.serve(jax_layers.trainer(step, state, data))
