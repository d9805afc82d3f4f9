"""What bf16 and int8 cost: cosines to f32 on real weights, beside OpenVINO's on the same pictures, and P@1 on real memes."""
import csv
import glob
import json
import math
import os

from memes import labelled, labels_of, quality
from work import DEFAULT, SHARED, Refused, objects, row

PHOTOS = os.path.join(SHARED, "photos")
TEXTS = "all-minilm-l6-v2"

# Mean, first percentile and least of the cosines to f32.
WANTED = {"bf16": (0.9993, 0.998, None), "int8": (0.994, None, None)}
STATISTICS = ("mean", "first percentile", "least")


def real(work, name):
    """NAME, pulled: random weights say nothing about accuracy."""
    model = work.model(name)
    if model != name:
        raise Refused(f"real weights are not here: memelens pull {name}")
    return model


def vectors(work, model, precision, arguments):
    ran = work.memelens("embed", "--model", model, "--precision", precision, "--json", *arguments)
    return [one["vector"] for one in objects(ran.out)]


def cosines(some, others):
    return [sum(map(float.__mul__, one, other)) / math.sqrt(sum(x * x for x in one) * sum(x * x for x in other))
            for one, other in zip(some, others, strict=True)]


def summary(values):
    """Mean, first percentile (between ranks, as NumPy has it) and least."""
    values = sorted(values)
    place = 0.01 * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return sum(values) / len(values), values[below] + (place - below) * (values[above] - values[below]), values[0]


def against_f32(work, model, count, arguments, theirs):
    """Rows of MODEL's cosines at each smaller precision; THEIRS: OpenVINO's cosines by precision."""
    exact = vectors(work, real(work, model), "f32", arguments)
    for precision, wanted in WANTED.items():
        what = f"{model} {precision}, cosine to f32 on {count}"
        try:
            mine = summary(cosines(vectors(work, model, precision, arguments), exact))
        except Refused as error:
            yield row(what, note=str(error))
            continue
        other = summary(theirs[precision]) if precision in theirs else (None,) * 3
        for name, value, peer, goal in zip(STATISTICS, mine, other, wanted):
            # How many times further from f32 the other one is.
            further = (1 - peer) / max(1 - value, 1e-12) if peer is not None else None
            yield row(f"{what}, {name}", value, "", peer, "OpenVINO" if peer is not None else "", further, (">=", goal) if goal else None,
                      (">=", 1.0) if name == "mean" and further else None,
                      note="ratio: of the distances to f32" if further else "")


def pictures_of(folder, count):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".jpg")][:count]


def openvino(work, photos):
    """OpenVINO's cosines to its own f32, and the least cosine of its f32 to ours: the same network on the same pixels, or nothing."""
    models = os.environ.get("MEMELENS_MODELS") or os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"),
                                                               "memelens", "models")
    plan = work.own_path("plan.json")
    with open(plan, "w", encoding="utf-8") as file:
        json.dump({"weights": os.path.join(models, DEFAULT, "model.safetensors"), "pictures": photos, "threads": work.options.threads,
                   "ours": vectors(work, real(work, DEFAULT), "f32", photos)}, file)
    return work.peer("peer_accuracy.py", plan)


def photos(work, count):
    paths = pictures_of(os.path.join(PHOTOS, "flickr"), count)
    theirs = {}
    if work.peers:
        try:
            theirs = openvino(work, paths)
            yield row(f"{DEFAULT} f32, least cosine to OpenVINO f32", min(theirs["f32"]), goal=(">=", 0.99999), note="the same network on the same pixels")
        except Refused as error:
            yield row("OpenVINO's accuracy", note=str(error))
    yield from against_f32(work, DEFAULT, f"{len(paths)} photos", paths, theirs)


def captions(work, count):
    with open(os.path.join(PHOTOS, "captions.tsv"), encoding="utf-8", newline="") as file:
        first = {line["file"]: line["caption"] for line in reversed(list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)))}
    words = [first[name] for name in sorted(first)][:count]
    yield from against_f32(work, TEXTS, f"{len(words)} captions", [part for caption in words for part in ("--text", caption)], {})


def golden(work):
    """The small checkpoints of ../shared/golden on their own few pictures: reported, nothing is wanted of them."""
    home = os.path.join(SHARED, "golden")
    for weights in sorted(glob.glob(os.path.join(glob.escape(home), "*", "*model.safetensors"))):
        folder = os.path.dirname(weights)
        name = os.path.basename(folder)
        pictures = sorted(glob.glob(os.path.join(glob.escape(folder), "picture*.png")))
        for precision in WANTED:
            what = f"golden {name} {precision}, least cosine to f32"
            try:
                some, exact = (vectors(work, folder, chosen, pictures) for chosen in (precision, "f32"))
                yield row(what, min(cosines(some, exact)), note=f"{len(pictures)} pictures")
            except Refused as error:
                yield row(what, note=str(error))


def memes(work):
    corpus = labelled(work)
    labels = labels_of(corpus, corpus)
    exact = None
    for precision in ("f32", *WANTED):
        what = f"real-dev P@1, {DEFAULT} {precision}"
        try:
            real(work, DEFAULT)
            asked, first, _ = quality(work, work.library(DEFAULT, corpus, precision), "real-dev", labels, precision)
        except Refused as error:
            yield row(what, note=str(error))
            continue
        exact = first / asked if precision == "f32" else exact
        yield row(what, first / asked, "", goal=(">=", exact - 0.01) if exact and precision != "f32" else None, note=f"{asked} queries")


def measure(work):
    if not os.path.isdir(PHOTOS):
        yield row("accuracy", note="needs ../shared/photos")
        return
    count = 100 if work.options.quick else 500
    for part in (photos(work, count), captions(work, count), golden(work), *(() if work.options.quick else (memes(work),))):
        try:
            yield from part
        except Refused as error:
            yield row("accuracy", note=str(error))
