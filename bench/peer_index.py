"""What a competent person would write to index a folder in Python; runs in the peers' environment (Pillow, NumPy, OpenVINO).

    python peer_index.py MODEL.onnx FOLDER [--precision f32] [--like clip-vit-b-32] [--threads 2] [--batch 32] [--out vectors.npy]

Threads decode, resize and normalise; the main thread encodes the batch before meanwhile. Ends with one JSON object.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import sys
import tempfile
import time

BEGIN = time.monotonic()

import numpy as np
import openvino
from PIL import Image

MEAN_STD = {"clip-vit-b-32": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))}
SIDE = 224


def prepare(path, mean, std):
    """The shortest side to 224, bicubic, the centre of it, as torchvision cuts it: [3, 224, 224]; None for what is no picture."""
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except OSError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return None
    width, height = image.size
    short = min(width, height)
    width, height = SIDE * width // short, SIDE * height // short
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - SIDE) / 2), round((height - SIDE) / 2)
    pixels = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)), dtype=np.float32)
    return (pixels * (1 / (255 * std)) - mean / std).transpose(2, 0, 1)


def prepared(paths, threads, ahead, mean, std):
    """(path, pixels) in the order of PATHS, at most AHEAD of them decoded before they are asked for."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque()
        for path in paths:
            waiting.append((path, pool.submit(prepare, path, mean, std)))
            if len(waiting) > ahead:
                path, job = waiting.popleft()
                yield path, job.result()
        for path, job in waiting:
            yield path, job.result()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--like", default="")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--out")
    options = parser.parse_args()
    mean, std = (np.array(three, np.float32) for three in MEAN_STD.get(options.like, ((0.5,) * 3,) * 2))

    core = openvino.Core()
    model = core.read_model(options.model)
    model.reshape([options.batch, 3, SIDE, SIDE])
    request = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": options.threads, "INFERENCE_PRECISION_HINT": options.precision}).create_infer_request()
    ready = time.monotonic()

    paths = sorted(entry.path for entry in os.scandir(options.folder) if entry.name.endswith((".jpg", ".png", ".ppm", ".webp")))
    batch = np.zeros((options.batch, 3, SIDE, SIDE), np.float32)
    vectors, names, filled = [], [], 0

    def encode():
        got = request.infer({0: batch})[0][:filled]
        vectors.append(got / np.linalg.norm(got, axis=1, keepdims=True))

    for path, pixels in prepared(paths, options.threads, 3 * options.batch, mean, std):
        if pixels is None:
            continue
        batch[filled] = pixels
        names.append(path)
        filled += 1
        if filled == options.batch:
            encode()
            filled = 0
    if filled:
        encode()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or os.path.join(scratch, "vectors.npy")
        np.save(out, np.concatenate(vectors))
        with open(f"{out}.txt", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{name}\n" for name in names)
    print(json.dumps({"pictures": len(names), "seconds": time.monotonic() - ready, "start_seconds": ready - BEGIN}))


if __name__ == "__main__":
    main()
