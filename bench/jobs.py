"""The whole job: a folder of pictures becomes a library, against a script that does the same with Pillow and OpenVINO (peer_index.py)."""
import os
import statistics

from work import CLIP, DEFAULT, Refused, interleaved, picture_files, ratio, read_all, row

# The model, how many of the pictures (None: all), and how many when it has to be quick, the peer's precision, the ratio that is wanted.
JOBS = ((DEFAULT, None, 1000, "f32", 2.0), (CLIP, 1500, 300, "bf16", 1.5))


def job(work, name, count, precision, wanted):
    folder = work.sample(count) if count else work.pictures()
    read_all(folder)
    number = len(picture_files(folder))
    what = f"indexing {number:,} pictures with {name}"
    work.model(name)

    def ours():
        library = work.index(name, folder, "--precision", "auto", "--threads", str(work.options.threads))
        work.libraries[name, folder, "auto"] = library
        return library.report["indexed"] / library.seconds

    def theirs():
        got = work.peer("peer_index.py", os.path.join(work.peers, f"{name}.onnx"), folder, "--precision", precision, "--like", name,
                        "--threads", work.options.threads, timeout=3600)
        whole.append(got["pictures"] / (got["seconds"] + got["start_seconds"]))
        return got["pictures"] / got["seconds"]

    whole = []
    if not work.peers:
        (mine,) = interleaved(work.options.rounds, ours)
        return row(what, statistics.median(mine), "pictures/s", rounds=mine)
    work.peer_model(name)
    mine, other = interleaved(work.options.rounds, ours, theirs)
    # Ours from the first instruction to the last; theirs without importing and compiling, which a sample would make too much of.
    return row(what, statistics.median(mine), "pictures/s", statistics.median(other), f"Pillow and OpenVINO {precision}", ratio(mine, other),
               ratio_goal=(">=", wanted), note=f"ratio with the script's start counted: {ratio(mine, whole):.2f}", rounds=mine, peer_rounds=other)


def measure(work):
    for name, count, quick, precision, wanted in JOBS:
        try:
            yield job(work, name, quick if work.options.quick else count, precision, wanted)
        except Refused as error:
            yield row(f"indexing with {name}", note=str(error))
