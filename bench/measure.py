"""Starts aecc's trainers and the peers, asks them for windows of steps in turn, keeps the rows.

A row is a JSON object a line:
  {"kind": "machine", "cpu", "cores", "date"}
  {"kind": "model", "model", "flops": of an image, "compile": seconds, "trainer": bytes}
and for a "model", "batch" and number of "threads":
  {"kind": "start", "who", "seconds": from the start of the process to its first step}
  {"kind": "window", "who", "round", "us": of a step} and aecc's with "peak": FLOP/s, "barrier": s
  {"kind": "memory", "who", "bytes": at most}
  {"kind": "train", "us": of a step, aecc's `train` timed from outside}
  {"kind": "failed", "who", "why"}
For a "model", from its source text to the saved weights of so many epochs:
  {"kind": "trained", "epochs", "who", "seconds", "val_loss"}"""
import atexit
import contextlib
import datetime
import gzip
import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
AECC = os.environ.get("AECC", os.path.join(BUILD, "aecc"))
PYTHON = os.environ.get("PYTHON", "python3")
PEERS = os.path.join(ROOT, "bench", "peers")
START_LIMIT, WINDOW_LIMIT = 180, 90          # seconds until a peer counts as failed
TURNS_LIMIT, LEAST_TURNS = 60, 2             # no more turns after so many seconds

sys.path.insert(0, PEERS)
import model as models


class Failure(Exception):
    pass


class Rows:
    """The rows of a file. Those of a configuration are written when it is finished, so that an
    interrupted run leaves none."""

    def __init__(self, path, fresh=False):
        self.path, self.kept, self.waiting = path, [], []
        if fresh and os.path.exists(path):
            os.remove(path)
        if os.path.exists(path):
            with open(path) as file:
                self.kept = [json.loads(line) for line in file if line.endswith("}\n")]
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)

    def add(self, row):
        self.waiting.append(row)
        print("  " + " ".join(f"{value:.4g}" if isinstance(value, float) else str(value)
                              for value in row.values()), file=sys.stderr, flush=True)

    def write(self):
        with open(self.path, "a") as file:
            file.writelines(json.dumps(row) + "\n" for row in self.waiting)
        self.kept += self.waiting
        self.waiting = []


def key_of(row):
    return row["model"], row["batch"], row["threads"]


# ---- Processes ------------------------------------------------------------------------------

