"""ONNX Runtime: inference of the autoencoders with weights that a trainer saved.

    run_onnx.py MODEL BATCH THREADS WEIGHTS.safetensors [IN.npy OUT.npy]

Prints the best time of a batch in microseconds, the faster one of a plain run and of one
with bound inputs and outputs, all optimizations of the graph on. With two more files it
checks before that its outputs for IN are those of OUT, within 1e-4."""
import json
import sys
import time

import common
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper


def weights(path):
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header, body = json.loads(file.read(size)), file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(body[slice(*t["data_offsets"])], np.float32).reshape(t["shape"])
            for name, t in header.items()}


class Graph:
    """Appends nodes, each reading what the one before it wrote."""

    def __init__(self, parameters):
        self.parameters, self.nodes, self.constants, self.last = parameters, [], [], "image"

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

    def dense(self, layer, relu=True):
        self.add("Gemm", *(self.constant(self.parameters[f"{layer}.{part}"])
                           for part in ("kernel", "bias")))
        if relu:
            self.add("Relu")

    def convolution(self, layer, op="Conv", order=(3, 2, 0, 1), relu=True, **attributes):
        kernel = self.parameters[f"{layer}.kernel"].transpose(order)
        self.add(op, self.constant(kernel), self.constant(self.parameters[f"{layer}.bias"]),
                 kernel_shape=[3, 3], **attributes)
        if relu:
            self.add("Relu")


def stacked(graph):
    graph.reshape(784)
    graph.dense("encoder.dense_1")
    graph.dense("encoder.dense_2")
    graph.dense("decoder.dense_1")
    graph.dense("decoder.dense_2", relu=False)
    graph.reshape(28, 28)


def conv(graph):
    graph.reshape(1, 28, 28)
    for layer in range(1, 5):
        graph.convolution(f"encoder.conv2d_{layer}", pads=[1, 1, 1, 1])
        if layer < 4:
            graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    graph.add("GlobalAveragePool")
    graph.reshape(30)
    graph.dense("decoder.dense_1", relu=False)
    graph.reshape(3, 3, 16)
    graph.add("Transpose", perm=[0, 3, 1, 2])
    for layer in range(1, 4):
        graph.convolution(f"decoder.conv2d_transpose_{layer}", "ConvTranspose", relu=layer < 3,
                          strides=[2, 2], pads=[0, 0, 0, 0] if layer == 1 else [0, 0, 1, 1])
    graph.reshape(28, 28)


def session(graph):
    """For a batch of any size; threads of its own, that do not sleep between runs."""
    shape = ["batch", 28, 28]
    model = helper.make_model(
        helper.make_graph(graph.nodes, common.model,
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
    calls = max(int(common.SECONDS / 2 / common.WINDOWS / window(10)), 10)
    return 1e6 * min(window(calls) for _ in range(common.WINDOWS))


def main(path, given=None, wanted=None):
    graph = Graph(weights(path))
    {"stacked": stacked, "conv": conv}[common.model](graph)
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
    print(f"{min(best_time(lambda: run.run(None, {'image': image})), best_time(lambda: run.run_with_iobinding(binding))):.1f}")


main(*sys.argv[4:])
