#!/usr/bin/env python3
"""Works the figures of `memelens compare --json` out once more, with NumPy and by other ways, and compares.

usage: memelens compare QUERIES.tsv ... --json | tools/check_comparison.py [-]      (needs numpy)

From each row's ranks: P@1, hit@3, hit@10 and the mean reciprocal rank; intervals by NumPy's own bootstrap, which draws other samples, so they
agree but for chance; the sign test by summing the binomial; the winners; verdicts "good" from the ranks. Exit 1 when anything differs.
"""
import json
import math
import sys

import numpy

METRICS = {"p_at_1": 1, "hit_at_3": 3, "hit_at_10": 10, "mrr": None}


def value(metric, rank):
    if rank is None:
        return 0.0
    within = METRICS[metric]
    return 1.0 / rank if within is None else float(rank <= within)


def main():
    found = json.loads((sys.stdin if len(sys.argv) < 2 or sys.argv[1] == "-" else open(sys.argv[1], encoding="utf-8")).read())
    lot, worst, wrong, checked = numpy.random.default_rng(7), 0.0, 0, 0

    def same(what, a, b, tolerance):
        nonlocal wrong, checked
        checked += 1
        if not abs(a - b) <= tolerance:
            wrong += 1
            print(f"{what}: {a} here, {b} there")

    def values(model, metric):
        return {i: value(metric, row["rank"][model]) for i, row in enumerate(found["rows"]) if row["judged"] and model in row["rank"]}

    models = [m for m in found["models"] if "error" not in m]
    for model in models:
        for metric in METRICS:
            v = numpy.array(list(values(model["model"], metric).values()))
            same(f"{model['model']} queries", len(v), model["judged"], 0)
            if not len(v):
                continue
            same(f"{model['model']} {metric}", v.mean(), model[metric], 1e-9)
            means = lot.choice(v, (20000, len(v))).mean(axis=1)
            for mine, theirs in zip(numpy.percentile(means, [2.5, 97.5]), model["intervals"][metric]):
                same(f"{model['model']} {metric} interval", mine, theirs, max(1.5 / len(v), 0.01))  # means move in steps of about 1 / len
                worst = max(worst, abs(mine - theirs))
        good = sum(row["verdict"].get(model["model"]) == "good" for row in found["rows"])
        same(f"{model['model']} good", good, sum(1 for row in found["rows"] if row["judged"] and (row["rank"].get(model["model"]) or 99) <= 3), 0)
    for pair in found["pairs"]:
        for metric in METRICS:
            a, b = values(pair["a"], metric), values(pair["b"], metric)
            d = numpy.array([a[i] - b[i] for i in a if i in b])
            if not len(d):
                continue
            same(f"{pair['a']} and {pair['b']} {metric}", d.mean(), pair[metric]["difference"], 1e-9)
            wins, losses = int((d > 0).sum()), int((d < 0).sum())
            tail = sum(math.comb(wins + losses, k) for k in range(min(wins, losses) + 1)) * 2 / 2 ** (wins + losses)
            p = 1.0 if wins == losses else min(1.0, tail)
            same(f"{pair['a']} and {pair['b']} {metric} sign test", p, pair[metric]["p"], 1e-9)
            carried = p < 0.05 and (pair[metric]["interval"][0] > 0 or pair[metric]["interval"][1] < 0)
            same(f"{pair['a']} and {pair['b']} {metric} better", bool(pair[metric]["better"]), carried, 0)
    for i, row in enumerate(found["rows"]):
        ranks = {m: r for m, r in row["rank"].items() if r}
        winners = sorted(m for m in ranks if row["judged"] and ranks[m] == min(ranks.values()))
        same(f"row {i} winners", sorted(row["winners"]) == winners, True, 0)
    print(f"{checked} figures, {wrong} differ; the intervals' ends by at most {worst:.3f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