@contextlib.contextmanager
def work_folder():
    path = tempfile.mkdtemp(prefix="aecc-bench-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def on_cores(threads):
    """All run on the same cores."""
    cores = set(sorted(os.sched_getaffinity(0))[:threads])
    return lambda: os.sched_setaffinity(0, cores)


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def run_command(command, folder, threads=None):
    """Seconds it took, what it printed, and the most memory it had."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        begin = time.monotonic()
        child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=errors, preexec_fn=on_cores(threads) if threads else None)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), errors.seek(0)
        if status:
            raise Failure(last_line(errors.read().decode(errors="replace")))
        return seconds, out.read().decode(), usage.ru_maxrss * 1024


class Peer:
    """A process that trains for as long as it is asked to."""

    def __init__(self, who, trainer, batch, threads):
        library, _, variant = who.partition(":")
        cache = os.path.join(trainer.folder, "inductor")       # of torch.compile: an empty one
        environment = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache)
        if trainer.images:
            environment["BENCH_IMAGES"] = trainer.images
        self.who, self.memory, self.errors = who, 0, tempfile.TemporaryFile()
        self.begin = time.monotonic()
        self.child = subprocess.Popen(
            [PYTHON, os.path.join(PEERS, f"{trainer.kind}_{library}.py"), trainer.source,
             str(batch), str(threads), variant], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, env=environment, text=True)
        atexit.register(self.close)
        self.wait = selectors.DefaultSelector()
        self.wait.register(self.child.stdout, selectors.EVENT_READ)

    def answer(self, limit):
        if not self.wait.select(limit):
            raise Failure(f"no answer in {limit} s")
        line = self.child.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise Failure(last_line(self.errors.read().decode(errors="replace")))
        return json.loads(line)

    def first_step(self):
        self.answer(START_LIMIT)
        return time.monotonic() - self.begin

    def window(self, seconds):
        try:
            self.child.stdin.write(f"{seconds}\n")
            self.child.stdin.flush()
        except OSError as error:
            raise Failure(str(error)) from error
        row = self.answer(WINDOW_LIMIT)
        self.memory = row["bytes"]
        return row["us"]

    def close(self):
        self.child.kill()
        self.child.wait()


# ---- aecc -----------------------------------------------------------------------------------

def source_of(model):
    """stacked, conv_64 or a path -> the .nn file."""
    for path in (model, os.path.join(ROOT, "examples", f"{model}_ae.nn"),
                 os.path.join(ROOT, "bench", "models", f"{model}.nn")):
        if path.endswith(".nn") and os.path.exists(path):
            return os.path.abspath(path)
    raise Failure(f"no model {model}")


class Trainer:
    """A model compiled in a folder, and the commands that measure it."""

    def __init__(self, model, folder):
        self.source = source_of(model)
        self.path = os.path.join(folder, "trainer")
        self.folder, self.images = folder, None
        self.compile = run_command([AECC, self.source, "-o", self.path], folder)[0]
        self.model = models.read(self.source)
        self.kind = "gan" if self.model.adversary else "run"
        self.plain = []
        self.make_images()
        self.unpack()

    def make_images(self):
        """The file that a model of bench/models reads: its line `# python3 ARGUMENTS`."""
        with open(self.source) as file:
            for line in file:
                if line.startswith("#   python3 bench/"):
                    command = line[1:].split()
                    command[1] = os.path.join(ROOT, command[1])
                    run_command(command, self.folder)
                    self.images = os.path.join(self.folder, command[-1])

    def unpack(self):
        """Options for data that needs no unpacking, where the model reads Fashion MNIST."""
        with open(self.source) as file:
            data = re.search(r'^data (\w+) = idx\("(.*?)\.gz"\)', file.read(), re.M)
        packed = f"/usr/share/datasets/fashion-mnist/{data[2]}.gz" if data else ""
        if os.path.exists(packed):
            path = os.path.join(self.folder, data[2])
            with gzip.open(packed) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target)
            self.plain = ["--data", f"{data[1]}={path}"]

    def train(self, batch, threads, steps, more=()):
        return run_command([self.path, "train", "--quiet", "--batch", str(batch), "--threads",
                            str(threads), "--steps", str(steps), *more], self.folder, threads)

    def benchmark(self, batch, threads):
        _, text, _ = run_command([self.path, "benchmark", "--json", "--batch", str(batch),
                                  "--threads", str(threads)], self.folder, threads)
        return json.loads(text)

    def outside(self, batch, threads, us):
        """us of a step of `train`, from outside: what start and end cost is taken off by a
        shorter run. Less than an epoch of Fashion MNIST, so that nothing is validated."""
        many = min(int(0.8e6 / us), 55000 // batch - 1)
        few = many // 10
        if self.model.adversary:             # --steps counts steps by their names
            return None
        if not self.plain or few < 1:
            return None
        long, short = (min(self.train(batch, threads, steps, self.plain)[0] for _ in range(3))
                       for steps in (many, few))
        return (long - short) / (many - few) * 1e6


# ---- A configuration ---------------------------------------------------------------------------

def configuration(rows, model, batch, threads, peers, options):
    """Measures aecc and the peers; what was left out."""
    key = {"model": model, "batch": batch, "threads": threads}
    rows.waiting, failed = [], []

    def fail(who, why):
        failed.append(f"{model}, batch {batch}, {threads} threads: {who}: {why}")
        rows.add({"kind": "failed", **key, "who": who, "why": str(why)})

    with work_folder() as folder:
        try:
            trainer = start_aecc(rows, key, folder)
        except (Failure, OSError, ValueError) as error:
            return [f"{model}, batch {batch}, {threads} threads: aecc: {error}"]
        running = start_peers(rows, key, trainer, peers, fail)
        try:
            take_turns(rows, key, trainer, running, options, fail)
        finally:
            for peer in running:
                peer.close()
    rows.write()
    return failed


def start_aecc(rows, key, folder):
    if not any(row["kind"] == "machine" for row in rows.kept):
        rows.add(machine())
    trainer = Trainer(key["model"], folder)
    rows.add({"kind": "model", "model": key["model"], "flops": models.flops(trainer.model),
              "compile": trainer.compile, "trainer": os.path.getsize(trainer.path)})
    seconds, _, _ = min(trainer.train(key["batch"], key["threads"], 1) for _ in range(3))
    _, _, memory = trainer.train(key["batch"], key["threads"], 3)
    rows.add({"kind": "start", **key, "who": "aecc", "seconds": seconds})
    rows.add({"kind": "memory", **key, "who": "aecc", "bytes": memory})
    return trainer


def start_peers(rows, key, trainer, peers, fail):
    """One after the other, since each start is timed."""
    running = []
    for who in peers:
        peer = Peer(who, trainer, key["batch"], key["threads"])
        try:
            seconds = peer.first_step()
        except (Failure, ValueError) as error:
            peer.close()
            fail(who, error)
            continue
        rows.add({"kind": "start", **key, "who": who, "seconds": seconds})
        running.append(peer)
    return running


def take_turns(rows, key, trainer, running, options, fail):
    best, begin = None, time.monotonic()
    for turn in range(options.rounds):
        if turn >= LEAST_TURNS and time.monotonic() - begin > TURNS_LIMIT:
            break
        own = trainer.benchmark(key["batch"], key["threads"])
        us = own["seconds_per_step"] * 1e6
        best = min(best or us, us)
        rows.add({"kind": "window", **key, "who": "aecc", "round": turn, "us": us,
                  "peak": own["peak_flops"], "barrier": own["barrier_seconds"]})
        for peer in list(running):
            try:
                us = peer.window(options.window)
            except (Failure, ValueError) as error:
                running.remove(peer)
                peer.close()
                fail(peer.who, error)
                continue
            rows.add({"kind": "window", **key, "who": peer.who, "round": turn, "us": us})
    for peer in running:
        rows.add({"kind": "memory", **key, "who": peer.who, "bytes": peer.memory})
    outside = None if options.quick else trainer.outside(key["batch"], key["threads"], best)
    if outside:
        rows.add({"kind": "train", **key, "us": outside})


def machine():
    cpu = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {"kind": "machine", "cpu": cpu, "cores": len(os.sched_getaffinity(0)),
            "date": datetime.date.today().isoformat()}


def trained(rows, model, epochs, batch=32):
    """From source text to trained weights on disk: aecc, and Keras as its users write it."""
    threads = min(2, len(os.sched_getaffinity(0)))
    with work_folder() as folder:
        source, log = source_of(model), os.path.join(folder, "log")
        program = os.path.join(folder, "program")
        seconds = run_command([AECC, source, "-o", program], folder, threads)[0]
        seconds += run_command([program, "--quiet", "--epochs", str(epochs), "--batch", str(batch),
                                "--threads", str(threads), "--log", log], folder, threads)[0]
        with open(log) as file:
            loss = json.loads(file.readlines()[-1])["val_loss"]
        key = {"kind": "trained", "model": model, "epochs": epochs}
        rows.add({**key, "who": "aecc", "seconds": seconds, "val_loss": loss})
        seconds, text, _ = run_command(
            [PYTHON, os.path.join(PEERS, "train_keras.py"), source, str(batch), str(threads),
             "fit", str(epochs)], folder, threads)
        rows.add({**key, "who": "keras:fit", "seconds": seconds, **json.loads(text)})
    rows.write()


# ---- Do all compute the same? ------------------------------------------------------------------

def check_peers(names, peers, batch=32):
    """The loss of the first step, from the weights of a trainer: within 1e-3 of the trainer's.
    Dropout draws other numbers in each: the peers leave it out, and may be 0.02 away."""
    bad = 0
    for name in names:
        with work_folder() as folder:
            trainer = Trainer(name, folder)
            if trainer.model.adversary:
                print(f"{name:10} draws codings, other numbers in each", flush=True)
                continue
            wanted = first_loss(trainer, folder, batch)
            limit = 2e-2 if any(l.kind == "dropout" for l in trainer.model.layers) else 1e-3
            for library in sorted({who.split(":")[0] for who in peers}):
                loss = peer_loss(trainer, library, folder, batch)
                good = abs(loss - wanted) <= limit
                bad += not good
                print(f"{name:10} {library:6} {loss:.6f}  aecc {wanted:.6f}  "
                      f"{'ok' if good else 'DIFFERS'}", flush=True)
    return 1 if bad else 0


def first_loss(trainer, folder, batch):
    run_command([trainer.path, "train", "--quiet", "--steps", "20", "--save", "weights"], folder)
    run_command([trainer.path, "train", "--quiet", "--steps", "1", "--batch", str(batch),
                 "--no-shuffle", "--init", "weights", "--log", "log", "--log-steps"], folder)
    with open(os.path.join(folder, "log")) as file:
        return json.loads(file.readline())["loss"]


def peer_loss(trainer, library, folder, batch):
    os.environ.pop("BENCH_IMAGES", None)
    if trainer.images:
        os.environ["BENCH_IMAGES"] = trainer.images
    _, text, _ = run_command([PYTHON, os.path.join(PEERS, f"run_{library}.py"), trainer.source,
                              str(batch), "1", "fit", "weights"], folder)
    return json.loads(text)["loss"]
