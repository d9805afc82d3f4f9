#!/usr/bin/python3
"""Each command line that a document shows does what it says: run in a home of its own, with pictures, models, a library and (below tests/postgres.py) a
database like those that the documents speak of. What cannot be run here is listed in NOT_RUN with the reason; then its names alone are held against the program
(test_names.py)."""
import http.server
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

import documents

PROGRAM = os.path.abspath(sys.argv[1])
POSTGRES = os.environ.get("MEMELENS_POSTGRES")
SERVER = os.environ.get("MEMELENS_POSTGRES_BIN", "")
DATABASE = f"memelens_docs_{os.getpid()}"
ENOUGH = 120  # seconds

# (pattern, why). A pattern that no command line matches is a fault.
NOT_RUN = [
    (r"^make (?!&&)", "test_names.py looks for the target; the targets themselves are what CI runs, and the bench"),
    (r"^curl ", "tests/http/test_document.c runs them"),
    (r"^podman ", "wants a container engine, and packages from the network"),
    (r"^memelens pull (efficientnet-lite2|NAME|OWNER/NAME|timm/\S+|clip-vit-b-32)$", "asks the network; tests/cli/test_pull*.c have a hub of their own"),
    (r"--model efficientnet-lite2$", "wants that model, from the network"),
    (r"^python tools/compare_with_torch.py", "wants PyTorch"),
    (r"^tests/postgres.py", "is what tests/run.sh does"),
    (r"^python3 tests/faults/faults.py", "takes many minutes; tests/faults/test_faults.py is a quick pass of it"),
    (r"^build/fuzz/", "is built by `make fuzz`, with clang"),
    (r"https://…$", "says in passing what an address looks like"),
    (r"^memelens check --same-as$", "says in passing what the command is called: a library has to follow"),
]

# What stands for something else, and what it is here.
MEANT = [
    (r"postgresql://me@server/memes", "$DATABASE"),
    (r"^createdb memes", "createdb $DATABASE_NAME"),
    (r"/mnt/pictures", "~/Pictures"),
    (r"https://example\.org", "$WEB"),
    (r"\bFROM TO\b", "~/.local/share/memelens/library ~/copy"),
    (r"--same-as LIBRARY", "--same-as ~/.local/share/memelens/library"),
    (r"forget PATH", "forget ~/Pictures/2019/01.png"),
    (r"--captions FILE", "--captions captions.tsv"),
    (r"COMMAND --help", "search --help"),
    (r"text\|meaning\|look\|all$", "text calm"),
    (r"^memelens bench$", "memelens bench --seconds 0.2"),
    # Root may have a umask that lets nobody else read.
    (r"^make && sudo make install$", "(umask 077; make -s -C \"$ROOT\" -o all install PROGRAM=\"$FROM_ROOT\" DESTDIR=\"$HOME/staged\") && ! find ~/staged ! -perm -044 | grep . && "
     "~/staged/usr/local/bin/memelens --version"),
    (r"^(build/bench/(?:approximate|scale) .*)", r'\1 --program "$PROGRAM"'),
    (r"^build/", 'cd "$ROOT" && "$BUILT"/'),
    (r"--rows (1000000|N)", "--rows 2000"),
    (r"--library PLACE", "--library ~/scale"),
    (r"^(memelens .*)--listen :8080", r"\1--listen 127.0.0.1:0"),  # to loopback alone
    (r"^(memelens serve(?!.*--listen).*)", r"\1 --listen 127.0.0.1:0"),
]

failed = 0


def check(name, why=""):
    global failed
    print(f"FAILED {name}: {why}" if why else f"ok {name}", flush=True)
    failed += bool(why)


def png(path, seed, side=64):
    """A gradient with a block on it, of which SEED draws the colours."""
    colours = [[(seed * (31 + 17 * i + 7 * j) + 40 * j) % 256 for j in range(3)] for i in range(3)]
    rows = bytearray()
    for y in range(side):
        rows.append(0)
        for x in range(side):
            block = side // 4 <= x < side * 3 // 4 and (seed % 5 + 1) * side // 8 <= y < (seed % 5 + 3) * side // 8
            rows += bytes(colours[2] if block else [(a * x + b * (side - y)) // (2 * side) for a, b in zip(*colours[:2])])
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(rows), 1)), (b"IEND", b"")):
            out.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


