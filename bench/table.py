"""From rows to results: the best of each, shares, ratios; as text and as markdown."""
import collections

FAST_BARRIER = 150e-9        # seconds; above it the cores lie far from each other
NAMES = {"aecc": "aecc", "keras:fit": "Keras, fit", "keras:fused": "Keras, 50 steps fused",
         "keras:xla": "Keras, XLA", "torch:eager": "PyTorch, eager",
         "torch:last": "PyTorch, channels last", "torch:compile": "PyTorch, torch.compile",
         "jax:scan": "JAX, all steps in one scan", "jax:step": "JAX, step by step"}


class Result:
    """One model, batch and number of threads. `us`, `start` and `memory` are by name, aecc's
    among them; us in order of speed."""

    def __init__(self, key):
        self.model, self.batch, self.threads = key
        self.us, self.start, self.memory, self.failed = {}, {}, {}, {}
        self.flops = self.peak = self.compile = 0.0
        self.barrier = self.outside = None

    @property
    def title(self):
        return f"{self.model}, batch {self.batch}, {self.threads} thread{'s' * (self.threads > 1)}"

    @property
    def mode(self):
        if self.threads == 1 or self.barrier is None:
            return ""
        return "fast" if self.barrier < FAST_BARRIER else "slow"

    @property
    def rate(self):
        """FLOP/s."""
        return self.flops * self.batch / self.us["aecc"] * 1e6

    @property
    def share(self):
        return self.rate / self.peak if self.peak else 0

    @property
    def fastest(self):
        return next((who for who in self.us if who != "aecc"), None)

    @property
    def ratio(self):
        return self.us[self.fastest] / self.us["aecc"] if self.fastest else None


def in_one_mode(windows):
    """The windows of the rounds in the machine's fast mode, where there are any."""
    barriers = {w["round"]: w["barrier"] for w in windows if w["who"] == "aecc"}
    fast = {turn for turn, barrier in barriers.items() if barrier < FAST_BARRIER}
    return [w for w in windows if w["round"] in fast] if fast else windows


def fill_times(result, windows):
    windows = in_one_mode(windows) if result.threads > 1 else windows
    for w in windows:
        result.us[w["who"]] = min(w["us"], result.us.get(w["who"], w["us"]))
        if w["who"] == "aecc" and (result.barrier is None or w["barrier"] < result.barrier):
            result.barrier = w["barrier"]
    result.us = dict(sorted(result.us.items(), key=lambda item: item[1]))


def results(rows):
    """In the order of measuring. The peak is the highest that was measured on as many
    threads."""
    of = {}
    windows, peaks = collections.defaultdict(list), collections.defaultdict(float)
    models = {row["model"]: row for row in rows if row["kind"] == "model"}
    for row in rows:
        if "batch" not in row:
            continue
        key = row["model"], row["batch"], row["threads"]
        result = of.setdefault(key, Result(key))
        if row["kind"] == "window":
            windows[key].append(row)
            peaks[row["threads"]] = max(peaks[row["threads"]], row.get("peak", 0))
        elif row["kind"] == "start":
            result.start[row["who"]] = row["seconds"]
        elif row["kind"] == "memory":
            result.memory[row["who"]] = row["bytes"]
        elif row["kind"] == "failed":
            result.failed[row["who"]] = row["why"]
        elif row["kind"] == "train":
            result.outside = row["us"]
    for key, result in of.items():
        fill_times(result, windows[key])
        result.peak = peaks[result.threads]
        result.flops = models[result.model]["flops"]
        result.compile = models[result.model]["compile"]
    return [result for result in of.values() if "aecc" in result.us]


def machine(rows):
    found = [row for row in rows if row["kind"] == "machine"]
    if not found:
        return "an unknown machine"
    peaks = {row["threads"]: 0 for row in rows if row.get("peak")}
    for row in rows:
        if row.get("peak"):
            peaks[row["threads"]] = max(peaks[row["threads"]], row["peak"])
    text = ", ".join(f"{peak / 1e9:.0f} GFLOP/s on {threads}" for threads, peak in
                     sorted(peaks.items()))
    return f"{found[-1]['cpu']}, {found[-1]['cores']} cores, FMA peak {text}, {found[-1]['date']}"


