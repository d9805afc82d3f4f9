"""The encoder alone, on prepared pixels: each model at each precision, one picture at once against 32, then beside its peers."""
import json
import os
import statistics

from work import PRECISIONS, Refused, interleaved, objects, ratio, row, run

MODELS = ("clip-vit-b-32", "bit-r50x1", "efficientnet-lite0")

# The ratio to the fastest peer of the row.
WANTED = {
    "clip-vit-b-32": {"f32": 1.15, "bf16": 1.15, "int8": 1.05},
    "bit-r50x1": {"f32": 1.15, "bf16": 1.25, "int8": 1.4},
    "efficientnet-lite0": {"f32": 1.2, "bf16": 1.1, "int8": 1.1},
}


def rate(work, model, precision, batch):
    ran = work.memelens("bench", "--model", model, "--precision", precision, "--batch", str(batch), "--threads", str(work.options.threads),
                        "--seconds", str(work.options.seconds), "--json")
    return objects(ran.out)[-1]


def alone(work, name):
    model = work.model(name)
    try:
        yield row(f"{name}: what auto takes", note=rate(work, model, "auto", 1)["precision"])
    except Refused as error:
        yield row(f"{name}: what auto takes", note=str(error))
    for precision in PRECISIONS:
        what = f"{name} {precision}, 32 at once"
        try:
            one, many = interleaved(work.options.rounds, *(
                lambda batch=batch: rate(work, model, precision, batch)["pictures_per_second"] for batch in (1, 32)))
        except Refused as error:
            yield row(what, note=str(error))
            continue
        yield row(what, statistics.median(many), "pictures/s", rounds=many)
        yield row(f"{name} {precision}, one at once against 32", statistics.median(one), "pictures/s", statistics.median(many), "itself, 32",
                  ratio(one, many), ratio_goal=(">=", 0.9) if name.startswith("clip") else None, rounds=one)


def beside(work, name):
    command = [work.side_by_side, work.program, "--models", name, "--rounds", str(work.options.rounds), "--threads", str(work.options.threads),
               "--seconds", str(work.options.seconds)]
    run(command, timeout=3600, env={"PEERS": work.peers, "HF_HUB_OFFLINE": "1"})
    with open(os.path.join(work.peers, "last.json"), encoding="utf-8") as file:
        measured = json.load(file)
    for got in measured:
        others = {peer: got[peer] for peer in ("torch", "onnxruntime", "openvino") if got.get(peer)}
        fastest = max(others, key=others.get)
        wanted = WANTED.get(name, {}).get(got["precision"])
        yield row(f"{name} {got['precision']} beside its peers, batch 32", got["memelens"], "pictures/s", others[fastest], fastest,
                  got["ratio_to_best_peer"], ratio_goal=(">=", wanted) if wanted else None,
                  note=", ".join([f"{peer} {value:.1f}" for peer, value in others.items() if peer != fastest]
                                   + ([] if got["memelens"] else ["ours: refused, see above"])), peers=others)


def measure(work):
    for name in work.options.models or MODELS:
        for part in (alone, beside) if work.peers else (alone,):
            try:
                yield from part(work, name)
            except Refused as error:
                yield row(f"{name}{' beside its peers' if part is beside else ''}", note=str(error))