class Home:
    """A person's home, and the folder HERE in it that the commands are typed in."""

    def __init__(self, folder):
        self.folder = folder
        self.here = os.path.join(folder, "here")
        self.library = os.path.join(folder, ".local", "share", "memelens", "library")
        self.baseline = os.path.join(folder, "baseline")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("MEMELENS_", "XDG_", "HF_")) and name != "BUILD"}
        self.environment.update(HOME=folder, PATH=f"{folder}/bin:{SERVER}:{os.environ['PATH']}", TERM="dumb", LC_ALL="C.UTF-8",
                                BUILT=os.path.dirname(PROGRAM), ROOT=documents.root, PROGRAM=PROGRAM,
                                FROM_ROOT=os.path.relpath(PROGRAM, documents.root))  # make takes no path with a blank in it
        for name in ("bin", "here", "found", "memes", ".local/share/memelens/models"):
            os.makedirs(os.path.join(folder, name))
        os.symlink(PROGRAM, os.path.join(folder, "bin", "memelens"))
        write(os.path.join(folder, "bin", "xdg-open"), "#!/bin/sh\n")
        os.chmod(os.path.join(folder, "bin", "xdg-open"), 0o755)
        self.draw()

    def draw(self):
        for year in (2017, 2019, 2021):
            os.makedirs(os.path.join(self.folder, "Pictures", str(year)))
            for i in range(10):
                png(os.path.join(self.folder, "Pictures", str(year), f"{i:02}.png"), year + i, 800 if (year, i) == (2021, 3) else 64)
        shutil.copy(os.path.join(self.folder, "Pictures/2017/00.png"), os.path.join(self.folder, "Pictures/2021/same.png"))
        for label in ("boat", "cat"):
            os.makedirs(os.path.join(self.folder, "memes", label))
            for i in range(4):
                png(os.path.join(self.folder, "memes", label, f"{i}.png"), 100 * len(label) + i)
        for i, name in enumerate(("query.jpg", "a.jpg", "b.jpg", "cat.jpg", "dog.jpg", "picture.jpg", "picture.webp", "screenshot.png")):
            png(os.path.join(self.here, name), 2017 + i)  # what a file holds counts, and not its name
        write(os.path.join(self.here, "queries.tsv"), "query\texpected\nquery.jpg\tboat\ncat.jpg\tcat\ndog.jpg\tcat\n")
        write(os.path.join(self.here, "token"), "0123456789abcdef\n")
        captions = (("2017/01.png", "I got so tired from jogging my memory"), ("2021/03.png", "Everything is on fire, and I am calm about it"),
                    ("2019/02.png", "a dog in the snow"), ("2019/04.png", "two words"), ("2019/05.png", "I hate Mondays"))
        write(os.path.join(self.here, "captions.tsv"), "file\tcaption\n" + "".join(f"{self.folder}/Pictures/{name}\t{text}\n" for name, text in captions))

    def models(self):
        """Those that the documents use, as they are on this machine, and a small CLIP of the tests' own for the one that is large. None: one is not there."""
        there = os.path.join(self.folder, ".local", "share", "memelens", "models")
        for name in ("efficientnet-lite0", "all-minilm-l6-v2"):
            places = [os.path.join(place, name) for place in os.environ.get("MEMELENS_TEST_MODELS", "").split(":")]
            found = next(filter(os.path.isdir, places), None)
            if not found:
                return name
            os.makedirs(os.path.join(there, name))
            for file in os.listdir(found):
                os.symlink(os.path.join(found, file), os.path.join(there, name, file))
        self.must('tar -C ~ -xzf "$ROOT/tests/kept/0.1.0.models.tar.gz" && mv ~/models/tiny-clip ~/.local/share/memelens/models/clip-vit-b-32')
        return None

    def sh(self, line):
        """LINE in a shell: (status, what it said)."""
        done = subprocess.run(["/bin/sh", "-c", line], cwd=self.here, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=ENOUGH, check=False)
        return done.returncode, done.stdout

    def must(self, line):
        status, said = self.sh(line)
        if status != 0:
            sys.exit(f"FAILED setting up: {line}: exit {status}: {said}")

    def fill(self):
        """The library that every command finds."""
        self.must("memelens -q index --captions captions.tsv ~/Pictures")
        write(os.path.join(self.folder, "Pictures", "broken.jpg"), "no picture")
        self.must("memelens -q index --approximate")
        shutil.copytree(self.library, self.baseline)

    def restore(self):
        for name in ("copy", "memes-back", "scale"):
            shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
        shutil.rmtree(self.library, ignore_errors=True)
        shutil.copytree(self.baseline, self.library)

    def database(self, line):
        """A database as LINE finds it: empty where it brings a library there, else with the library."""
        host = urllib.parse.parse_qs(urllib.parse.urlsplit(POSTGRES).query)
        self.environment.update(PGHOST=host["host"][0], PGPORT=host["port"][0], PGUSER="postgres", DATABASE_NAME=DATABASE,
                                DATABASE=f"postgresql://postgres@/{DATABASE}?{urllib.parse.urlsplit(POSTGRES).query}")
        self.must(f"dropdb --if-exists --force {DATABASE}")
        if line.startswith("createdb"):
            return
        self.must(f"createdb {DATABASE} && psql -qX -c 'CREATE EXTENSION vector' {DATABASE}")
        if not re.search(r"(copy \S+ |index )", line) or re.search(r"copy postgresql", line):
            self.must('memelens -q copy ~/.local/share/memelens/library "$DATABASE"')


