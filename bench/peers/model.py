"""A model as the peers need it: the layers of its networks, read from the .nn file that aecc
compiles, and the multiply-adds that a training step of it needs.

Read are networks that are stacks of the layers below, one after another; or a network
`generator` and one `discriminator`, which learn in turn as in the seed's GAN. Whatever else such
a file may say is for aecc alone."""
import dataclasses
import os
import re

KINDS = ("flatten", "reshape", "dense", "dropout", "conv2d", "conv2d_transpose", "max_pool2d",
         "global_average_pool2d", "lstm", "repeat_vector", "batch_normalization")
ACTIVATIONS = ("relu", "sigmoid", "tanh", "leaky_relu")


@dataclasses.dataclass
class Layer:
    kind: str
    sizes: tuple = ()            # units; filters and kernel; shape; window
    rate: float = 0.0            # dropout
    stride: int = 1
    same: bool = False           # padding
    activation: str = ""         # of ACTIVATIONS; leaky_relu with slope 0.2
    sequences: bool = False      # lstm: gives all steps
    name: str = ""               # encoder.dense_1
    before: tuple = ()           # shape of what it gets
    after: tuple = ()            # and gives, channels last

    @property
    def trained(self):
        return self.kind in ("dense", "conv2d", "conv2d_transpose", "lstm")

    @property
    def relu(self):
        return self.activation == "relu"

    @property
    def tensors(self):
        """Its parameters, in Keras' order."""
        if self.kind == "lstm":
            return "kernel", "recurrent_kernel", "bias"
        return ("kernel", "bias") if self.trained else ()


@dataclasses.dataclass
class Model:
    name: str
    shape: tuple                 # of a sample of the data
    layers: list
    adversary: list = None       # layers of the discriminator, where `layers` generate
    coding: tuple = ()           # shape of what they generate from


def padding(inputs, outputs, kernel, stride, same):
    """Zeros before and after a line of inputs, as TensorFlow places them."""
    total = max((outputs - 1) * stride + kernel - inputs, 0) if same else 0
    return total // 2, total - total // 2


