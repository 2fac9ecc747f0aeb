"""Keras 3 on TensorFlow, in the variants of keras_model.py."""
import time

import common
import keras_model
import keras


class Clock(keras.callbacks.Callback):
    """When each execution ended: what fit does before the first one is no training."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())


FUSED, model = keras_model.FUSED, keras_model.compiled()
data = common.images()
clock = Clock()


def run(steps):
    chosen = data[common.order(steps, len(data)).ravel()]
    model.fit(chosen, chosen, batch_size=common.batch, epochs=1, verbose=0, callbacks=[clock])
    executions = len(clock.ends) - 1
    if executions > 1:
        return executions * FUSED, clock.ends[-1] - clock.ends[0]


def first_loss():
    model.set_weights([tensor for pair in common.weights() for tensor in pair])
    batch = data[:common.batch]
    return float(keras.ops.mean((model(batch, training=False) - batch) ** 2))


if common.weights_path:
    common.answer(loss=first_loss())
else:
    common.serve(run, FUSED)
