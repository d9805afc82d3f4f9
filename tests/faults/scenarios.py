"""What the program is doing when something happens to it (faults.py): a state before, a command, and what must be true of the state after."""
import filecmp
import hashlib
import http.server
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading

REPOSITORY = "ada/colours"
COMMIT = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"
VECTOR_HEADER = 64  # bytes before the first vector of a file
LONGEST = 60  # seconds that a run may take; an unhurt one takes a tenth of one
SENTENCES = "all-minilm-l6-v2"


def picture(path, number):
    lot = random.Random(number)
    with open(path, "wb") as out:
        out.write(b"P6 9 8 255\n" + lot.randbytes(9 * 8 * 3))


class World:
    """What all scenarios share and none changes: the program, models, a hub. TEMPORARY: a folder of ours."""

    def __init__(self, program, temporary, models):
        self.program, self.temporary = program, temporary
        self.models = os.path.join(temporary, "models")
        os.mkdir(self.models)
        found = next((os.path.join(folder, SENTENCES) for folder in models.split(":") if os.path.isdir(os.path.join(folder, SENTENCES))), None)
        self.has_sentences = found is not None
        if found:
            os.symlink(found, os.path.join(self.models, SENTENCES))
        self.hub = Hub()

    def environment(self, place):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMELENS_", "HF_", "FAULTS_")) and name != "LD_PRELOAD"}
        kept |= {"HOME": self.temporary, "XDG_DATA_HOME": place, "MEMELENS_MODELS": self.models, "MEMELENS_PATIENCE": "0.02", "OMP_NUM_THREADS": "1",
                 "HF_ENDPOINT": self.hub.address, "HF_HOME": self.temporary, "http_proxy": "", "https_proxy": "", "all_proxy": "", "no_proxy": "127.0.0.1"}
        return kept

    def close(self):
        self.hub.close()


