"""A cold query: what a person waits for after typing it. The whole process, its files in the page cache."""
import itertools
import statistics

from work import CLIP, DEFAULT, Refused, picture_files, row


def times(work, library, model, terms):
    """Milliseconds of searches, one process each, for TERMS in turn."""
    search = ("search", "--library", library.path, "--model", work.model(model))
    for term in terms:
        work.memelens(*search, term)
    count = 10 if work.options.quick else 40
    return sorted(work.memelens(*search, term).seconds * 1000 for term in itertools.islice(itertools.cycle(terms), count))


def query(work, what, model, folder, terms, wanted):
    try:
        taken = times(work, work.library(model, folder), model, terms)
    except Refused as error:
        return row(what, note=str(error))
    return row(f"{what} ({model}, {len(picture_files(folder)):,} pictures)", statistics.median(taken), "ms", goal=("<=", wanted),
               note=f"worst of {len(taken)}: {taken[-1]:.0f} ms", rounds=taken)


def measure(work):
    yield query(work, "search ./picture.jpg", DEFAULT, work.pictures(), work.strangers(), 60)
    yield query(work, 'search "two words"', CLIP, work.sample(300), ["two words", "red balloon", "angry cat"], 120)
