"""What bf16 and int8 cost OpenVINO on EfficientNet-Lite0 with its real weights; runs in the peers' environment.

    python peer_accuracy.py PLAN.json

PLAN: weights (safetensors, timm's names), pictures, ours (memelens' f32 vectors of the pictures), threads.
Ends with one JSON object of cosines, one for each picture: f32 (OpenVINO f32 to ours), bf16 and int8 (to OpenVINO f32).
int8 is NNCF's quantisation after training with its own defaults, twice: each half of the pictures is measured with a network that was
calibrated on the other half. So it is at its best, on pictures of the same kind, and never on the very ones.
"""
import contextlib
import json
import logging
import os
import sys
import tempfile

import nncf
import numpy as np
import openvino
import timm
import torch
from safetensors.torch import load_file

from peer_index import SIDE, prepare

HALF = np.full(3, 0.5, np.float32)
for logger in ("nncf", "openvino"):
    logging.getLogger(logger).setLevel(logging.ERROR)


def network(weights):
    module = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0).eval()
    # The classifier is not part of the network here; nothing else may be missing or left over.
    missing, left = module.load_state_dict(load_file(weights), strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    left = [name for name in left if not name.startswith("classifier.")]
    if missing or left:
        sys.exit(f"{weights}: not tf_efficientnet_lite0: {missing + left}")
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "network.onnx")
        torch.onnx.export(module, (torch.zeros(2, 3, SIDE, SIDE),), path, input_names=["x"], output_names=["y"],
                          dynamic_axes={"x": {0: "b"}, "y": {0: "b"}}, opset_version=17, dynamo=False)
        core = openvino.Core()
        # Saved and read again as bytes: the file is gone afterwards.
        with open(path, "rb") as file:
            return core, core.read_model(file.read())


def vectors(core, model, hint, pixels, threads):
    request = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": hint}).create_infer_request()
    got = np.concatenate([request.infer({0: pixels[i:i + 32]})[0].copy() for i in range(0, len(pixels), 32)]).astype(np.float64)
    return got / np.linalg.norm(got, axis=1, keepdims=True)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    pixels = np.stack([prepare(path, HALF, HALF) for path in plan["pictures"]])
    with contextlib.redirect_stdout(sys.stderr):
        core, model = network(plan["weights"])
        exact = vectors(core, model, "f32", pixels, plan["threads"])
        bf16 = vectors(core, model, "bf16", pixels, plan["threads"])
        int8 = np.empty_like(exact)
        for half in range(2):
            others = pixels[1 - half::2]
            data = nncf.Dataset(list(range(len(others))), lambda i, others=others: {"x": others[i:i + 1]})
            small = nncf.quantize(model, data, subset_size=len(others))
            int8[half::2] = vectors(core, small, "bf16", pixels[half::2], plan["threads"])
    ours = np.array(plan["ours"])
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    print(json.dumps({name: (one * other).sum(1).tolist() for name, one, other in (
        ("f32", exact, ours), ("bf16", bf16, exact), ("int8", int8, exact))}))


if __name__ == "__main__":
    main()
