"""A model as the peers need it: the layers of its networks, read from the .nn file that aecc
compiles, and the multiply-adds that a training step of it needs.

Read are networks that are stacks of the layers below, one after another; whatever else such
a file may say is for aecc alone."""
import dataclasses
import os
import re

KINDS = ("flatten", "reshape", "dense", "dropout", "conv2d", "conv2d_transpose", "max_pool2d",
         "global_average_pool2d", "lstm", "repeat_vector")


@dataclasses.dataclass
class Layer:
    kind: str
    sizes: tuple = ()            # units; filters and kernel; shape; window
    rate: float = 0.0            # dropout
    stride: int = 1
    same: bool = False           # padding
    relu: bool = False
    sequences: bool = False      # lstm: gives all steps
    name: str = ""               # encoder.dense_1
    before: tuple = ()           # shape of what it gets
    after: tuple = ()            # and gives, channels last

    @property
    def trained(self):
        return self.kind in ("dense", "conv2d", "conv2d_transpose", "lstm")

    @property
    def tensors(self):
        """Its parameters, in Keras' order."""
        if self.kind == "lstm":
            return "kernel", "recurrent_kernel", "bias"
        return ("kernel", "bias") if self.trained else ()


@dataclasses.dataclass
class Model:
    name: str
    shape: tuple
    layers: list


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
    named = dict(a.split(":") for a in arguments if ":" in a)
    named = {key.strip(): value.strip() for key, value in named.items()}
    plain = [a for a in arguments if ":" not in a]
    layer.relu = "relu" in plain or named.get("activation") == "relu"
    layer.stride = int(named.get("strides", 1))
    layer.same = named.get("padding") == "same"
    layer.sequences = named.get("return_sequences") == "true"
    if kind == "dropout":
        layer.rate = float(plain[0])
    else:
        layer.sizes = tuple(whole(a) for a in plain if a != "relu")
    return layer


def read(path):
    """The model of a .nn file."""
    with open(path) as file:
        text = re.sub(r"#.*", "", file.read())
    layers, first = [], None
    for network, shape, body in re.findall(
            r"network (\w+)\(\w+: \[([\d, ]+)\]\) \{\n(.*?)\n\}", text, re.S):
        shape = tuple(int(n) for n in shape.split(","))
        first, counts = first or shape, {}
        for kind, arguments in re.findall(r"^\s*(\w+)\((.*)\)\s*$", body, re.M):
            if kind not in KINDS:
                raise ValueError(f"{path}: the peers have no {kind}")
            layer = read_layer(kind, arguments)
            counts[kind] = counts.get(kind, 0) + 1
            layer.name = f"{network}.{kind}_{counts[kind]}"
            layer.before = shape
            layer.after = shape = shape_after(layer)
            layers.append(layer)
    if not layers:
        raise ValueError(f"{path}: no network of layers")
    return Model(os.path.basename(path)[:-3], first, layers)


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


def flops(model):
    """Of a training step for one image: 2 for every multiply-add of the outputs, the gradients
    of weights and those of inputs, without padding and without pixels that nobody reads."""
    total, live = 0, None
    needed = False                           # does a layer before this one need gradients?
    gradients = []
    for layer in model.layers:
        gradients.append(2 + needed if layer.trained else 0)
        needed = needed or layer.trained
    below = [None, *model.layers]
    for layer, under, times in zip(reversed(model.layers), reversed(below[:-1]),
                                   reversed(gradients)):
        live = live or layer.after[:2]
        if layer.kind.startswith("conv2d"):
            count, live = live_convolution(layer, live)
            total += 2 * count * times
        elif layer.kind == "lstm":
            constant = under is not None and under.kind == "repeat_vector"
            total += recurrent(layer, constant, times == 3)
            live = None
        elif layer.kind == "max_pool2d":
            live = tuple(n * layer.sizes[0] for n in live)
        elif layer.kind != "dropout":
            if layer.kind == "dense":
                total += 2 * product(layer.before) * layer.sizes[0] * times
            live = None
    return total
