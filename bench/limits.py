#!/usr/bin/env python3
"""What very large and very deep folders cost: time and peak memory of `memelens index`, by the number of files and folders. `make limits`."""
import argparse
import json
import os
import struct
import subprocess
import tempfile
import time
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(number):
    """A PNG of two pixels that differ by NUMBER: no two files are the same."""
    rows = b"\0" + struct.pack(">Q", number)[2:]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def fill(folder, count, name, data):
    os.makedirs(folder)
    for number in range(count):
        write(f"{folder}/{name % number}", data(number))


def tree_of_files(root, count):
    """COUNT empty files in one folder whose names promise no picture, and one picture."""
    fill(f"{root}/all", count, "file%07d.txt", lambda number: b"")
    write(f"{root}/one.png", picture(0))


def tree_of_pictures(root, count):
    fill(f"{root}/all", count, "picture%07d.png", picture)


def tree_of_broken(root, count):
    """COUNT files that promise a picture and hold none: each is one row with its reason."""
    fill(f"{root}/all", count, "empty%07d.jpg", lambda number: b"")


def tree_of_folders(root, count):
    """COUNT folders, a hundred in each, with one picture at the end."""
    for number in range(count):
        os.makedirs(f"{root}/{number // 10000:03d}/{number // 100 % 100:02d}/{number % 100:02d}")
    write(f"{root}/000/00/00/one.png", picture(0))


def tree_of_depth(root, count):
    """COUNT folders one in another, a picture in each: the deepest paths are longer than any path can be."""
    os.makedirs(root)
    here = os.open(root, os.O_RDONLY)
    for number in range(count):
        os.mkdir("deeper", dir_fd=here)
        inner = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
        file = os.open("picture.png", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here)
        os.write(file, picture(number))
        os.close(file)
    os.close(here)


TREES = {"files": tree_of_files, "pictures": tree_of_pictures, "broken": tree_of_broken, "folders": tree_of_folders, "depth": tree_of_depth}


def index(program, library, *words):
    """Runs it, and gives its report with the seconds and the peak memory (MB) of the process."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([program, "index", "--library", library, "--model", "colour", "--json", "--quiet", *words], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = out.read().decode().splitlines()
    if child.returncode != 0 or not lines:
        raise SystemExit(f"memelens index ended with {child.returncode}")
    return json.loads(lines[-1]) | {"took": time.monotonic() - begun, "busy": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1000}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/memelens")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--only", help="one of " + ", ".join(TREES))
    options = parser.parse_args()
    sizes = {"files": (10**4, 10**5, 10**6), "pictures": (10**4, 10**5), "broken": (10**4, 10**5, 10**6), "folders": (10**4, 10**5), "depth": (200, 2000)}
    print("| tree | | first run, s | of a processor | peak, MB | indexed | failed | again, s | of a processor | peak, MB |\n|---|---|---|---|---|---|---|---|---|---|")
    for kind, counts in sizes.items():
        for count in counts if options.only in (None, kind) else ():
            count = count // 10 if options.quick else count
            work = tempfile.mkdtemp(prefix="memelens-limits-")
            try:
                maker = os.fork()  # what this process once took would count for those that it starts
                if maker == 0:
                    TREES[kind](f"{work}/tree", count)
                    os._exit(0)
                if os.waitpid(maker, 0)[1] != 0:
                    raise SystemExit(f"cannot make {count} {kind}")
                first = index(options.program, f"{work}/library", f"{work}/tree")
                again = index(options.program, f"{work}/library")
                print(f"| {kind} | {count:,} | {first['took']:.1f} | {first['busy']:.1f} | {first['memory']:.0f} | {first['indexed']:,} | {first['failed']:,}"
                      f" | {again['took']:.1f} | {again['busy']:.1f} | {again['memory']:.0f} |", flush=True)
            finally:
                subprocess.run(["rm", "-rf", work], check=False)  # likewise: a million names are 150 MB here


if __name__ == "__main__":
    main()
