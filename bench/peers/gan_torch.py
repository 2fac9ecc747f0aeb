"""PyTorch: a GAN. Variants: eager, last (eager, channels last), compile (both networks with their
losses, and the optimizers, by torch.compile)."""
import common
import torch_layers

import numpy as np
import torch
from torch.nn import functional

generator = torch_layers.stack(common.network.layers)
logits = torch_layers.stack([*common.network.adversary[:-1],
                             common.without_activation(common.network.adversary[-1])])
data = torch.from_numpy(common.images())
if common.variant == "last":
    generator, logits = (m.to(memory_format=torch.channels_last) for m in (generator, logits))


def optimizer_of(network):
    return torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7, foreach=True)


of_generator, of_discriminator = optimizer_of(generator), optimizer_of(logits)


def coding():
    return torch.randn(common.batch, *common.network.coding)


def bce(x, target):
    return functional.binary_cross_entropy_with_logits(logits(x), torch.full((len(x), 1), target))


def doubt(fake, image):
    return (bce(fake, 0.0) + bce(image, 1.0)) / 2


def deceit(z):
    return bce(generator(z), 1.0)


update_generator, update_discriminator = of_generator.step, of_discriminator.step
if common.variant == "compile":
    doubt, deceit = torch.compile(doubt), torch.compile(deceit)
    update_generator = torch.compile(of_generator.step)
    update_discriminator = torch.compile(of_discriminator.step)


def run(steps):
    for chosen in torch.from_numpy(common.order(steps, len(data))):
        generator.eval()
        with torch.no_grad():
            fake = generator(coding())
        generator.train()
        of_discriminator.zero_grad(set_to_none=True)
        doubt(fake, data[chosen]).backward()
        update_discriminator()
        logits.requires_grad_(False)
        of_generator.zero_grad(set_to_none=True)
        deceit(coding()).backward()
        update_generator()
        logits.requires_grad_(True)


common.serve(run)
