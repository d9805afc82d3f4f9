"""Peak resident memory of `memelens index`, mapped weights counted."""
from work import CLIP, DEFAULT, Refused, row


def measure(work):
    for model, precision, goal in ((DEFAULT, "auto", None), (CLIP, "f32", None), (CLIP, "bf16", ("<=", 500))):
        what = f"indexing with {model} at {precision}, peak resident memory"
        try:
            library = work.library(model, work.sample(100 if work.options.quick else 300), precision)
        except Refused as error:
            yield row(what, note=str(error))
            continue
        yield row(what, library.memory / 1e6, "MB", goal=goal)
