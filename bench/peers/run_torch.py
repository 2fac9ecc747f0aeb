"""PyTorch. Variants: eager, last (eager, channels last), compile (the model with its loss, and
the optimizer, by torch.compile)."""
import common

import numpy as np
import torch
from torch import nn
from torch.nn import functional

torch.set_num_threads(common.threads)
torch.set_flush_denormal(True)


class Reshape(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(-1, *self.shape)


class Lstm(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.lstm = nn.LSTM(layer.before[-1], layer.sizes[0], batch_first=True)
        self.sequences = layer.sequences

    def forward(self, x):
        steps, (last, _) = self.lstm(x)
        return steps if self.sequences else last[0]

    def set_weights(self, kernel, recurrent_kernel, bias):
        given = (kernel.T, recurrent_kernel.T, bias, np.zeros_like(bias))
        with torch.no_grad():
            for own, value in zip(self.lstm.parameters(), given):
                own.copy_(torch.from_numpy(value.copy()))


class Repeat(nn.Module):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        return x[:, None].expand(-1, self.steps, -1)


def channels_first(shape):
    return (shape[2], *shape[:2]) if len(shape) == 3 else shape


def convolution(layer):
    kernel, stride = layer.sizes[1], layer.stride
    pad = kernel // 2 if layer.same else 0
    return nn.Conv2d(layer.before[2], layer.sizes[0], kernel, stride, pad)


def transposed(layer):
    kernel, stride = layer.sizes[1], layer.stride
    extra = kernel - stride if layer.same else 0
    pad = -(-extra // 2)
    return nn.ConvTranspose2d(layer.before[2], layer.sizes[0], kernel, stride, pad,
                              2 * pad - extra)


def torch_layer(layer):
    made = {
        "flatten": lambda: nn.Flatten(),
        "reshape": lambda: Reshape(*channels_first(layer.sizes)),
        "dense": lambda: nn.Linear(layer.before[-1], layer.sizes[0]),
        "dropout": lambda: nn.Dropout(layer.rate),
        "conv2d": lambda: convolution(layer),
        "conv2d_transpose": lambda: transposed(layer),
        "lstm": lambda: Lstm(layer),
        "repeat_vector": lambda: Repeat(layer.sizes[0]),
        "max_pool2d": lambda: nn.MaxPool2d(layer.sizes[0]),
        "global_average_pool2d": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    }[layer.kind]()
    return [made, nn.ReLU()] if layer.relu else [made]


model = nn.Sequential(*(m for layer in common.network.layers for m in torch_layer(layer)))
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
            made = Lstm(layer)
            made.set_weights(*next(parameters))
            x = made(x)
        elif layer.trained:
            x = apply_padded(layer, x, *kernel_of(layer, *next(parameters)))
            x = functional.relu(x) if layer.relu else x
        elif layer.kind != "dropout":
            x = nn.Sequential(*torch_layer(layer))(x)
    return float(functional.mse_loss(x, image))


if common.weights_path:
    common.answer(loss=first_loss())
else:
    common.serve(run)
