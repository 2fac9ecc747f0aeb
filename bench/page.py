"""The results as one HTML page: bars in plain HTML and CSS, no script, nothing from a network."""
import html as markup

import table

CLIP = 20                    # a bar that would be longer than this many times aecc's is cut

STYLE = """
:root { --back: #fbfbf9; --text: #1d1f21; --soft: #6a6f76; --line: #dcdcd6; --own: #0b6e4f;
        --peer: #a9b4c2; --card: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14161a; --text: #e8e6e1; --soft: #9aa0a8; --line: #2c3038; --own: #37b98b;
          --peer: #4d5a6b; --card: #1b1e24; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem; background: var(--back);
       color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .8rem; }
h3 { font-size: 1rem; margin: 0; } p { margin: .3rem 0; } .soft { color: var(--soft); }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
        padding: .9rem 1rem; }
.big { font-size: 1.5rem; font-weight: 650; color: var(--own); white-space: nowrap; }
.top { display: flex; justify-content: space-between; align-items: baseline; gap: .5rem; }
.row { margin-top: .45rem; font-size: .85rem; }
.row div:first-child { display: flex; justify-content: space-between; gap: .5rem; }
.bar { height: .55rem; border-radius: .2rem; background: var(--peer); min-width: 2px; }
.own .bar { background: var(--own); } .own { font-weight: 600; }
.cut { background: linear-gradient(90deg, var(--peer) 80%, transparent); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
         white-space: nowrap; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; } .left { text-align: left; }
"""


def escape(text):
    return markup.escape(str(text))


def name_of(who):
    return escape(table.NAMES.get(who, who))


def bars(values, show):
    """A bar for each of (who, value), in order."""
    own = dict(values).get("aecc")
    longest = max(value for _, value in values)
    longest = min(longest, CLIP * own) if own else longest
    lines = []
    for who, value in values:
        width, cut = 100 * min(value / longest, 1), " cut" if value > longest else ""
        lines.append(f'<div class="row{" own" * (who == "aecc")}"><div><span>{name_of(who)}</span>'
                     f'<span>{show(value)}</span></div>'
                     f'<div class="bar{cut}" style="width:{width:.1f}%"></div></div>')
    return "\n".join(lines)


def card(title, figure, note, body):
    return (f'<div class="card"><div class="top"><h3>{escape(title)}</h3>'
            f'<span class="big">{figure}</span></div><p class="soft">{note}</p>\n{body}</div>')


def step_card(r):
    figure = f"{r.ratio:.1f}×" if r.ratio else ""
    note = (f"{r.flops / 1e6:,.2f} MFLOP an image; {r.rate / 1e9:,.0f} GFLOP/s, "
            f"{100 * r.share:.0f} % of the peak")
    if r.mode:
        note += f"; barrier {r.barrier * 1e9:.0f} ns ({r.mode})"
    return card(r.title, figure, note, bars(list(r.us.items()), table.time))


def start_card(r):
    values = [(who, seconds + (r.compile if who == "aecc" else 0))
              for who, seconds in r.start.items()]
    values.sort(key=lambda item: item[1])
    note = f"aecc: {r.compile:.2f} s of it compiling"
    return card(r.title, "", note, bars(values, "{:.2f} s".format))


def memory_card(r):
    values = sorted(r.memory.items(), key=lambda item: item[1])
    return card(r.title, "", "the most that the process had at a time",
                bars(values, table.megabytes))


def trained_card(key, times):
    model, epochs = key
    own, other = times["aecc"], times["keras:fit"]
    return card(f"{model}, {epochs} epochs", f"{other[0] / own[0]:.1f}×",
                f"validation loss {own[1]:.4f}, Keras {other[1]:.4f}",
                bars([(who, seconds) for who, (seconds, _) in times.items()], "{:.1f} s".format))


def whole_table(results):
    head = "".join(f'<th{" class=left" * (i in (0, 7))}>{name}</th>'
                   for i, name in enumerate(table.HEAD))
    lines = [f"<tr>{head}</tr>"]
    for r in results:
        cells = list(table.summary_line(r))
        cells[7] = table.NAMES.get(r.fastest, "")
        lines.append("<tr>" + "".join(
            f'<td{" class=left" * (i in (0, 7))}>{escape(cell)}</td>'
            for i, cell in enumerate(cells)) + "</tr>")
    return '<div class="scroll"><table>' + "\n".join(lines) + "</table></div>"


def once_a_model(results):
    """The configuration of each model with the most threads and the smallest batch."""
    best = {}
    for r in sorted(results, key=lambda r: (-r.threads, r.batch)):
        best.setdefault(r.model, r)
    return list(best.values())


def section(title, note, cards):
    cards = list(cards)
    if not cards:
        return ""
    return (f"<h2>{title}</h2>\n<p class=soft>{note}</p>\n<div class=cards>\n"
            + "\n".join(cards) + "\n</div>")


def failures(results):
    lines = [f"<li>{escape(r.title)}: {name_of(who)}: {escape(why)}</li>"
             for r in results for who, why in r.failed.items()]
    return f"<h2>Left out</h2><ul>{''.join(lines)}</ul>" if lines else ""


def html(results, rows):
    few, trained = once_a_model(results), table.trained(rows)
    parts = [
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>",
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>aecc: speed</title><style>{STYLE}</style></head><body>",
        "<h1>aecc beside Keras, PyTorch and JAX</h1>",
        f"<p class=soft>{escape(table.machine(rows))}</p>",
        section("A training step", f"The large figure: how many times as fast as the fastest of "
                f"the others. Bars beyond {CLIP} times aecc's are cut. The best of several "
                "windows, taken in turn.", map(step_card, results)),
        section("From nothing to the first step", "Imports and compilation included; aecc's from "
                "source text.", map(start_card, few)),
        section("From source text to trained weights", "Compilation, imports, data, training, "
                "validation and saving.", [trained_card(*item) for item in trained.items()]),
        section("Memory", "Programs, data set and model together.", map(memory_card, few)),
        f"<h2>All</h2>\n{whole_table(results)}",
        failures(results),
        "</body></html>\n",
    ]
    return "\n".join(parts)
