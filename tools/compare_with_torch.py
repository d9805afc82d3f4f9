#!/usr/bin/env python3
"""Compares memelens with PyTorch at full size, pixels to vectors and words to vectors, on real pictures.

usage: compare_with_torch.py MEMELENS PICTURES [--shapes a,b] [--models DIR] [--count 10] [--vocabulary DIR]

MEMELENS is the program, PICTURES a folder of pictures, of which COUNT are taken. For each shape a model folder with random weights
is made in DIR (by default below the cache folder; models are kept and used again), `memelens embed --json` is run on it, and its vectors are
compared with those of the model's own Python library, preparation included. Needs torch, transformers, timm and Pillow; open_clip_torch
for the shapes in OpenCLIP's form, which are left out without it. CLIP's vocabulary (vocab.json, merges.txt) is read from --vocabulary.

Random weights as libraries draw them give nearly the same vector for every picture. Here they are drawn larger, so that the vectors of
different pictures are far apart: "spread" is the least cosine between two of them, and a comparison means something only as far as it is
below 1. Exits with 1 when a cosine is below 0.99999.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
from PIL import Image, ImageOps

ASKED = 0.99999
TEXTS = ["a photo of a cat", "two dogs play with a ball on the beach", "One does not simply walk into Mordor", "distracted boyfriend", "x",
         "a " * 100, "Grüße aus Zürich!", "42 is the answer to life, the universe & everything"]


def clip(vision, text, dim):
    return {"family": "clip", "vision": vision, "text": text, "dim": dim}


def bit(name):
    return {"family": "bit", "name": name}


def open_clip(name, quick=False):
    return {"family": "open_clip", "name": name, "quick": quick}


SHAPES = {
    "clip-vit-b-32": clip({}, {"eos_token_id": 2}, 512),
    "clip-vit-l-14-336": clip(dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, patch_size=14,
                                   image_size=336),
                              dict(hidden_size=768, intermediate_size=3072, num_attention_heads=12, eos_token_id=2), 768),
    "tinyclip-vit-8m-16-text-3m": clip(dict(hidden_size=256, intermediate_size=1024, num_hidden_layers=10, num_attention_heads=4, patch_size=16),
                                       dict(hidden_size=256, intermediate_size=1024, num_hidden_layers=3, num_attention_heads=4), 512),
    "bit-r50x1": bit("resnetv2_50x1_bit"),
    "bit-r101x1": bit("resnetv2_101x1_bit"),
    "open-clip-vit-b-32": open_clip("ViT-B-32"),
    "open-clip-vit-b-16-quickgelu": open_clip("ViT-B-16-quickgelu", quick=True),
}


def enliven(model, seed):
    """Draws the weights of MODEL anew so that what goes in matters to what comes out: matrices keep the size of what passes through them
    (variance 1 / inputs, and more for queries and keys, so that attention attends), norms and biases are not trivial."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.state_dict().items():
        if not weight.is_floating_point() or name.endswith("logit_scale"):
            continue
        plain = torch.randn(weight.shape, generator=generator)
        if "embedding" in name:  # classes, tokens, positions; patches are a matrix below
            value = plain * (0.5 if weight.ndim < 4 else weight[0].numel() ** -0.5)
        elif weight.ndim >= 2:
            inputs = weight[0].numel()
            if name in ("visual.proj", "text_projection"):  # plain matrices [in, out]
                inputs = weight.shape[0]
            gain = 2.0 if ("q_proj" in name or "k_proj" in name or "in_proj" in name) else 1.0
            value = plain * gain * inputs ** -0.5
        elif name.endswith("bias"):
            value = plain * 0.1
        else:
            value = 1 + plain * 0.1
        weight.copy_(value)


def save_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)


def make_clip(folder, shape, vocabulary):
    from transformers import CLIPConfig, CLIPModel
    config = CLIPConfig(vision_config=dict(shape["vision"], projection_dim=shape["dim"]), text_config=dict(shape["text"], projection_dim=shape["dim"]),
                        projection_dim=shape["dim"])
    model = CLIPModel(config).eval()
    enliven(model, 1)
    model.save_pretrained(folder)
    side = config.vision_config.image_size
    save_json(f"{folder}/preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": side}, "resample": 3, "do_center_crop": True,
        "crop_size": {"height": side, "width": side}, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]})
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(f"{vocabulary}/{name}", folder)


