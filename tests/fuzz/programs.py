"""Programs that are almost right: no mutation of a program may crash aecc.

    programs.py AECC SECONDS SEED FOLDER FILE...

Each mutant exchanges, drops, repeats or wraps a few tokens or lines of one of
the files and is compiled until `lower`; the exit status must be 0 or 1. A
mutant for which it is not is left in FOLDER. Equal seeds give equal mutants.
"""
import random
import re
import subprocess
import sys
import time

TOKEN = re.compile(r'\n|[A-Za-z_][\w.]*|[0-9][\w.]*|"[^"\n]*"|[ \t]+|.')
NUMBERS = ["0", "1", "2", "3", "-1", "0.5", "1e9", "1e-30", "65536", "2147483648",
           "9223372036854775807", "100000000000"]
LONGEST_SECONDS = 60


def exchanged(random, tokens, names, i):
    if re.match(r"[A-Za-z_]", tokens[i]):
        return random.choice(names)
    return random.choice(NUMBERS if tokens[i][0].isdigit() else tokens)


def wrapped(random, token, names):
    return random.choice(["(%s)" % token, "-" + token, "not " + token, "[%s]" % token,
                          "%s(%s)" % (random.choice(names), token)])


def with_line_moved(random, text):
    lines = text.split("\n")
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    if random.random() < 0.5:
        lines.insert(a, lines[b])
    else:
        lines[a], lines[b] = lines[b], lines[a]
    return "\n".join(lines)


def mutant(random, programs, names):
    tokens = TOKEN.findall(random.choice(programs))
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        places = [i for i, token in enumerate(tokens) if token.strip()]
        if not places:
            break
        i, kind = random.choice(places), random.random()
        if kind < 0.4:
            tokens[i] = exchanged(random, tokens, names, i)
        elif kind < 0.55:
            del tokens[i]
        elif kind < 0.65:
            tokens.insert(i, random.choice(tokens))
        elif kind < 0.8:
            tokens = TOKEN.findall(with_line_moved(random, "".join(tokens)))
        else:
            tokens[i] = wrapped(random, tokens[i], names)
    return "".join(tokens)


def status_of(aecc, text):
    command = [aecc, "-", "--verify", "--stop-after=lower"]
    try:
        run = subprocess.run(command, input=text.encode(), stderr=subprocess.PIPE,
                             timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        return "no end after %d s" % LONGEST_SECONDS, ""
    return run.returncode, run.stderr.decode(errors="replace")


def main(aecc, seconds, seed, folder, *paths):
    source = random.Random(int(seed))
    programs = [re.sub(r" *#.*", "", open(path).read()) for path in sorted(paths)]
    words = {token for text in programs for token in TOKEN.findall(text)}
    names = sorted(word for word in words if re.match(r"[A-Za-z_]", word))
    end, runs = time.time() + float(seconds), 0
    while time.time() < end:
        text = mutant(source, programs, names)
        status, messages = status_of(aecc, text)
        runs += 1
        if status not in (0, 1):
            path = "%s/program-%s-%d.nn" % (folder, seed, runs)
            open(path, "w").write(text)
            sys.exit("%s: status %s\n%s" % (path, status, messages[-2000:]))
    print("%d programs" % runs)


if __name__ == "__main__":
    main(*sys.argv[1:])
