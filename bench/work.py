"""What the parts of the bench share: the program as a child that is timed, pictures and libraries that are thrown away, peers, rows."""
import collections
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.path.join(os.path.dirname(ROOT), "shared")
DEFAULT = "efficientnet-lite0"
CLIP = "clip-vit-b-32"
PRECISIONS = ("f32", "bf16", "int8")

Ran = collections.namedtuple("Ran", "out seconds memory")
Library = collections.namedtuple("Library", "path report seconds memory")


class Refused(Exception):
    """A program ended with an error: its last line, which becomes a row's note."""


def run(command, timeout=1200, accept=(0,), env=None):
    """Runs COMMAND, its standard error kept aside: (standard output, seconds, peak resident bytes). Refused when it fails or never ends."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+", errors="replace") as err:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env={**os.environ, **(env or {})})
        except OSError as error:
            raise Refused(f"{command[0]}: {error.strerror}") from error
        late = threading.Timer(timeout, child.kill)
        late.start()
        try:
            # The kernel counts the resident memory of what a child was forked from as its own: the parent has to stay small.
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            os.wait4(child.pid, 0)
            raise
        finally:
            late.cancel()
        seconds = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in accept:
            err.seek(0)
            lines = err.read().strip().splitlines()
            if child.returncode < 0:
                lines = [f"stopped after {timeout} s" if seconds >= timeout else f"ended by signal {-child.returncode}"]
            raise Refused(lines[-1].removeprefix("memelens: ") if lines else f"exit status {child.returncode}")
        out.seek(0)
        return Ran(out.read(), seconds, usage.ru_maxrss * 1024)


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def row(what, ours=None, unit="", peer=None, beside="", ratio=None, goal=None, ratio_goal=None, note="", **raw):
    """One line of the table. OURS and PEER are numbers in UNIT; a goal is (">=" or "<=", number), on OURS or on RATIO. RAW: JSON only."""
    held = [value >= limit if sign == ">=" else value <= limit
            for value, (sign, limit) in ((ours, goal or (">=", None)), (ratio, ratio_goal or (">=", None)))
            if value is not None and limit is not None]
    return {"what": what, "memelens": ours, "unit": unit, "peer": peer, "beside": beside, "ratio": ratio, "goal": goal,
            "ratio_goal": ratio_goal, "met": all(held) if held else None, "note": note, **raw}


def interleaved(rounds, *measures):
    """Each measure once a round, in turn, so that all of them meet the same noise: one list of results for each."""
    results = [[] for _ in measures]
    for _ in range(rounds):
        for result, measure in zip(results, measures):
            result.append(measure())
    return results


def ratio(above, below):
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(above, below))


class Work:
    """The options of one run, its scratch folder, and what is made only once in it."""

    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.program = os.path.abspath(options.program)
        self.peers = None if options.peers == "no" else os.path.abspath(options.peers or os.path.expanduser("~/.cache/memelens-peers"))
        self.side_by_side = os.path.join(SHARED, "peers", "side-by-side")
        if not os.path.exists(self.side_by_side):
            self.peers = None
        self.libraries, self.folders = {}, {}

    # The program

    def memelens(self, *arguments, **options):
        return run([self.program, *arguments], accept=(0, 1), **options)

    def model(self, name):
        """What to give --model for NAME: the pulled one, else the peers' (random weights, real shapes). Refused when neither is here."""
        for known in objects(self.memelens("models", "--json").out):
            if known["model"] == name and known["present"]:
                return name
        if self.peers:
            return self.peer_model(name)
        raise Refused(f"not here: memelens pull {name}")

    def own_path(self, name):
        """A new path in the scratch folder."""
        return os.path.join(tempfile.mkdtemp(dir=self.scratch), name)

    def index(self, model, folder, *options):
        """Indexes FOLDER into a new library."""
        path = self.own_path("library")
        ran = self.memelens("index", "-q", "--library", path, "--json", "--model", self.model(model), *options, folder)
        return Library(path, objects(ran.out)[-1], ran.seconds, ran.memory)

    def library(self, model, folder, precision="auto"):
        """A library of FOLDER, made once a run."""
        key = model, folder, precision
        if key not in self.libraries:
            self.libraries[key] = self.index(model, folder, "--precision", precision)
        return self.libraries[key]

    # The peers

    def python(self):
        """The Python of the peers' environment, which side-by-side makes. Refused when peers are not wanted."""
        if not self.peers:
            raise Refused("no peers")
        python = os.path.join(self.peers, "venv", "bin", "python")
        if not os.path.exists(os.path.join(self.peers, "ready")):
            self.peer_model(DEFAULT)
        return python

    def peer(self, script, *arguments, **options):
        """Runs bench/SCRIPT in the peers' environment: the JSON object it ends with."""
        path = os.path.join(ROOT, "bench", script)
        ran = run([self.python(), "-W", "ignore", path, *map(str, arguments)], env={"HF_HUB_OFFLINE": "1"}, **options)
        return objects(ran.out)[-1]

    def peer_model(self, name):
        """The folder of NAME with random weights; NAME.onnx is beside it. side-by-side makes both."""
        folder = os.path.join(self.peers, name)
        if not os.path.exists(f"{folder}.onnx"):
            say(f"making the peers' {name}; their Python environment too, when it is not there: 4 GB, once")
            run([self.side_by_side, self.program, "--models", name, "--precisions", "f32", "--rounds", "1", "--seconds", "0.1"],
                env={"PEERS": self.peers})
        return folder

    # Pictures

    def pictures(self):
        """The folder that is indexed: PICTURES or CORPUS, else the memes of ../shared, else drawn ones."""
        if "all" not in self.folders:
            whole = os.path.abspath(self.options.pictures) if self.options.pictures else self.corpus() or self.drawn(2000)
            self.folders["all"] = self.sample(1000, whole) if self.options.quick else whole
        return self.folders["all"]

    def corpus(self):
        """The 10,000 memes with labels.tsv: CORPUS, else made once from ../shared into build/. None when neither can be had."""
        if self.options.corpus:
            return os.path.abspath(self.options.corpus)
        maker = os.path.join(SHARED, "memes", "make-corpus")
        if not os.path.exists(maker):
            return None
        folder = os.path.join(ROOT, "build", "bench-memes")
        if not os.path.exists(os.path.join(folder, "labels.tsv")):
            say("drawing 10,000 memes into build/bench-memes, once")
            part = f"{folder}.part"
            shutil.rmtree(part, ignore_errors=True)
            for python in [sys.executable] + ([os.path.join(self.peers, "venv", "bin", "python")] if self.peers else []):
                try:
                    run([python, maker, part])
                    os.rename(part, folder)
                    break
                except Refused as error:
                    say(f"the memes cannot be made (python3-pil draws them): {error}")
            else:
                return None
        return folder

    def drawn(self, count, seed=1):
        """Pictures nobody took: JPEGs of 448 pixels, enlarged from a few random colours by libvips' own tool; PPM when it is not here."""
        folder = self.own_path("drawn")
        small = self.own_path("small")
        os.mkdir(folder)
        os.mkdir(small)
        dice = random.Random(seed)
        for number in range(count):
            width, height = dice.randint(24, 40), dice.randint(24, 40)
            with open(os.path.join(small, f"{number:05}.ppm"), "wb") as file:
                file.write(b"P6 %d %d 255\n" % (width, height) + dice.randbytes(3 * width * height))
        try:
            sources = sorted(os.path.join(small, name) for name in os.listdir(small))
            run(["vipsthumbnail", "--size", "448", "-o", os.path.join(folder, "%s.jpg"), *sources])
            return folder
        except Refused as error:
            say(f"vipsthumbnail: {error}; the pictures stay small")
            return small

    def sample(self, count, whole=None):
        """COUNT of the pictures (of WHOLE), spread over all of them, as a folder of their own; WHOLE itself where there are no more."""
        whole = whole or self.pictures()
        found = picture_files(whole)
        if len(found) <= count:
            return whole
        if (whole, count) not in self.folders:
            folder = self.folders[whole, count] = self.own_path("sample")
            os.mkdir(folder)
            for number in range(count):
                source = found[number * len(found) // count]
                target = os.path.join(folder, os.path.basename(source))
                # Two folders may each have an IMG_1.jpg.
                shutil.copy(source, target if not os.path.exists(target) else os.path.join(folder, f"{number}-{os.path.basename(source)}"))
        return self.folders[whole, count]

    def strangers(self):
        """A few pictures that no library holds."""
        folder = os.path.join(SHARED, "memes", "queries", "real-dev")
        return picture_files(folder if os.path.isdir(folder) else self.drawn(5, seed=2))[:5]


def picture_files(folder):
    """The pictures below FOLDER by their names' ends, sorted."""
    ends = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".ppm", ".bmp")
    return sorted(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names if name.lower().endswith(ends))


def read_all(folder):
    """Brings the pictures of FOLDER into the page cache, so that the first round reads no disk either."""
    for path in picture_files(folder):
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)