class Hub:
    """As much of the Hugging Face hub as a pull of a small model wants."""

    about = b'{"a":{"dtype":"F32","shape":[65536],"data_offsets":[0,262144]}}   '
    files = {"config.json": b'{"architecture": "colour"}', "model.safetensors": len(about).to_bytes(8, "little") + about + random.Random(1).randbytes(262144)}

    def __init__(self):
        hub = self

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer(False)

            def do_GET(self):
                self.answer(True)

            def answer(self, body):
                name = self.path.rsplit("/", 1)[-1]
                if self.path.startswith("/api/"):
                    data = json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": [{"rfilename": name} for name in hub.files]}).encode()
                else:
                    data = hub.files.get(name)
                first = 0
                if data is not None and self.headers.get("Range"):
                    first = int(self.headers["Range"].split("=")[1].split("-")[0])
                self.send_response(404 if data is None else 206 if first else 200)
                data = data or b""
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
                self.send_header("Content-Length", str(len(data) - first))
                if first:
                    self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
                self.end_headers()
                try:
                    if body:
                        self.wfile.write(data[first:])
                except OSError:
                    self.close_connection = True

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # whoever asked was killed

        self.server = Server(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Scenario:
    """One. A place is a folder in which all that the program writes lies; PLACE/library is the library, if nothing else is said. SIZE: pictures, about."""

    name, library = None, "library"
    writes = True        # also when there is nothing to do any more
    again = ""           # what the command may say when it has been done already
    optional = False     # it wants what not every machine has
    caches_only = False  # the command is done without what it writes
    first = last = frozenset()
    seen_lasts = True    # what another process sees is there for good

    def __init__(self, world, size):
        self.world, self.size = world, size
        self.folder = tempfile.mkdtemp(prefix=f"{self.name} ", dir=world.temporary)
        self.pictures = os.path.join(self.folder, "pictures")
        os.makedirs(self.pictures)
        self.before, self.after = (os.path.join(self.folder, name) for name in ("before", "after"))
        os.mkdir(self.before)
        self.make(self.before)
        shutil.copytree(self.before, self.after)
        self.must(self.after, *self.command(self.after))
        self.first, self.last = (self.items(place) or frozenset() for place in (self.before, self.after))

    def environment(self, place):
        return self.world.environment(place) | self.settings(place)

    def run(self, place, *argv):
        return subprocess.run([self.world.program, "-q", *argv], env=self.environment(place), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=LONGEST, check=False)

    def must(self, place, *argv):
        done = self.run(place, *argv)
        if done.returncode != 0:
            raise RuntimeError(f"{argv}: exit {done.returncode}: {done.stderr.decode()}")

    # ---- what each says of itself ----

    def make(self, place):
        """The state before, in PLACE."""

    def command(self, place):
        raise NotImplementedError

    def settings(self, place):
        """Its own part of the environment."""
        return {}

    # ---- what is there ----

    def index(self, place, *argv):
        return ("--library", os.path.join(place, "library"), "index", "-t1", "-m", "colour", *argv, self.pictures)

    def draw(self, numbers, folder=""):
        os.makedirs(os.path.join(self.pictures, folder), exist_ok=True)
        for number in numbers:
            picture(os.path.join(self.pictures, folder, f"{number:04}.ppm"), number)

    def items(self, place):
        """What anyone sees in the library: a set of pictures and texts; None: nobody can look into it now."""
        database = os.path.join(place, self.library, "library.db")
        if not os.path.exists(database):
            return frozenset()
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=0.3)
        try:
            rows = connection.execute("SELECT path, hash FROM picture JOIN content ON content.id = picture.content").fetchall()
            rows += connection.execute("SELECT 'caption', path, text FROM text JOIN picture ON picture.id = text.picture"
                                       " UNION ALL SELECT 'read', hash, text FROM text JOIN content ON content.id = text.content").fetchall()
            return frozenset(rows)
        except sqlite3.OperationalError as error:
            return frozenset() if "no such table" in str(error) else None
        finally:
            connection.close()

    def check(self, place):
        """Whether PLACE is sound; what is wrong with it, or None."""
        if not os.path.exists(os.path.join(place, self.library)) and not self.first:
            return None
        done = self.run(place, "--library", os.path.join(place, self.library), "check")
        said = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode == 0 or (not self.first and "there is no library here" in said):
            return None
        return f"check: exit {done.returncode}: {said}"

    def is_done(self, place):
        """Whether PLACE holds what it holds after an unhurt run, vectors bit for bit; what is not as there, or None."""
        here, there = (self.whole(os.path.join(folder, self.library)) for folder in (place, self.after))
        for name in there:
            if here[name] != there[name]:
                few = sorted(map(str, here[name] ^ there[name]))[:3]
                return f"{name}: {len(here[name] - there[name])} too many, {len(there[name] - here[name])} missing: {few}"
        return None

    @staticmethod
    def whole(library):
        """All that a library holds, but for the numbers of its rows, which follow the order in which they came: a run that was cut has another."""
        connection = sqlite3.connect(f"file:{os.path.join(library, 'library.db')}?mode=ro", uri=True)
        parts = {
            "pictures": "SELECT path, size, reason, hash, width, height, format FROM picture LEFT JOIN content ON content.id = picture.content",
            "captions": "SELECT picture.path, source.path, kind, text, folded FROM text"
                        " JOIN picture ON picture.id = text.picture JOIN source ON source.id = text.source",
            "readings": "SELECT hash, version, text, folded FROM text JOIN content ON content.id = text.content",
            "words": "SELECT word, texts FROM word",
            "models": "SELECT name, dim, fingerprint, sentences FROM model",
            "contents": "SELECT hash FROM content",
            "rules": "SELECT path, out, settings FROM rule",
        }
        found = {name: frozenset(connection.execute(sql)) for name, sql in parts.items()}
        vectors = set()
        for model, dim, file in connection.execute("SELECT id, dim, file FROM model").fetchall():
            with open(os.path.join(library, file), "rb") as opened:
                data = opened.read()
            for content, slot in connection.execute("SELECT hash, slot FROM vector JOIN content ON content.id = content WHERE model = ?", (model,)):
                vectors.add((dim, content, data[VECTOR_HEADER + slot * dim * 4 : VECTOR_HEADER + (slot + 1) * dim * 4]))
        connection.close()
        return found | {"vectors": frozenset(vectors)}

    def litter(self, place):
        """Files that an unhurt run does not leave. (The number in a name of vectors is how many there were before.) What writes removes them."""
        if not self.writes:
            self.must(place, *self.index(place))
        return sorted(self.plain(place) - self.plain(self.after))

    def plain(self, place):
        return {re.sub(r"-\d+\.vectors", "-N.vectors", name) for name in self.files(place)}

    @staticmethod
    def files(place):
        found = set()
        for folder, _, names in os.walk(place):
            found |= {os.path.relpath(os.path.join(folder, name), place) for name in names if not name.endswith(("-shm", "-wal"))}
        return found


