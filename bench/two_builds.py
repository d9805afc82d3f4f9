#!/usr/bin/env python3
"""Two builds of the program, in turns: what `index FOLDER` into a new library takes of processors and of time, and one search by a picture.

    bench/two_builds.py BEFORE AFTER FOLDER [--pairs 4] [--threads 2] [--searches 20]

Processor time counts every process that a run started, whoever was to wait for it."""
import argparse
import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36


def spent():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(argv):
    """(processor seconds, seconds) of ARGV and all that it left behind."""
    before, begun = spent(), time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lasted = time.monotonic() - begun
    if done.returncode != 0:
        sys.exit("%s: exit %d: %s" % (" ".join(argv), done.returncode, done.stderr.decode(errors="replace")))
    while True:  # orphans end when the program has
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return spent() - before, lasted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("folder")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--searches", type=int, default=20)
    given = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    place = tempfile.mkdtemp(prefix="two-builds-")
    picture = next(os.path.join(given.folder, name) for name in sorted(os.listdir(given.folder)) if name.endswith((".jpg", ".png", ".webp")))
    kept = os.path.join(place, "query." + picture.rsplit(".", 1)[1])
    with open(picture, "rb") as source, open(kept, "wb") as query:
        query.write(source.read() + b" ")  # no picture that the library knows: it has to be decoded
    ratios = []
    try:
        print("pair  index before: cpu s, s   after: cpu s, s   cpu after / before")
        for pair in range(given.pairs):
            row = []
            for program in (given.before, given.after) if pair % 2 == 0 else (given.after, given.before):
                library = os.path.join(place, "library")
                shutil.rmtree(library, ignore_errors=True)
                row.append(run([program, "--library", library, "index", "-q", "--threads", str(given.threads), given.folder]))
            if pair % 2:
                row.reverse()
            ratios.append(row[1][0] / row[0][0])
            print("%4d  %10.2f %8.2f %16.2f %8.2f %12.3f" % (pair + 1, *row[0], *row[1], ratios[-1]), flush=True)
        print("median of the ratios: %.3f (the machine's load now: %.1f)" % (statistics.median(ratios), os.getloadavg()[0]))
        times = ([], [])
        for _ in range(given.searches):
            for build, program in enumerate((given.before, given.after)):
                times[build].append(run([program, "--library", library, "search", kept]))
        for name, of in zip(("before", "after"), times):
            print("search by a picture, %-6s: median %.1f ms of processors, %.1f ms" %
                  (name, statistics.median(t[0] for t in of) * 1e3, statistics.median(t[1] for t in of) * 1e3))
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