def time(us):
    """7.12 us, 1,890 us, 24.3 ms, 1.21 s."""
    if us < 1e4:
        return f"{us:,.1f} us" if us < 1e3 else f"{us:,.0f} us"
    return f"{us / 1e3:,.1f} ms" if us < 1e6 else f"{us / 1e6:,.2f} s"


def megabytes(size):
    return f"{size / 1e6:,.0f} MB" if size else ""


def trained(rows):
    """{(model, epochs): {who: (seconds, val_loss)}}, the last of each."""
    found = {}
    for row in rows:
        if row["kind"] == "trained":
            of = found.setdefault((row["model"], row["epochs"]), {})
            of[row["who"]] = row["seconds"], row["val_loss"]
    return found


# ---- Text -----------------------------------------------------------------------------------

HEAD = ("model", "batch", "thr", "aecc", "GFLOP/s", "peak", "barrier", "fastest peer", "its time",
        "ratio")


def summary_line(r):
    barrier = f"{r.barrier * 1e9:.0f} ns {r.mode}" if r.mode else ""
    peer = (r.fastest, time(r.us[r.fastest]), f"{r.ratio:.2f}") if r.fastest else ("", "", "")
    return (r.model, str(r.batch), str(r.threads), time(r.us["aecc"]), f"{r.rate / 1e9:.0f}",
            f"{100 * r.share:.0f}%", barrier, *peer)


def aligned(lines, left=(0,)):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def detail(r):
    lines = [(r.title, "a step", "first step", "memory")]
    for who, us in r.us.items():
        start = f"{r.start[who]:.2f} s" if who in r.start else ""
        lines.append((f"  {NAMES.get(who, who)}", time(us), start, megabytes(r.memory.get(who))))
    note = f"\n  compiled in {r.compile:.2f} s before that"
    if r.outside:
        note += f"; `train`, timed from outside: {time(r.outside)} a step"
    return aligned(lines) + note + "".join(f"\n  {NAMES.get(who, who)} failed: {why}"
                                           for who, why in r.failed.items())


def text(all_results, rows):
    parts = [machine(rows), *map(detail, all_results)]
    for (model, epochs), times in trained(rows).items():
        lines = [(f"{model}, source text to {epochs} epochs", "seconds", "validation loss")]
        lines += [(f"  {NAMES[who]}", f"{seconds:.1f}", f"{loss:.5f}")
                  for who, (seconds, loss) in times.items()]
        parts.append(aligned(lines))
    if all_results:
        parts.append(aligned([HEAD] + [summary_line(r) for r in all_results], left=(0, 7)))
    return "\n\n".join(parts)


# ---- Markdown -------------------------------------------------------------------------------

def markdown(all_results, rows):
    lines = [machine(rows) + "; memory and the time from the start of the process to the first "
             "step are aecc's and those of the fastest peer.", "",
             "| model | batch | threads | aecc | share of the peak | fastest peer | times as fast "
             "| memory | first step |", "|---|---|---|---|---|---|---|---|---|"]
    for r in all_results:
        peer, ratio, memory, start = "", "", megabytes(r.memory.get("aecc")), ""
        if "aecc" in r.start:
            start = f"{r.start['aecc']:.2f} s"
        if r.fastest:
            peer = f"{time(r.us[r.fastest])}, {NAMES.get(r.fastest, r.fastest)}"
            ratio = f"{r.ratio:.1f}"
            memory += f", {megabytes(r.memory.get(r.fastest))}"
            start += f", {r.start[r.fastest]:.1f} s" if r.fastest in r.start else ""
        lines.append(f"| {r.model} | {r.batch} | {r.threads} | {time(r.us['aecc'])} | "
                     f"{100 * r.share:.0f} % | {peer} | {ratio} | {memory} | {start} |")
    for (model, epochs), times in trained(rows).items():
        own, other = times["aecc"][0], times["keras:fit"][0]
        lines += ["", f"From source text to {epochs} trained epochs of {model}, imports and "
                  f"compilation included: {own:.1f} s; Keras {other:.0f} s, {other / own:.1f} "
                  "times as long."]
    return "\n".join(lines) + "\n"