class IndexNew(Scenario):
    name = "index, a new library"

    def make(self, place):
        self.draw(range(self.size))

    def command(self, place):
        return self.index(place)


class IndexMore(Scenario):
    name = "index, more, changed, moved and gone"

    def make(self, place):
        half = self.size // 2
        self.draw(range(half))
        self.must(place, *self.index(place))
        self.draw(range(half, self.size), "more")
        picture(os.path.join(self.pictures, "0001.ppm"), 10001)
        os.rename(os.path.join(self.pictures, "0002.ppm"), os.path.join(self.pictures, "more", "moved.ppm"))
        os.unlink(os.path.join(self.pictures, "0003.ppm"))

    def command(self, place):
        return self.index(place)


class Batches(IndexMore):
    name = "index, several batches"

    def __init__(self, world, size):
        super().__init__(world, 25 * size)


class Captions(Scenario):
    name = "words: captions and their meaning"

    def write(self, texts):
        with open(os.path.join(self.folder, "captions.tsv"), "w", encoding="utf-8") as out:
            out.writelines(f"pictures/{file}\t{text}\n" for file, text in (("file", "caption"), *texts))

    def make(self, place):
        self.draw(range(self.size))
        half = self.size // 2
        self.write((f"{i:04}.ppm", f"a picture of number {i} and its friends") for i in range(half))
        self.must(place, *self.command(place))
        self.write((f"{i:04}.ppm", f"a picture of number {i} and its {'friends' if i < half // 2 else 'neighbours'}") for i in range(2, self.size))
        with open(os.path.join(self.pictures, "0001.ppm.txt"), "w", encoding="utf-8") as beside:
            beside.write("words beside a picture")

    def command(self, place):
        return self.index(place, "--captions", os.path.join(self.folder, "captions.tsv"))