def shape_after(layer):
    shape, sizes = layer.before, layer.sizes
    if layer.kind == "flatten":
        return (product(shape),)
    if layer.kind == "reshape":
        return sizes
    if layer.kind == "dense":
        return (*shape[:-1], sizes[0])
    if layer.kind == "global_average_pool2d":
        return (shape[-1],)
    if layer.kind == "lstm":
        return (shape[0], sizes[0]) if layer.sequences else (sizes[0],)
    if layer.kind == "repeat_vector":
        return (sizes[0], *shape)
    if layer.kind == "max_pool2d":
        return (shape[0] // sizes[0], shape[1] // sizes[0], shape[2])
    if layer.kind == "conv2d_transpose":
        extra = 0 if layer.same else max(sizes[1] - layer.stride, 0)
        return (*(n * layer.stride + extra for n in shape[:2]), sizes[0])
    if layer.kind == "conv2d":
        lost = 0 if layer.same else sizes[1] - 1
        return (*(-(-(n - lost) // layer.stride) for n in shape[:2]), sizes[0])
    return shape


def product(numbers):
    result = 1
    for n in numbers:
        result *= n
    return result


# ---- Reading --------------------------------------------------------------------------------

def whole(text):
    """28 or 3 * 3 * 16."""
    return product(int(factor) for factor in text.split("*"))


def read_layer(kind, text):
    layer, arguments = Layer(kind), [a.strip() for a in text.split(",") if a.strip()]
    named = dict(a.split(":", 1) for a in arguments if ":" in a)
    named = {key.strip(): value.strip() for key, value in named.items()}
    plain = [a for a in arguments if ":" not in a]
    words = [named.get("activation", "").split("(")[0], *plain]
    layer.activation = next((word for word in words if word in ACTIVATIONS), "")
    layer.stride = int(named.get("strides", 1))
    layer.same = named.get("padding") == "same"
    layer.sequences = named.get("return_sequences") == "true"
    if kind == "dropout":
        layer.rate = float(plain[0])
    else:
        layer.sizes = tuple(whole(a) for a in plain if a not in ACTIVATIONS)
    return layer


def read(path):
    """The model of a .nn file."""
    with open(path) as file:
        text = re.sub(r"#.*", "", file.read())
    layers, first, networks = [], None, {}
    for network, shape, body in re.findall(
            r"network (\w+)\(\w+: \[([\d, ]+)\]\) \{\n(.*?)\n\}", text, re.S):
        shape = tuple(int(n) for n in shape.split(","))
        first, counts, start = first or shape, {}, len(layers)
        inputs = shape
        for kind, arguments in re.findall(r"^\s*(\w+)\((.*)\)\s*$", body, re.M):
            if kind not in KINDS:
                raise ValueError(f"{path}: the peers have no {kind}")
            layer = read_layer(kind, arguments)
            counts[kind] = counts.get(kind, 0) + 1
            layer.name = f"{network}.{kind}_{counts[kind]}"
            layer.before = shape
            layer.after = shape = shape_after(layer)
            layers.append(layer)
        networks[network] = inputs, layers[start:]
    if not layers:
        raise ValueError(f"{path}: no network of layers")
    name = os.path.basename(path)[:-3]
    if set(networks) == {"generator", "discriminator"}:
        coding, generator = networks["generator"]
        shape, adversary = networks["discriminator"]
        return Model(name, shape, generator, adversary, coding)
    return Model(name, first, layers)


# ---- Multiply-adds --------------------------------------------------------------------------

def taps(inputs, outputs, live, kernel, stride, same):
    """Pairs of an input and one of the first `live` outputs on a line, and how many inputs
    these need; padding is no input."""
    before, _ = padding(inputs, outputs, kernel, stride, same)
    pairs = [o * stride + k - before for o in range(live) for k in range(kernel)]
    pairs = [at for at in pairs if 0 <= at < inputs]
    return len(pairs), max(pairs) + 1


def live_convolution(layer, live):
    """Multiply-adds of the live outputs, and the inputs that are live."""
    filters, kernel = layer.sizes
    channels, total, needs = filters * layer.before[2], 1, []
    for axis in range(2):
        small, large = layer.before[axis], layer.after[axis]
        if layer.kind == "conv2d_transpose":
            count, need = taps(large, small, small, kernel, layer.stride, layer.same)[0], small
        else:
            count, need = taps(small, large, live[axis], kernel, layer.stride, layer.same)
        total *= count
        needs.append(need)
    return total * channels, tuple(needs)


def recurrent(layer, constant, needed):
    """Of a step: the products with the inputs (once, where they are the same at each step),
    with the state (which is zero before the first step), and each one's gradients."""
    (steps, width), (units,) = layer.before, layer.sizes
    inputs = (1 if constant else steps) * width * (2 + needed)
    return 2 * 4 * units * (inputs + (steps - 1) * units * 3)


def training(layers):
    """How often each layer's products are made in a training step: forward, for the weights,
    and for the inputs where a layer before needs gradients."""
    needed, times = False, []
    for layer in layers:
        times.append(2 + needed if layer.trained else 0)
        needed = needed or layer.trained
    return times


def products(layers, times):
    """FLOPs of an image, 2 for every multiply-add, where the products of each layer are made so
    often: without padding and without pixels that nobody reads."""
    total, live = 0, None
    for layer, under, count in zip(reversed(layers), reversed([None, *layers[:-1]]),
                                   reversed(times)):
        live = live or layer.after[:2]
        if layer.kind.startswith("conv2d"):
            points, live = live_convolution(layer, live)
            total += 2 * points * count
        elif layer.kind == "lstm":
            constant = under is not None and under.kind == "repeat_vector"
            total += recurrent(layer, constant, count == 3)
            live = None
        elif layer.kind == "max_pool2d":
            live = tuple(n * layer.sizes[0] for n in live)
        elif layer.kind not in ("dropout", "batch_normalization"):
            if layer.kind == "dense":
                total += 2 * product(layer.before) * layer.sizes[0] * count
            live = None
    return total


def flops(model):
    """Of a training step for one image. A discriminator learns from a generated image and a
    real one; then its gradients by its input teach the generator."""
    own = products(model.layers, training(model.layers))
    if not model.adversary:
        return own
    adversary = model.adversary
    return (products(model.layers, [1] * len(model.layers)) + own +
            2 * products(adversary, training(adversary)) +
            products(adversary, [2] * len(adversary)))
