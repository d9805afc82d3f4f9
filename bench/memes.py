"""Measures the whole program on the meme corpus and prints a table: indexing, memory, disk, refresh, cold search, quality, folding.

    PROGRAM=build/memelens python3 bench/memes.py CORPUS QUERIES

CORPUS is a folder of pictures with labels.tsv (file, template); QUERIES holds seed.tsv and real-dev.tsv (query, expected). The default
model has to be here. Everything is done through the command line, in a library that is thrown away.
"""
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(os.environ.get("PROGRAM", "build/memelens"))


def timed(*arguments):
    """Runs the program: (standard output, seconds, peak resident bytes)."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen([PROGRAM, *arguments], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        if child.returncode not in (0, 1):
            sys.exit(f"memelens {' '.join(arguments)}: exit {child.returncode}")
        out.seek(0)
        return out.read(), seconds, usage.ru_maxrss * 1024


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def quality(library, queries, name, labels):
    first = three = asked = 0
    for row in table(os.path.join(queries, f"{name}.tsv")):
        expected = set(filter(None, row["expected"].split(";")))
        if not expected:
            continue
        out, _, _ = timed("search", "--library", library, "--json", "-n", "3", os.path.join(queries, row["query"]))
        got = [labels[os.path.basename(result["path"])] for result in objects(out)]
        asked += 1
        first += got[0] in expected
        three += bool(expected & set(got))
    return asked, first, three


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    corpus, queries = sys.argv[1:]
    labels = {row["file"]: row["template"] for row in table(os.path.join(corpus, "labels.tsv"))}
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), platform.machine())
    rows = [("machine", f"{cpu}, {os.cpu_count()} processors, {platform.freedesktop_os_release()['PRETTY_NAME']}")]
    with tempfile.TemporaryDirectory() as library:
        out, seconds, memory = timed("index", "-q", "--library", library, "--json", corpus)
        report = json.loads(out)
        rows.append(("indexed", f"{report['indexed']} pictures in {seconds:.1f} s, {report['indexed'] / seconds:.0f} a second"))
        rows.append(("peak resident memory", f"{memory / 1e6:.0f} MB"))
        rows.append(("library", f"{report['library_bytes'] / 1e6:.1f} MB"))
        _, seconds, _ = timed("index", "-q", "--library", library)
        rows.append(("again, nothing changed", f"{seconds:.2f} s"))
        query = os.path.join(queries, table(os.path.join(queries, "seed.tsv"))[0]["query"])
        for name, extra in (("cold search", []), ("cold search, folded", ["--fold"])):
            times = sorted(timed("search", "--library", library, query, *extra)[1] for _ in range(15))
            rows.append((name, f"median {statistics.median(times) * 1000:.0f} ms, worst of 15 {times[-1] * 1000:.0f} ms"))
        for name in ("seed", "real-dev"):
            asked, first, three = quality(library, queries, name, labels)
            rows.append((name, f"P@1 {first / asked:.3f}, expected among the first three {three} of {asked}"))
        out, seconds, _ = timed("duplicates", "--library", library, "--json")
        groups = [[labels[os.path.basename(picture["path"])] for picture in group["pictures"]]
                  for group in objects(out) if group["kind"] == "near"]
        grouped = sum(map(len, groups))
        pure = sum(max(group.count(label) for label in set(group)) for group in groups)
        sizes = {label: list(labels.values()).count(label) for label in set(labels.values())}
        share = {label: max((group.count(label) for group in groups), default=0) / size for label, size in sizes.items()}
        rows.append(("duplicates", f"{len(groups)} groups of {grouped} pictures in {seconds:.1f} s, pure {pure / max(grouped, 1):.4f}"))
        rows.append(("largest group of a template", f"least {min(share.values()):.2f}, median {statistics.median(share.values()):.2f} of its pictures"))
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