class Reading(Scenario):
    """Pictures of noise: that there is nothing to be read in them is what is kept."""

    name, optional = "words: read in the pictures", True

    def make(self, place):
        self.draw(range(self.size // 2))
        self.must(place, *self.index(place))

    def command(self, place):
        return ("--library", os.path.join(place, "library"), "ocr", "-t1")


class Forget(Scenario):
    name = "forget, with compaction"

    def make(self, place):
        self.draw(range(self.size // 2))
        self.draw(range(self.size // 2, self.size), "out")
        self.must(place, *self.index(place, "--approximate"))

    def command(self, place):
        return ("--library", os.path.join(place, "library"), "forget", os.path.join(self.pictures, "out"))


class ForgetOne(Forget):
    name = "forget one"

    def command(self, place):
        return ("--library", os.path.join(place, "library"), "forget", os.path.join(self.pictures, "0001.ppm"))


class ForgetModel(Forget):
    name, again, writes = "forget a model", "there is no model colour@pad", False

    def make(self, place):
        super().make(place)
        self.must(place, "--library", os.path.join(place, "library"), "index", "-m", "colour@pad", self.pictures)

    def command(self, place):
        return ("--library", os.path.join(place, "library"), "forget", "--model", "colour@pad")


class Compact(Forget):
    name = "compaction at the end of a run"

    def make(self, place):
        super().make(place)
        shutil.rmtree(os.path.join(self.pictures, "out"))

    def command(self, place):
        return self.index(place)


UNFINISHED = "an unfinished copy of"


class Copy(Scenario):
    name, library = "copy", "copy"

    def make(self, place):
        self.source = os.path.join(self.folder, "source")
        self.draw(range(self.size))
        captions = os.path.join(self.folder, "captions.tsv")
        with open(captions, "w", encoding="utf-8") as out:
            out.write("file\tcaption\n")
            out.writelines(f"pictures/{i:04}.ppm\twords of {i}\n" for i in range(0, self.size, 2))
        self.must(place, "--library", self.source, "index", "-t1", "-m", "colour", "--captions", captions, self.pictures)

    def command(self, place):
        return ("copy", self.source, os.path.join(place, "copy"))

    def items(self, place):
        """None while it is a copy that is not finished: then it opens for nothing else, and says so."""
        return None if UNFINISHED in (super().check(place) or "") else super().items(place)

    def check(self, place):
        wrong = super().check(place)
        return None if UNFINISHED in (wrong or "") else wrong

    def is_done(self, place):
        done = self.run(place, "--library", os.path.join(place, self.library), "check", "--same-as", os.path.join(self.after, self.library))
        return None if done.returncode == 0 else f"not the same: exit {done.returncode}: {(done.stdout + done.stderr).decode(errors='replace')}"


class CopyUpdate(Copy):
    name = "copy, brought up to date"

    def make(self, place):
        super().make(place)
        self.must(place, "copy", self.source, os.path.join(place, "copy"))
        self.draw(range(self.size, self.size + 8), "more")
        os.unlink(os.path.join(self.pictures, "0001.ppm"))
        picture(os.path.join(self.pictures, "0002.ppm"), 20002)
        self.must(place, "--library", self.source, "index", "-t1", self.pictures)

    def command(self, place):
        return ("copy", "--update", self.source, os.path.join(place, "copy"))


class CopyOn(Copy):
    """A copy that was killed half-way, gone on with. Where half-way is, the shim says: driven by faults.py, which sets `half`."""

    name, half = "copy, gone on with", None

    def make(self, place):
        super().make(place)
        type(self).half(self, place, ("copy", self.source, os.path.join(place, "copy")))


class Approximate(Scenario):
    name, caches_only = "approximate cells", True

    def make(self, place):
        self.draw(range(self.size))
        self.must(place, *self.index(place))

    def command(self, place):
        return self.index(place, "--approximate")

    def is_done(self, place):
        missing = self.files(self.after) - self.files(place)
        here, there = (os.path.join(folder, "library", "colour-1.vectors.bytes") for folder in (place, self.after))
        wrong = f"missing: {missing}" if missing else None if filecmp.cmp(here, there, shallow=False) else "other bytes beside the vectors"
        return super().is_done(place) or wrong


class Near(Scenario):
    name, caches_only, writes = "nearness, beside the vectors", True, False

    def make(self, place):
        self.draw(range(self.size))
        self.must(place, *self.index(place))

    def command(self, place):
        return ("--library", os.path.join(place, "library"), "search", "--unhub", os.path.join(self.pictures, "0001.ppm"))


class Pull(Scenario):
    seen_lasts = False  # the name of a folder is seen before it is synced; what the pull says at its end is what counts
    name, library = "pull", os.path.join("models", REPOSITORY.replace("/", "--"))

    def command(self, place):
        return ("pull", REPOSITORY)

    def settings(self, place):
        return {"MEMELENS_MODELS": os.path.join(place, "models")}

    def items(self, place):
        return frozenset({"model"}) if os.path.isdir(os.path.join(place, self.library)) else frozenset()

    def check(self, place):
        """A name in the models folder is a whole model at any moment."""
        return self.differs(place, self.after) if self.items(place) else None

    def is_done(self, place):
        return self.differs(place, self.after)

    def differs(self, place, other):
        here, there = (os.path.join(folder, self.library) for folder in (place, other))
        if not os.path.isdir(here):
            return "there is no model"
        _, wrong, missing = filecmp.cmpfiles(there, here, os.listdir(there), shallow=False)
        return f"damaged: {wrong}, missing: {missing}" if wrong or missing else None


class PullOver(Pull):
    name = "pull, over a damaged model"

    def make(self, place):
        self.must(place, "pull", REPOSITORY)
        with open(os.path.join(place, self.library, "config.json"), "wb") as out:
            out.write(b"{")

    def check(self, place):
        """The old one or the new one."""
        return self.differs(place, self.before) and self.differs(place, self.after)


ALL = [IndexNew, IndexMore, Batches, Captions, Reading, Forget, ForgetOne, ForgetModel, Compact, Copy, CopyOn, CopyUpdate, Approximate, Near, Pull, PullOver]
