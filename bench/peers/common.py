"""What the peers share: command line, data in memory, the loop that answers bench/run.

    run_PEER.py (gan_PEER.py) MODEL.nn BATCH THREADS VARIANT        answers bench/run
    run_PEER.py MODEL.nn BATCH THREADS VARIANT WEIGHTS.safetensors

The first form trains one step, prints a line {"first_step": true}, and then trains for as
many seconds as each line of its input says: {"us": of a step, "steps": …, "bytes": of memory
at most so far}. The second prints the loss of the first samples in file order, with the weights
of a trainer. Images are those of $BENCH_IMAGES (.npy, bytes), else the training set of
Fashion MNIST, else random ones of the model's shape."""
import dataclasses
import gzip
import json
import os
import sys
import time

import model as models

path, batch, threads, variant = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
weights_path = sys.argv[5] if len(sys.argv) > 5 else None
network = models.read(path)
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))

import numpy as np

FASHION = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
TRAINING = 55000


def pixels():
    given = os.environ.get("BENCH_IMAGES")
    if given:
        return np.load(given)
    if network.shape == (28, 28) and os.path.exists(FASHION):
        with gzip.open(FASHION) as file:
            return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    return np.random.default_rng(1).integers(0, 256, (256, *network.shape), np.uint8)


def images(most=TRAINING):
    """From 0 to 1; for a generator that ends with tanh, from -1."""
    x = pixels()[:most].astype(np.float32) / 255
    signed = network.adversary and any(layer.activation == "tanh" for layer in network.layers)
    return 2 * x - 1 if signed else x


def without_activation(layer):
    """Of a sigmoid before a loss: the loss takes logits."""
    return dataclasses.replace(layer, activation="")


def order(steps, samples):
    """Indices of samples: [steps, batch]; every sample once before one comes again."""
    rng = np.random.default_rng()
    count = steps * batch
    rounds = [rng.permutation(samples) for _ in range(-(-count // samples))]
    return np.concatenate(rounds)[:count].reshape(steps, batch).astype(np.int32)


def weights():
    """The tensors of each trained layer, from a .safetensors file."""
    with open(weights_path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header, body = json.loads(file.read(size)), file.read()
    tensors = {name: np.frombuffer(body[slice(*t["data_offsets"])], np.float32).reshape(t["shape"])
               for name, t in header.items() if name != "__metadata__"}
    return [tuple(tensors[f"{layer.name}.{name}"] for name in layer.tensors)
            for layer in network.layers if layer.trained]


def peak_memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def timed(run, steps):
    """Steps and seconds; run may know better than the clock around it."""
    begin = time.perf_counter()
    return run(steps) or (steps, time.perf_counter() - begin)


def answer(**row):
    print(json.dumps(row), file=replies, flush=True)


def window_steps(run, seconds, multiple):
    """How many steps fill the seconds; run is warm for that many then."""
    count = multiple
    for _ in range(3):
        run(count)
        steps, took = timed(run, count)
        wanted = max(int(seconds / took * steps) // multiple, 1) * multiple
        if took > seconds / 2 or wanted < 2 * count:
            break
        count = wanted
    return max(count, 2 * multiple) if multiple > 1 else count


def many_fit(run, seconds, multiple):
    """Would `multiple` steps fit into some windows? Judged by the difference of two runs, since
    a run may take long to start."""
    short, long = timed(run, 2)[1], timed(run, 4)[1]
    return (long - short) / 2 * multiple < 8 * seconds


def serve(run, multiple=1):
    """run(steps) trains that many steps and returns when all are done. All windows are of the
    same number of steps, which the first request decides: a multiple of `multiple`, where so
    many take no minutes, else three."""
    run(1)
    answer(first_step=True)
    count = 0
    for request in sys.stdin:
        seconds = float(request)
        if not count and multiple > 1 and not many_fit(run, seconds, multiple):
            count = 3
        count = count or window_steps(run, seconds, multiple)
        steps, seconds = timed(run, count)
        answer(us=seconds / steps * 1e6, steps=steps, bytes=peak_memory())


# Libraries print too: only answers go where bench/run listens.
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
