"""One query over 1,000,000 x 512: build/bench/scan, beside faiss' 8-bit flat index on the same vectors (peer_faiss.py)."""
import os
import statistics
import subprocess

from work import ROOT, Refused, interleaved, objects, ratio, row, run


class Faiss:
    """peer_faiss.py with its index in memory; asked for its median once a round."""

    def __init__(self, work, vectors, first):
        python = work.python()
        try:
            run([python, "-c", "import faiss"])
        except Refused:
            run([python, "-m", "pip", "install", "-q", "faiss-cpu"])
        self.child = subprocess.Popen([python, os.path.join(ROOT, "bench", "peer_faiss.py"), vectors, str(first["rows"]), str(first["dim"]),
                                       str(first["threads"])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.child.stdout.readline() != "ready\n":
            raise Refused("peer_faiss.py did not start")

    def milliseconds(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return float(self.child.stdout.readline())

    def close(self):
        self.child.stdin.close()
        self.child.wait(60)


def measure(work):
    program = os.path.join(os.path.dirname(work.program), "bench", "scan")
    if not os.path.exists(program):
        yield row("a scan of 1,000,000 x 512", note=f"{os.path.relpath(program, ROOT)} is not there")
        return
    vectors = work.own_path("vectors.f32")
    faiss = None

    def ours(*arguments):
        return objects(run([program, *arguments], timeout=600).out)

    try:
        first = max(ours(*(("--out", vectors) if work.peers else ())), key=lambda got: (got["threads"], got["rows"]))
        what = f"one query over {first['rows']:,} x {first['dim']}, {first['threads']} threads"
        shape = "rows", "dim", "threads"

        def again():
            return next(got for got in ours() if all(got[name] == first[name] for name in shape))

        measures = [again]
        trouble = ""
        if work.peers:
            try:
                faiss = Faiss(work, vectors, first)
                measures.append(faiss.milliseconds)
            except (Refused, OSError) as error:
                trouble = f"faiss: {error}"
        got = interleaved(work.options.rounds, *measures)
        mine = [one["int8_ms"] for one in got[0]]
        yield row(f"{what}, int8 and re-ranking", statistics.median(mine), "ms", rounds=mine, note=trouble,
                  **({"peer": statistics.median(got[1]), "beside": "faiss 8-bit", "ratio": ratio(mine, got[1]), "ratio_goal": ("<=", 0.5),
                      "peer_rounds": got[1]} if faiss else {}))
        yield row(f"{what}, f32", statistics.median(one["f32_ms"] for one in got[0]), "ms")
        yield row("recall@10 of the int8 scan against the f32 scan", min(one["recall_at_10"] for one in got[0]), goal=(">=", 0.999),
                  note=f"{first['candidates']} candidates re-ranked")
    finally:
        if faiss:
            faiss.close()
        if os.path.exists(vectors):
            os.remove(vectors)
