"""What the peers share: command line, data in memory, timing.

A peer is called as `run_PEER.py MODEL BATCH THREADS VARIANT` and prints the
best time of a training step over several windows, in microseconds. The data is
the training set of Fashion MNIST, in memory, in a fresh random order for each
window; where it is not installed, random pixels of the same shape.
"""
import gzip
import os
import sys
import time

model, batch, threads, variant = (
    sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
if __name__ != "__main__":
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))

import numpy as np

TRAINING, WINDOWS = 55000, 4
SECONDS = float(os.environ.get("BENCH_SECONDS", 3))


def images():
    path = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
    try:
        with gzip.open(path) as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16)
        return pixels.reshape(-1, 28, 28)[:TRAINING].astype(np.float32) / 255
    except OSError:
        return np.random.default_rng(1).random((TRAINING, 28, 28), np.float32)


def order(steps):
    """Indices of samples: [steps, batch]."""
    rng = np.random.default_rng()
    count = steps * batch
    rounds = [rng.permutation(TRAINING) for _ in range(-(-count // TRAINING))]
    return np.concatenate(rounds)[:count].reshape(steps, batch).astype(np.int32)


def report(run, first=20):
    """run(steps) trains that many steps and returns when all are done; the
    first calls compile and warm up, and say how many steps fill a window."""
    run(first)
    begin = time.perf_counter()
    run(first)
    step = (time.perf_counter() - begin) / first
    steps = min(max(int(SECONDS / WINDOWS / step), first), TRAINING // batch)
    run(steps)
    best = float("inf")
    for _ in range(WINDOWS):
        begin = time.perf_counter()
        run(steps)
        best = min(best, (time.perf_counter() - begin) / steps)
    print(f"{best * 1e6:.1f}")
