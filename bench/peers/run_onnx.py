"""ONNX Runtime: inference of a model with weights that a trainer saved.

    run_onnx.py MODEL.nn BATCH THREADS infer WEIGHTS.safetensors [IN.npy OUT.npy]

Prints {"us": the best time of a batch}, the faster one of a plain run and of one with bound
inputs and outputs, all optimizations of the graph on. With two more files it checks before
that its outputs for IN are those of OUT, within 1e-4."""
import sys
import time

import common
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

SECONDS, WINDOWS = 1.5, 4


class Graph:
    """Appends nodes, each reading what the one before it wrote; images have channels first."""

    def __init__(self):
        self.nodes, self.constants, self.last = [], [], "image"

    def constant(self, value):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, op, *more, **attributes):
        out = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *more], [out], **attributes))
        self.last = out

    def reshape(self, *shape):
        self.add("Reshape", self.constant(np.array([-1, *shape], np.int64)))

    def weighted(self, layer, kernel, bias):
        if layer.kind == "dense":
            self.add("Gemm", self.constant(kernel), self.constant(bias))
        else:
            op = "Conv" if layer.kind == "conv2d" else "ConvTranspose"
            self.add(op, self.constant(kernel.transpose(3, 2, 0, 1)), self.constant(bias),
                     kernel_shape=[layer.sizes[1]] * 2, strides=[layer.stride] * 2,
                     pads=pads(layer))
        if layer.relu:
            self.add("Relu")

    def other(self, layer):
        if layer.kind == "max_pool2d":
            size = [layer.sizes[0]] * 2
            self.add("MaxPool", kernel_shape=size, strides=size)
        elif layer.kind == "global_average_pool2d":
            self.add("GlobalAveragePool")
            self.reshape(*layer.after)
        elif len(layer.after) == 3:
            self.reshape(*layer.after)
            self.add("Transpose", perm=[0, 3, 1, 2])
        elif layer.kind != "dropout":
            if len(layer.before) == 3:
                self.add("Transpose", perm=[0, 2, 3, 1])
            self.reshape(*layer.after)


def pads(layer):
    """Before both axes, then behind both."""
    ends = list(zip(layer.before[:2], layer.after[:2]))
    if layer.kind == "conv2d_transpose":
        ends = [(large, small) for small, large in ends]
    both = [common.models.padding(n, m, layer.sizes[1], layer.stride, layer.same)
            for n, m in ends]
    return [before for before, _ in both] + [behind for _, behind in both]


def build():
    graph, parameters = Graph(), iter(common.weights())
    if len(common.network.shape) == 3:
        graph.add("Transpose", perm=[0, 3, 1, 2])
    for layer in common.network.layers:
        if layer.trained:
            graph.weighted(layer, *next(parameters))
        else:
            graph.other(layer)
    if len(common.network.layers[-1].after) == 3:
        graph.add("Transpose", perm=[0, 2, 3, 1])
    return graph


def session(graph):
    """For a batch of any size; threads of its own, that do not sleep between runs."""
    shape = ["batch", *common.network.shape]
    model = helper.make_model(
        helper.make_graph(graph.nodes, common.network.name,
                          [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
                          [helper.make_tensor_value_info(graph.last, TensorProto.FLOAT, shape)],
                          graph.constants),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = common.threads, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options,
                                providers=["CPUExecutionProvider"])


def best_time(call):
    """Microseconds of a call, the best of several windows."""
    def window(calls):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - begin) / calls
    window(3)
    calls = max(int(SECONDS / 2 / WINDOWS / window(10)), 10)
    return 1e6 * min(window(calls) for _ in range(WINDOWS))


def main(given=None, wanted=None):
    graph = build()
    run = session(graph)
    if given:
        out = run.run(None, {"image": np.load(given)})[0]
        difference = np.abs(out - np.load(wanted)).max()
        if not difference < 1e-4:
            sys.exit(f"outputs differ by {difference}")
    image = common.images()[:common.batch]
    binding = run.io_binding()
    binding.bind_cpu_input("image", image)
    binding.bind_output(graph.last)
    common.answer(us=min(best_time(lambda: run.run(None, {"image": image})),
                         best_time(lambda: run.run_with_iobinding(binding))))


main(*sys.argv[6:])