def make_bit(folder, shape, _):
    import timm
    from safetensors.torch import save_file
    model = timm.create_model(shape["name"], pretrained=False, num_classes=0).eval()
    enliven(model, 2)
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, f"{folder}/model.safetensors")
    save_json(f"{folder}/config.json", {
        "architecture": shape["name"], "num_classes": 0, "num_features": model.num_features, "global_pool": "avg",
        "pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bilinear", "crop_pct": 0.875, "crop_mode": "center",
                           "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}})


def make_open_clip(folder, shape, vocabulary):
    import open_clip as library
    from safetensors.torch import save_file
    config = dict(library.get_model_config(shape["name"]))
    model = library.create_model(shape["name"]).eval()
    enliven(model, 3)
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, f"{folder}/open_clip_model.safetensors")
    save_json(f"{folder}/open_clip_config.json", {"model_cfg": config, "preprocess_cfg": {"mean": list(model.visual.image_mean),
                                                                                         "std": list(model.visual.image_std)}})
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(f"{vocabulary}/{name}", folder)


def reference_clip(folder, _, pictures, texts):
    from transformers import CLIPModel, CLIPTokenizer
    # The processor that resizes as Pillow does, which all releases before the fifth did.
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    model, processor, tokenizer = CLIPModel.from_pretrained(folder).eval(), CLIPImageProcessorPil.from_pretrained(folder), None
    tokenizer = CLIPTokenizer(f"{folder}/vocab.json", f"{folder}/merges.txt")
    images = [model.get_image_features(**processor(images=p, return_tensors="pt")).pooler_output[0] for p in pictures]
    words = [model.get_text_features(**tokenizer(t, truncation=True, max_length=77, return_tensors="pt")).pooler_output[0] for t in texts]
    return images, words


def reference_bit(folder, shape, pictures, _):
    import timm
    from safetensors.torch import load_file
    model = timm.create_model(shape["name"], pretrained=False, num_classes=0).eval()
    model.load_state_dict(load_file(f"{folder}/model.safetensors"))
    with open(f"{folder}/config.json", encoding="utf-8") as file:
        settings = json.load(file)["pretrained_cfg"]
    transform = timm.data.create_transform(input_size=tuple(settings["input_size"]), interpolation=settings["interpolation"],
                                           crop_pct=settings["crop_pct"], mean=settings["mean"], std=settings["std"], is_training=False)
    return [model(transform(p)[None])[0] for p in pictures], []


def reference_open_clip(folder, shape, pictures, texts):
    import open_clip as library
    model, _, transform = library.create_model_and_transforms(shape["name"], pretrained=f"{folder}/open_clip_model.safetensors")
    model, tokenizer = model.eval(), library.get_tokenizer(shape["name"])
    return [model.encode_image(transform(p)[None])[0] for p in pictures], [model.encode_text(tokenizer([t]))[0] for t in texts]


MAKE = {"clip": make_clip, "bit": make_bit, "open_clip": make_open_clip}
REFERENCE = {"clip": reference_clip, "bit": reference_bit, "open_clip": reference_open_clip}


def ours(program, folder, inputs, as_text):
    command = [program, "embed", "--json", "--model", folder]
    for item in inputs:
        command += [f"--text={item}"] if as_text else [item]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command[:5])}: {run.stderr.strip()}")
    return np.array([json.loads(line)["vector"] for line in run.stdout.splitlines()])


def compare(what, got, expected):
    """Prints one line; whether the least cosine is good enough."""
    expected = np.array([v.double().numpy() / np.linalg.norm(v.double().numpy()) for v in expected])
    cosines = (got * expected).sum(1) / np.linalg.norm(got, axis=1)
    others = (expected @ expected.T)[~np.eye(len(expected), dtype=bool)]
    print(f"{what}: {len(got)} vectors, cosine at least {cosines.min():.9f}, largest difference {np.abs(got - expected).max():.2g}, "
          f"spread {others.min():.3f} to {others.max():.3f}", flush=True)
    return cosines.min() >= ASKED


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("memelens")
    parser.add_argument("pictures")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--models", default=os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "memelens-compare"))
    parser.add_argument("--count", type=int, default=10)
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--vocabulary", default=os.path.join(here, "..", "..", "shared", "golden", "clip-vit-b32", "hf"))
    options = parser.parse_args()
    names = sorted(os.path.join(root, name) for root, _, files in os.walk(options.pictures) for name in files
                   if name.lower().endswith((".jpg", ".jpeg", ".png")))
    names = names[:: max(1, len(names) // options.count)][: options.count]
    if not names:
        sys.exit(f"{options.pictures}: no pictures")
    good = True
    for name in options.shapes.split(","):
        if name not in SHAPES:
            sys.exit(f"{name}: not one of {', '.join(SHAPES)}")
        shape = SHAPES[name]
        if shape["family"] == "open_clip":
            try:
                import open_clip as _  # noqa: F401
            except ImportError:
                print(f"{name}: left out, open_clip_torch is not installed")
                continue
        folder = os.path.abspath(os.path.join(options.models, name))
        with torch.inference_mode():
            if not os.path.exists(f"{folder}/made"):
                os.makedirs(folder, exist_ok=True)
                MAKE[shape["family"]](folder, shape, options.vocabulary)
                with open(f"{folder}/made", "w", encoding="utf-8"):
                    pass
            pictures = [ImageOps.exif_transpose(Image.open(p)).convert("RGB") for p in names]
            images, words = REFERENCE[shape["family"]](folder, shape, pictures, TEXTS)
        good &= compare(f"{name}, pictures", ours(options.memelens, folder, names, False), images)
        if words:
            good &= compare(f"{name}, words", ours(options.memelens, folder, TEXTS, True), words)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
