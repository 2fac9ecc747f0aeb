"""Keras 3 on TensorFlow: a GAN, its two steps in one tf.function. Variants: fit (called for each
batch), fused (50 batches in one call), xla (the same with jit_compile)."""
import common
import keras_model
import keras
import tensorflow as tf

FUSED = keras_model.FUSED
generator = keras_model.stack(common.network.coding, common.network.layers)
logits = keras_model.stack(common.network.shape, [
    *common.network.adversary[:-1], common.without_activation(common.network.adversary[-1])])
of_generator, of_discriminator = (keras.optimizers.RMSprop() for _ in range(2))
of_generator.build(generator.trainable_variables)
of_discriminator.build(logits.trainable_variables)
data = tf.constant(common.images())


def coding():
    return tf.random.normal((common.batch, *common.network.coding))


def bce(x, target):
    z = logits(x, training=True)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(z), target), z))


def learn(network, optimizer, objective):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for variable in network.trainable_variables:
            tape.watch(variable.value)
        loss = objective()
    gradients = tape.gradient(loss, [v.value for v in network.trainable_variables])
    optimizer.apply_gradients(zip(gradients, network.trainable_variables))


@tf.function(jit_compile=common.variant == "xla")
def steps_of(chosen):
    for i in tf.range(len(chosen)):
        image = tf.gather(data, chosen[i])
        fake = generator(coding(), training=False)
        learn(logits, of_discriminator, lambda: (bce(fake, 0.0) + bce(image, 1.0)) / 2)
        learn(generator, of_generator, lambda: bce(generator(coding(), training=True), 1.0))


def run(steps):
    order = common.order(steps, len(data))
    for i in range(0, steps, FUSED):
        steps_of(tf.constant(order[i:i + FUSED]))


common.serve(run, FUSED)
