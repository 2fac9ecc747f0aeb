"""PyTorch. Variants: eager, last (eager, channels last), compile (the model
with its loss, and the optimizer, by torch.compile)."""
import common

import torch
from torch import nn

torch.set_num_threads(common.threads)


class Reshape(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(-1, *self.shape)


def dense_model(*first):
    return nn.Sequential(nn.Flatten(), *first, nn.Linear(784, 100), nn.ReLU(),
                         nn.Linear(100, 30), nn.ReLU(), nn.Linear(30, 100), nn.ReLU(),
                         nn.Linear(100, 784), Reshape(28, 28))


def conv2d(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]


def conv_model():
    pool = nn.MaxPool2d(2)
    return nn.Sequential(
        Reshape(1, 28, 28), *conv2d(1, 16), pool, *conv2d(16, 32), pool, *conv2d(32, 64), pool,
        *conv2d(64, 30), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(30, 144),
        Reshape(16, 3, 3), nn.ConvTranspose2d(16, 32, 3, 2), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 3, 2, padding=1, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, 2, padding=1, output_padding=1), Reshape(28, 28))


model = {"stacked": dense_model, "conv": conv_model,
         "denoising": lambda: dense_model(nn.Dropout(0.5))}[common.model]()
if common.variant == "last":
    model = model.to(memory_format=torch.channels_last)
optimizer = torch.optim.NAdam(model.parameters(), lr=1e-3, foreach=True)
data = torch.from_numpy(common.images())


def objective(image):
    return nn.functional.mse_loss(model(image), image)


update = optimizer.step
if common.variant == "compile":
    objective = torch.compile(objective)
    update = torch.compile(optimizer.step)


def run(steps):
    for chosen in torch.from_numpy(common.order(steps)):
        optimizer.zero_grad(set_to_none=True)
        objective(data[chosen]).backward()
        update()


common.report(run)
