"""Measures what memelens claims and writes one table: build/bench.md, beside it build/bench.json, and standard output.

    make bench [QUICK=1] [ONLY=encoders,cold] [ROUNDS=3] [SECONDS=3] [PICTURES=DIR] [CORPUS=DIR] [PEERS=no|DIR] [MODELS=a,b] [THREADS=N]

bench/README.md says what each figure means. Ctrl-C keeps what was measured.
"""
import argparse
import importlib
import json
import os
import sys
import tempfile
import time
import traceback

import machine
from work import DEFAULT, ROOT, Refused, Work, objects, row, say

# Memory before accuracy: a child begins with the peak of its parent, and the vectors make that larger.
PARTS = ("encoders", "jobs", "cold", "memory", "scan", "serve", "words", "memes", "accuracy")


def options():
    parser = argparse.ArgumentParser(usage=__doc__)
    names = lambda text: [name for name in text.replace(",", " ").split() if name]
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "memelens"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=names, default=list(PARTS))
    parser.add_argument("--models", type=names)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--pictures")
    parser.add_argument("--corpus")
    parser.add_argument("--peers")
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "bench"))
    given = parser.parse_args()
    given.rounds = given.rounds or (1 if given.quick else 3)
    given.seconds = given.seconds or (1 if given.quick else 3)
    unknown = set(given.only) - set(PARTS)
    if unknown:
        parser.error(f"ONLY takes {','.join(PARTS)}, not {','.join(sorted(unknown))}")
    for folder in filter(None, (given.pictures, given.corpus)):
        if not os.path.isdir(folder):
            parser.error(f"{folder} is no folder")
    return given


def number(value, unit):
    if value is None:
        return ""
    if not unit:
        return f"{value:.5f}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def noise(rows):
    """How many processors other programs had while ROWS were measured."""
    seconds = sum(one["seconds"] for one in rows)
    return f"others had {max(sum(one['others_seconds'] for one in rows) / seconds, 0):.2f} processors meanwhile" if seconds else ""


def markdown(about, chosen, parts):
    lines = ["# memelens, measured", *(f"- {name}: {value}" for name, value in about.items()),
             f"- rounds: {chosen.rounds}, {chosen.seconds:g} s each; threads: {chosen.threads}{'; quick' if chosen.quick else ''}", "",
             "| | memelens | beside it | ratio | wanted | held | |", "|---|---|---|---|---|---|---|"]
    for part, rows in parts.items():
        lines.append(f"| **{part}** | | | | | | {noise(rows)} |")
        for one in rows:
            wanted = ", ".join(filter(None, (
                one["goal"] and f"{one['goal'][0]} {one['goal'][1]:.6g} {one['unit']}".rstrip(),
                one["ratio_goal"] and f"ratio {one['ratio_goal'][0]} {one['ratio_goal'][1]:g}")))
            cells = (one["what"], number(one["memelens"], one["unit"]),
                     f"{number(one['peer'], one['unit'])} {one['beside']}" if one["peer"] is not None else "",
                     f"{one['ratio']:.2f}" if one["ratio"] is not None else "", wanted.replace(">=", "≥").replace("<=", "≤"),
                     {True: "yes", False: "**no**", None: ""}[one["met"]], one["note"].replace("|", "\\|"))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(chosen, about, parts):
    os.makedirs(os.path.dirname(os.path.abspath(chosen.out)), exist_ok=True)
    with open(f"{chosen.out}.md", "w", encoding="utf-8") as file:
        file.write(markdown(about, chosen, parts))
    with open(f"{chosen.out}.json", "w", encoding="utf-8") as file:
        json.dump({"machine": about, "rounds": chosen.rounds, "seconds": chosen.seconds, "threads": chosen.threads, "quick": chosen.quick,
                   "parts": parts}, file, indent=1)
        file.write("\n")


def get_default_model(work):
    """Most parts need the default model; a bare machine has none. What cannot be had becomes a note of each row."""
    if not any(one["model"] == DEFAULT and one["present"] for one in objects(work.memelens("models", "--json").out)):
        say(f"memelens pull {DEFAULT}")
        try:
            work.memelens("pull", DEFAULT, timeout=300)
        except Refused as error:
            say(str(error))


def main():
    chosen = options()
    about = machine.describe(chosen.program)
    parts, broken = {}, []
    try:
        with tempfile.TemporaryDirectory(prefix="memelens-bench.") as scratch:
            work = Work(chosen, scratch)
            get_default_model(work)
            for name in filter(chosen.only.__contains__, PARTS):
                parts[name] = []
                try:
                    begin, others = time.monotonic(), machine.others_seconds()
                    for one in importlib.import_module(name).measure(work):
                        now, taken = time.monotonic(), machine.others_seconds()
                        parts[name].append({**one, "seconds": now - begin, "others_seconds": taken - others})
                        begin, others = now, taken
                        say(f"{name}: {one['what']}: {number(one['memelens'], one['unit'])} {one['note']}".rstrip(": "))
                except Exception as error:
                    # The other parts are worth their time all the same; what is no refusal is a fault of the bench, and said at the end.
                    parts[name].append({**row(name, note=str(error) or type(error).__name__), "seconds": 0, "others_seconds": 0})
                    if not isinstance(error, Refused):
                        traceback.print_exc()
                        broken.append(name)
                write(chosen, about, parts)
    except Refused as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        say("interrupted")
        write(chosen, about, parts)
        sys.exit(130)
    print(markdown(about, chosen, parts), end="")
    say(f"written to {os.path.relpath(chosen.out)}.md and .json")
    if broken:
        sys.exit(f"bench: broken: {', '.join(broken)}; the faults stand above")


if __name__ == "__main__":
    main()
