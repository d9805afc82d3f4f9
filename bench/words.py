"""Words: what is read in pictures, and how often a few words find the picture that they stand on; on memes whose captions are known."""
import os
import random
import re
import statistics
import time

from memes import labelled, table
from work import DEFAULT, ROOT, Refused, objects, row

SEED, SAMPLE = 1, 300
SENTENCES = "all-minilm-l6-v2"


def words_of(text):
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)


def three_in_order(text, wanted):
    found, wanted = [word.lower() for word in words_of(text)], [word.lower() for word in wanted]
    return any(found[at:at + 3] == wanted for at in range(len(found) - 2))


def queries_of(captions, files):
    """For each of FILES whose caption has them: three words one behind the other, of three letters and more, and the same with one letter changed."""
    dice = random.Random(SEED + 1)
    for name in files:
        words = words_of(captions[name])
        places = [at for at in range(len(words) - 2) if all(len(word) >= 3 for word in words[at:at + 3])]
        if not places:
            continue
        at = dice.choice(places)
        wanted = words[at:at + 3]
        which = dice.randrange(3)
        letter = dice.randrange(len(wanted[which]))
        other = dice.choice([c for c in "abcdefghijklmnopqrstuvwxyz" if c != wanted[which][letter].lower()])
        changed = list(wanted)
        changed[which] = wanted[which][:letter] + other + wanted[which][letter + 1:]
        yield wanted, changed


def ask(work, library, words, *options, n=3):
    """The names of the files that WORDS find. (A blank before them: they are never a file's name.)"""
    ran = work.memelens("search", "--library", library, "--json", "-n", str(n), *options, " " + words)
    return [os.path.basename(result["path"]) for result in objects(ran.out)]


def hits(work, library, captions, queries, *options):
    """The share of QUERIES of which one of the first three results has the words, as they are in the caption, in order: as typed, and with a letter changed."""
    return [sum(any(three_in_order(captions.get(name, ""), query[0]) for name in ask(work, library, " ".join(query[typed]), *options)) for query in queries) / len(queries)
            for typed in (0, 1)]


def read_share(work, library, captions, files):
    """The share of the captions' words, of three letters and more, that the pictures' own text has."""
    wanted = found = 0
    texts = {os.path.basename(one["path"]): one["read"] or "" for one in objects(work.memelens("status", "--library", library, "--texts", "--json").out)}
    for name in files:
        have = [word.lower() for word in words_of(texts.get(name, ""))]
        for word in (word.lower() for word in words_of(captions[name]) if len(word) >= 3):
            wanted += 1
            if word in have:
                have.remove(word)
                found += 1
    return found / wanted


def reading(work, captions, files, folder):
    sample = work.own_path("sample")
    os.mkdir(sample)
    for name in files:
        os.link(os.path.join(folder, name), os.path.join(sample, name)) if os.stat(folder).st_dev == os.stat(sample).st_dev else \
            os.symlink(os.path.join(folder, name), os.path.join(sample, name))
    library = work.index("colour", sample).path
    report = objects(work.memelens("ocr", "-q", "--library", library, "--json").out)[-1]
    yield row("words of the captions that are read", read_share(work, library, captions, files), goal=(">=", 0.85), note=f"{len(files)} pictures; the aim is 0.92")
    yield row("reading a picture", report["seconds"] / report["read"], "s", goal=("<=", 0.15), note="all processors")
    exact, changed = hits(work, library, captions, list(queries_of(captions, files)), "--by", "text")
    yield row("three words find it, by what was read", exact, goal=(">=", 0.8), note=f"among {len(files)}")
    yield row("the same with one letter changed", changed, goal=(">=", 0.7))


def meaning(work, library):
    """The paraphrases of tests/golden, by text alone, by meaning alone and by all."""
    path = os.path.join(ROOT, "tests", "golden", "paraphrases.tsv")
    lines = table(path)
    for way in ("text", "meaning", "all"):
        ranks = [(ask(work, library, line["query"], "--by", way, n=10), line["expected"]) for line in lines]
        found = sum(expected in names for names, expected in ranks)
        yield row(f"paraphrases, hit@10, by {way}", found / len(lines), note=f"{found} of {len(lines)}; first: {sum(names[:1] == [expected] for names, expected in ranks)}")


def measure(work):
    try:
        corpus = labelled(work)
        captions = {line["file"]: line["caption"] for line in table(os.path.join(corpus, "captions.tsv"))}
        files = random.Random(SEED).sample(sorted(captions), 60 if work.options.quick else SAMPLE)
        yield from reading(work, captions, files, corpus)
        folder = work.sample(1000, corpus) if work.options.quick else corpus
        sentences = any(one["model"] == SENTENCES and one["present"] for one in objects(work.memelens("models", "--json").out))
        library = work.index(DEFAULT, folder, "--captions", os.path.join(corpus, "captions.tsv")).path
        queries = list(queries_of(captions, files))
        exact, changed = hits(work, library, captions, queries)
        yield row("three words find it, by captions", exact, goal=(">=", 0.98), note=f"{len(queries)} queries among {len(os.listdir(folder)):,} pictures, all ways together")
        yield row("the same with one letter changed", changed, goal=(">=", 0.9))
        if sentences and not work.options.quick:
            yield from meaning(work, library)
        elif not sentences:
            yield row("paraphrases", note=f"not here: memelens pull {SENTENCES}")
        begin = time.monotonic()
        taken = []
        for query in queries[:40]:
            begin = time.monotonic()
            ask(work, library, " ".join(query[0]))
            taken.append(1000 * (time.monotonic() - begin))
        yield row("cold search of words, all ways", statistics.median(taken), "ms", note=f"worst of {len(taken)}: {max(taken):.0f} ms")
    except Refused as error:
        yield row("words", note=str(error))
