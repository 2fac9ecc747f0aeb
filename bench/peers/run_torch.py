"""PyTorch. Variants: eager, last (eager, channels last), compile (the model with its loss, and
the optimizer, by torch.compile)."""
import common
import torch_layers

import numpy as np
import torch
from torch import nn
from torch.nn import functional


model = torch_layers.stack(common.network.layers)
data = common.images()
if data.ndim == 4:
    data = np.ascontiguousarray(data.transpose(0, 3, 1, 2))
data = torch.from_numpy(data)
if common.variant == "last":
    model = model.to(memory_format=torch.channels_last)
    if data.ndim == 4:
        data = data.to(memory_format=torch.channels_last)
optimizer = torch.optim.NAdam(model.parameters(), lr=1e-3, foreach=True)


def objective(image):
    return functional.mse_loss(model(image), image)


update = optimizer.step
if common.variant == "compile":
    objective = torch.compile(objective)
    update = torch.compile(optimizer.step)


def run(steps):
    for chosen in torch.from_numpy(common.order(steps, len(data))):
        optimizer.zero_grad(set_to_none=True)
        objective(data[chosen]).backward()
        update()


# ---- The check: with TensorFlow's padding, which lies on the other side ------------------------

def kernel_of(layer, kernel, bias):
    """A trainer's kernel and bias in PyTorch's order; a dense layer before an image gives
    its channels first."""
    after = common.network.layers[common.network.layers.index(layer) + 1:]
    if layer.kind == "dense":
        shape = after[0].sizes if after and after[0].kind == "reshape" else ()
        if len(shape) == 3:
            columns = np.arange(kernel.shape[1]).reshape(shape).transpose(2, 0, 1).ravel()
            kernel, bias = kernel[:, columns], bias[columns]
        kernel = kernel.T
    else:
        kernel = kernel.transpose(3, 2, 0, 1)
    return torch.from_numpy(kernel.copy()), torch.from_numpy(bias.copy())


def apply_padded(layer, x, kernel, bias):
    if layer.kind == "dense":
        return functional.linear(x, kernel, bias)
    kind, size, stride = common.models.padding, layer.sizes[1], layer.stride
    small, large = layer.before[:2], layer.after[:2]
    if layer.kind == "conv2d":
        pads = [kind(n, m, size, stride, layer.same) for n, m in zip(small, large)]
        x = functional.pad(x, (*pads[1], *pads[0]))
        return functional.conv2d(x, kernel, bias, stride)
    x = functional.conv_transpose2d(x, kernel, bias, stride)
    (top, _), (left, _) = (kind(m, n, size, stride, layer.same) for n, m in zip(small, large))
    return x[:, :, top:top + large[0], left:left + large[1]]


def first_loss():
    parameters = iter(common.weights())
    image = x = data[:common.batch]
    for layer in common.network.layers:
        if layer.kind == "lstm":
            made = torch_layers.Lstm(layer)
            made.set_weights(*next(parameters))
            x = made(x)
        elif layer.trained:
            x = apply_padded(layer, x, *kernel_of(layer, *next(parameters)))
            x = functional.relu(x) if layer.relu else x
        elif layer.kind != "dropout":
            x = torch_layers.stack([layer])(x)
    return float(functional.mse_loss(x, image))


if common.weights_path:
    common.answer(loss=first_loss())
else:
    common.serve(run)