def serve(home, line):
    """Starts the server that LINE asks for, asks it for its page, and ends it: what went wrong."""
    process = subprocess.Popen(["/bin/sh", "-c", line.replace("memelens serve", "exec memelens serve")], cwd=home.here, env=home.environment,
                               stderr=subprocess.PIPE, text=True)
    kill = threading.Timer(ENOUGH, process.kill)
    kill.start()
    try:
        heard = ""
        for heard in process.stderr:
            if "listening at" in heard:
                break
        address = re.search(r"http://\S+", heard)
        if not address:
            return f"it does not listen: {heard}"
        try:
            with urllib.request.urlopen(address.group(0) + "healthz", timeout=ENOUGH) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        process.terminate()
        process.stderr.read()
        ended = process.wait()
        return "" if status == 200 and ended == 0 else f"it answers {status}, and ends with {ended}"
    finally:
        kill.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()


def meant(line):
    for pattern, here in MEANT:
        line = re.sub(pattern, here, line)
    return re.sub(r"\$DATABASE\b(?!_)", '"$DATABASE"', line)


def run(home, line):
    """Types LINE: what went wrong."""
    home.restore()
    if "postgresql://" in line or line.startswith("createdb"):
        home.database(line)
    typed = meant(line)
    if "~/memes-back" in line and "copy " not in line:
        shutil.copytree(home.library, os.path.join(home.folder, "memes-back"))
    try:
        if " serve" in typed:
            before, _, last = typed.rpartition("&& ")
            status, said = home.sh(before.rstrip("& ")) if before else (0, "")
            return said if status else serve(home, meant(last) if before else typed)
        status, said = home.sh(typed)
    except subprocess.TimeoutExpired:
        return f"{typed}: not done in {ENOUGH} s"
    return "" if status == 0 else f"{typed}: exit {status}: {said}"


class Web(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def main():
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="memelens-docs-") as folder:
        home = Home(folder)
        missing = home.models()
        if missing:
            print(f"the model {missing} is not here (tests/run.sh fetches it where the test data are)")
            return 77
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *words: Web(*words, directory=home.here))
        threading.Thread(target=web.serve_forever, daemon=True).start()
        home.environment["WEB"] = f"http://127.0.0.1:{web.server_address[1]}"
        home.fill()
        told, left_out, begun = {}, set(), time.monotonic()
        for line in documents.lines(documents.Program(PROGRAM)):
            if not line.whole:
                continue
            why = next((pattern for pattern, _ in NOT_RUN if re.search(pattern, line.text)), None)
            if why:
                left_out.add(why)
            elif not POSTGRES and ("postgresql://" in line.text or line.text.startswith("createdb")):
                print(f"skipped: {line.text}: no PostgreSQL here")
            elif line.text.startswith("openssl") and not shutil.which("openssl"):
                print(f"skipped: {line.text}: no openssl here")
            else:
                if line.text not in told:  # the same line elsewhere does the same
                    told[line.text] = run(home, line.text)
                check(f"{line.where}: {line.text}", told[line.text])
        for pattern, _ in NOT_RUN:
            if pattern not in left_out:
                check(f"NOT_RUN {pattern}", "no document has such a line any more")
        if POSTGRES:
            home.sh(f"dropdb --if-exists --force {DATABASE}")
        web.shutdown()
        print(f"measured: {len(told)} command lines run in {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
