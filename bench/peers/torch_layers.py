"""Layers as PyTorch has them."""
import common

import numpy as np
import torch
from torch import nn

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


def normalization(layer):
    kind = nn.BatchNorm2d if len(layer.after) == 3 else nn.BatchNorm1d
    return kind(layer.after[-1], eps=1e-3, momentum=0.01)


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
        "batch_normalization": lambda: normalization(layer),
    }[layer.kind]()
    active = {"": [], "relu": [nn.ReLU()], "sigmoid": [nn.Sigmoid()], "tanh": [nn.Tanh()],
              "leaky_relu": [nn.LeakyReLU(0.2)]}
    return [made, *active[layer.activation]]


def stack(layers):
    return nn.Sequential(*(made for layer in layers for made in torch_layer(layer)))
