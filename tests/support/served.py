"""What the tests in Python share: made pictures, a library of them, a server, checks of one line each."""
import os
import random
import re
import signal
import subprocess
import tempfile

failed = 0

# A machine without models, whatever was pulled on this one: what they add to a query is tested elsewhere.
own_data = tempfile.TemporaryDirectory()
os.environ["XDG_DATA_HOME"] = own_data.name
for name in ("MEMELENS_MODELS", "MEMELENS_LIBRARY"):
    os.environ.pop(name, None)


def check(name, right, why=""):
    global failed
    print(f"ok {name}" if right else f"FAILED {name}: {why}", flush=True)
    failed += not right


def failures():
    return failed


def picture(path, label, size, noise):
    """A PNM: a gradient and a block whose colours and place are the label's."""
    lot, own = random.Random(label), random.Random(noise)
    a, b, c = ([lot.randrange(256) for _ in range(3)] for _ in range(3))
    x0, y0 = lot.randrange(size // 2), lot.randrange(size // 2)
    rows = bytearray()
    for y in range(size):
        for x in range(size):
            inside = x0 <= x < x0 + size // 3 and y0 <= y < y0 + size // 3
            for i in range(3):
                value = c[i] if inside else (a[i] * x + b[i] * (size - x)) // size
                rows.append(max(0, min(255, value + own.randrange(-20, 21))))
    with open(path, "wb") as out:
        out.write(b"P6 %d %d 255\n" % (size, size) + rows)


def library(program, folder, count, models=("colour",), captions=()):
    """COUNT pictures of eight labels and one that is none, in FOLDER/pictures, and a library of them and of CAPTIONS, (file, text): the options that name
    it."""
    pictures = os.path.join(folder, "pictures")
    for label in range(8):
        os.makedirs(os.path.join(pictures, f"label{label}"))
        for i in range(count // 8):
            picture(os.path.join(pictures, f"label{label}", f"{i}.ppm"), label, 40 + i, f"{label} {i}")
    with open(os.path.join(pictures, "broken.jpg"), "wb") as out:
        out.write(b"\xff\xd8\xff\xe0 no picture")
    options = ["--library", os.path.join(folder, "library")]
    named = [word for model in models for word in ("--model", model)]
    if captions:
        named += ["--captions", os.path.join(folder, "captions.tsv")]
        with open(named[-1], "w", encoding="utf-8") as out:
            out.writelines(f"{os.path.join(pictures, file)}\t{text}\n" for file, text in (("file", "caption"), *captions))
    # With one thread, so that numbers are given in the order of the walk: that of the broken file would else be any, also one that is asked for.
    subprocess.run([program, *options, "--quiet", "index", "-t1", *named, pictures], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return options


def serve(program, options, *more):
    """A server on loopback: (process, address)."""
    process = subprocess.Popen([program, *options, "serve", "--listen", "127.0.0.1:0", *more], stderr=subprocess.PIPE, text=True)
    return process, re.search(r"http://\S+", process.stderr.readline()).group(0)


def end(process):
    """Ends a server."""
    process.send_signal(signal.SIGTERM)
    check("the server ends cleanly", process.wait(30) == 0, process.returncode)
    process.stderr.close()
