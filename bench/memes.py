"""The whole program on labelled memes: disk, refresh, folding, and how often a meme that a person captioned finds its own template."""
import csv
import os
import statistics

from work import DEFAULT, SHARED, Refused, objects, row

QUERIES = os.path.join(SHARED, "memes", "queries")


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def labelled(work):
    """The folder of labelled memes."""
    folder = work.corpus()
    if not folder:
        raise Refused("needs ../shared/memes, or CORPUS=DIR with labels.tsv")
    return folder


def labels_of(corpus, folder):
    """The template of each file of FOLDER, which is CORPUS or a sample of it. Refused when nobody labelled them."""
    try:
        return {line["file"]: line["template"] for line in table(os.path.join(corpus, "labels.tsv"))
                if os.path.exists(os.path.join(folder, line["file"]))}
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from error


def quality(work, library, name, labels, precision="auto"):
    """Asks LIBRARY each query of NAME.tsv: (asked, the expected template first, among the first three)."""
    first = three = asked = 0
    if not os.path.isdir(QUERIES):
        raise Refused("needs ../shared/memes/queries")
    for line in table(os.path.join(QUERIES, f"{name}.tsv")):
        expected = set(filter(None, line["expected"].split(";")))
        if not expected:
            continue
        ran = work.memelens("search", "--library", library.path, "--precision", precision, "--json", "-n", "3", os.path.join(QUERIES, line["query"]))
        got = [labels[os.path.basename(result["path"])] for result in objects(ran.out)]
        asked += 1
        first += got[:1] != [] and got[0] in expected
        three += bool(expected & set(got))
    return asked, first, three


def folding(work, library, labels):
    """How near-identical pictures are grouped, held against the labels."""
    ran = work.memelens("duplicates", "--library", library.path, "--json")
    groups = [[labels[os.path.basename(picture["path"])] for picture in group["pictures"]]
              for group in objects(ran.out) if group["kind"] == "near"]
    grouped = sum(map(len, groups))
    pure = sum(max(group.count(label) for label in set(group)) for group in groups)
    sizes = {label: list(labels.values()).count(label) for label in set(labels.values())}
    share = [max((group.count(label) for group in groups), default=0) / size for label, size in sizes.items()]
    yield row("duplicates", ran.seconds, "s", note=f"{len(groups)} groups of {grouped} pictures")
    yield row("pictures in a group of their own template", pure / max(grouped, 1))
    yield row("largest group of a template, share of its pictures, median", statistics.median(share), note=f"least {min(share):.2f}")


def measure(work):
    try:
        corpus = labelled(work)
        folder = work.sample(1000, corpus) if work.options.quick else corpus
        labels = labels_of(corpus, folder)
        library = work.library(DEFAULT, folder)
        yield row("library on disk", library.report["library_bytes"] / 1e6, "MB", note=f"{library.report['indexed']:,} pictures")
        yield row("indexing again, nothing changed", work.memelens("index", "-q", "--library", library.path).seconds, "s")
        query = work.strangers()[0]
        taken = [work.memelens("search", "--library", library.path, query, "--fold").seconds * 1000 for _ in range(9)]
        yield row("cold search, folded", statistics.median(taken), "ms", note=f"worst of 9: {max(taken):.0f} ms")
        yield from folding(work, library, labels)
        for name in ("seed",) if work.options.quick else ("seed", "real-dev"):
            asked, first, three = quality(work, library, name, labels)
            yield row(f"{name}: own template first (P@1)", first / asked, note=f"among the first three: {three} of {asked}")
    except Refused as error:
        yield row("memes", note=str(error))
