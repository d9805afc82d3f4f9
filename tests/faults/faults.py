#!/usr/bin/env python3
"""Power cuts, full and broken disks, short memory and kill -9: at every call by which the program changes a file, and after each the library must be whole.

usage: faults.py [options]             the harness, `make faults`
       faults.py --quick               a few of each; test_faults.py, in the short test run, has fewer yet
       faults.py --only NAME --kind KIND --do DEED --at N     one fault again, with all that was said; its folder is kept

For each scenario (scenarios.py) an unhurt run counts its calls of each kind; then each of them (of very many: MOST, spread evenly) meets a fault. A fault is
an error, which the program is to say in one line with exit status 2; no memory; or a power cut before a call or in the middle of a write. Of what a power cut
leaves these cases are looked at: all that was written, only what was synced (power_cut.py), and what was synced with some of the rest by lot.

After each of them, without a fault: what was there and is to stay is there; what another process saw in the library before the cut is there; `check`
finds no fault; the command once more does its work; and what there is then is bit for bit what an unhurt run leaves, without a file more.
"""
import argparse
import collections
import concurrent.futures
import ctypes
import hashlib
import os
import random
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

from power_cut import PowerCut
import scenarios

root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
KINDS = ("write", "sync", "rename", "unlink", "truncate", "grow", "create", "map", "memory-ours", "memory-sqlite", "memory-others", "change")  # as in shim.c
ERRORS = {"write": ("enospc", "full", "eio", "broken", "eintr", "short"), "sync": ("eio", "broken", "enospc"), "rename": ("eio", "full"),
          "unlink": ("eio", "broken"), "truncate": ("eio", "enospc"), "grow": ("enospc",), "create": ("full", "eio"), "map": ("eio",)}
SHORTAGES = {"memory-ours": ("null", "none"), "memory-sqlite": ("null", "none"), "memory-others": ("null",)}
CUTS = ("stop", "torn")
LOTS = 2  # how many mixtures of what was and was not synced each cut is looked at with


def spread(count, most):
    """1 to COUNT, or MOST of them."""
    return range(1, count + 1) if count <= most else sorted({1 + i * (count - 1) // max(most - 1, 1) for i in range(most)})


def digest(place):
    """Of all files in PLACE, without the numbers of processes, and what does not outlive any."""
    found = hashlib.sha256()
    for folder, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            if name.endswith("-shm"):
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                data = b"" if name == "writer.lock" else file.read()
            found.update(re.sub(r"\.\d+-\d+\.memelens\.part", ".part", os.path.relpath(path, place)).encode() + b"\0%d\0" % len(data) + data)
    return found.hexdigest()


def adopt_orphans():
    """Whose parent died is ours from now on, and reaped: here the decoding processes, which end a moment after the program. Left alone they would be thousands in /proc."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER

    def reap():
        while True:
            time.sleep(0.5)
            for name in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{name}/stat", "rb") as file:
                        before, _, after = file.read().rpartition(b")")
                    if before.endswith(b"(memelens-decode") and after.split()[0] == b"Z":
                        os.waitpid(int(name), os.WNOHANG)
                except (OSError, ChildProcessError):
                    continue

    threading.Thread(target=reap, daemon=True).start()


def alive(group):
    """Whether there is a process of GROUP. Those whose parent died are ours (adopt_orphans), and are reaped: one that waits for that looks alive to the program."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, _, its_group = file.read().rpartition(b")")[2].split()[:3]
            if int(its_group) == group and (state != b"Z" or os.waitpid(int(name), os.WNOHANG)[0] == 0):
                return True
        except (OSError, ChildProcessError):
            continue
    return False


class Harness:
    def __init__(self, options):
        adopt_orphans()
        self.options = options
        self.temporary = os.path.realpath(tempfile.mkdtemp(prefix="memelens-faults-", dir=options.folder))
        self.world = scenarios.World(options.program, self.temporary, options.models)
        self.figures, self.wrong, self.said = collections.Counter(), [], collections.Counter()
        self.met = collections.Counter()  # how many faults came to pass, of (scenario, kind, what is done)
        self.judged = {}
        self.random = os.path.join(self.temporary, "random")
        with open(self.random, "wb") as file:
            file.write(random.Random(options.seed).randbytes(1 << 12))
        self.lock, self.places = threading.Lock(), threading.local()

    def close(self):
        self.world.close()
        if not self.options.keep:
            shutil.rmtree(self.temporary, ignore_errors=True)

    # ---- places: one a thread, so that two can be at work ----

    def place(self):
        if not hasattr(self.places, "path"):
            self.places.path = tempfile.mkdtemp(prefix="work-", dir=self.temporary)
        return os.path.join(self.places.path, "place")

    def fresh(self, of):
        place = self.place()
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(of, place)
        return place

    def beside(self, name):
        return os.path.join(self.places.path, name)

    # ---- running ----

    def start(self, scenario, place, argv, kind=None, deed="", at=0, log=False):
        """The program at work in PLACE, the shim in it."""
        counts, journal, grave = self.beside("counts"), self.beside("log"), self.beside("grave")
        with open(counts, "wb") as file:
            file.write(bytes(8 * 16))
        shutil.rmtree(grave, ignore_errors=True)
        os.mkdir(grave)
        open(journal, "wb").close()
        environment = scenario.environment(place)
        environment |= {"LD_PRELOAD": self.options.shim, "FAULTS_ROOT": place, "FAULTS_COUNTS": counts, "FAULTS_RANDOM": self.random}
        if kind:
            environment |= {"FAULTS_KIND": str(KINDS.index(kind)), "FAULTS_AT": str(at), "FAULTS_DO": deed}
        if log:
            environment |= {"FAULTS_LOG": journal, "FAULTS_GRAVE": grave}
        return self.spawn(environment, argv)

    def spawn(self, environment, argv):
        return subprocess.Popen([self.options.program, "-q", *argv], env=environment, stdin=subprocess.DEVNULL, stdout=open(self.beside("out"), "wb"),
                                stderr=open(self.beside("err"), "wb"), start_new_session=True)

    def wait(self, process, until=scenarios.LONGEST):
        """Until PROCESS stopped itself ("stopped"), ended (its exit status; -N: by signal N), or for UNTIL seconds ("running")."""
        end = time.monotonic() + until
        while True:
            pid, status = os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                return "stopped"
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return process.returncode
            if time.monotonic() >= end:
                return "running"
            time.sleep(0.001)

    def kill(self, process):
        os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            process.returncode = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
        while alive(process.pid):
            time.sleep(0.001)

    def count(self, scenario):
        """How often an unhurt run calls each kind."""
        place = self.fresh(scenario.before)
        process = self.start(scenario, place, scenario.command(place))
        status = self.wait(process)
        if status != 0:
            raise RuntimeError(f"{scenario.name}: unhurt, but {status}: {self.words()}")
        return self.counts()

    def made(self, kinds, size):
        """Scenarios of SIZE pictures; those that cannot be on this machine are named and left out."""
        for kind in kinds:
            try:
                yield kind(self.world, size // (8 if kind is scenarios.Batches and size > self.options.size else 1))
            except RuntimeError as error:
                if not kind.optional:
                    raise
                print(f"left out: {kind.name}: {error}", flush=True)

    def counts(self):
        with open(self.beside("counts"), "rb") as file:
            return dict(zip(KINDS, struct.unpack("<16Q", file.read())))

    def words(self):
        with open(self.beside("err"), "rb") as file:
            return file.read().decode(errors="replace").strip()

    def halfway(self, scenario, place, argv):
        """Runs ARGV until half of its writes are done, and kills it."""
        counts = None
        self.place()
        for at in (0, 1):
            process = self.start(scenario, place, argv, "change", "stop", counts["change"] // 2 if at else 0)
            status = self.wait(process)
            if at:
                self.kill(process)
                assert status == "stopped", status
            else:
                counts = self.counts()
                shutil.rmtree(place)
                os.mkdir(place)

    # ---- judging ----

    def judge(self, scenario, place, seen=None, exactly=True):
        """What is wrong with PLACE; SEEN: what was seen in it before a cut, or None. EXACTLY: bit for bit. The same bytes are judged once."""
        state = (scenario.name, seen, exactly, digest(place))
        with self.lock:
            self.figures["states"] += 1
            if state in self.judged:
                return self.judged[state]
            self.figures["different states"] += 1
        wrong = self.judge_new(scenario, place, seen, exactly)
        with self.lock:
            self.judged[state] = wrong
        return wrong

    def judge_new(self, scenario, place, seen, exactly):
        now = scenario.items(place)
        if now is None and scenario.first and not isinstance(scenario, scenarios.Copy):
            return "nobody can look into it"
        lost = (scenario.first & scenario.last) - now if now is not None else set()
        if seen is not None and now is not None and scenario.seen_lasts:
            lost |= (seen & scenario.last) - now
            back = ((scenario.first - scenario.last) - seen) & now
            if back:
                return f"{len(back)} that had gone are back: {sorted(map(str, back))[:3]}"
        if lost:
            return f"{len(lost)} lost: {sorted(map(str, lost))[:3]}"
        wrong = scenario.check(place)
        if wrong:
            return wrong
        done = scenario.run(place, *scenario.command(place))
        said = done.stderr.decode(errors="replace")
        if done.returncode != 0 and not (scenario.again and scenario.again in said):
            return f"once more: exit {done.returncode}: {said}"
        # A picture that was passed by for want of memory comes later than the others, and has another number.
        wrong = scenario.check(place)
        if exactly:
            wrong = wrong or scenario.is_done(place)
        elif scenario.items(place) != scenario.last:
            wrong = wrong or "not the same pictures and texts"
        if wrong:
            return f"after it was run once more: {wrong}"
        litter = scenario.litter(place)
        with self.lock:
            self.figures["left files behind"] += bool(litter)
        return f"files are left: {litter}" if litter else None

    def tell(self, scenario, kind, deed, at, wrong):
        with self.lock:
            self.figures[scenario.name, kind, deed] += 1
            if wrong:
                self.wrong.append((scenario.name, kind, deed, at, wrong))
                print(f"FAILED {scenario.name}: {kind} {deed} at {at}: {wrong[:500]}", flush=True)

    def note_met(self, scenario, kind, deed, met):
        with self.lock:
            self.met[scenario.name, kind, deed] += met

    def error(self, scenario, kind, deed, at):
        """One error, or no memory."""
        place = self.fresh(scenario.before)
        process = self.start(scenario, place, scenario.command(place), kind, deed, at)
        status = self.wait(process)
        words = self.words()
        self.note_met(scenario, kind, deed, self.counts()[kind] >= at)
        wrong = None
        memory = kind.startswith("memory")
        if status == "running":
            wrong = "hangs"
            self.kill(process)
        elif kind == "memory-others" and isinstance(status, int) and status < 0:
            with self.lock:  # oneDNN ends the process, by an exception or a NULL
                self.figures["ended by a library that got no memory"] += 1
        elif not isinstance(status, int) or status < 0:
            wrong = f"ended by signal {status}: {words}"
        elif status == 0:
            wrong = None if scenario.caches_only or memory else scenario.is_done(place)
            wrong = wrong and f"said that it was done: {wrong}"
        elif status != 2:
            wrong = f"exit {status}: {words}"
        elif (len(words.splitlines()) != 1 and not memory) or "(null)" in words or not words.startswith("memelens: "):
            wrong = f"not one line: {words!r}"
        with self.lock:
            self.figures[status if isinstance(status, int) else "?", deed] += 1
            self.said[words.replace(place, "PLACE").replace(scenario.folder, "FOLDER")] += 1
        if self.options.at:
            print(f"exit {status}: {words}")
        self.tell(scenario, kind, deed, at, wrong or self.judge(scenario, place, exactly=not memory))

    def cut(self, scenario, deed, at):
        """One power cut, and what it may leave."""
        place = self.fresh(scenario.before)
        process = self.start(scenario, place, scenario.command(place), "change", deed, at, log=True)
        status = self.wait(process)
        seen = scenario.items(place) if status == "stopped" else None
        if status in ("stopped", "running"):
            self.kill(process)
        self.note_met(scenario, "cut", deed, status == "stopped")
        if status != "stopped":
            # Threads may do with fewer calls than in the run that was counted, and be done before the place is met.
            early = status == 0 and self.counts()["change"] < at
            self.tell(scenario, "cut", "was done before it" if early else deed, at, None if early else f"did not stop: {status}: {self.words()}")
            return
        dead = self.beside("dead")
        shutil.rmtree(dead, ignore_errors=True)
        os.rename(place, dead)
        power = PowerCut(dead, self.beside("log"))
        power.root = place
        writes, names = power.losable()
        cases = [("kept", False, False, None)]
        if writes or names:
            cases += [("unsynced lost", True, True, None)]
            cases += [("unsynced names lost", False, True, None)] if names and writes else []
            cases += [(f"unsynced lost by lot {i}", True, True, random.Random(f"{self.options.seed} {scenario.name} {deed} {at} {i}")) for i in range(LOTS)]
        for name, lose_writes, lose_names, lot in cases:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(dead, place)
            if lose_writes or lose_names:
                power.apply(lose_writes, lose_names, lot)
                with self.lock:
                    self.figures["cuts with what was not synced lost"] += 1
            self.tell(scenario, "cut", f"{deed}, {name.rstrip('0123456789 ')}", at, self.judge(scenario, place, seen))

    def killing(self, scenario, moment):
        """kill -9 after MOMENT seconds. Whether it was at work then."""
        place = self.fresh(scenario.before)
        process = self.spawn(scenario.environment(place), scenario.command(place))
        status = self.wait(process, moment)
        seen = None
        if status == "running":
            os.killpg(process.pid, signal.SIGSTOP)
            status = self.wait(process)
            seen = scenario.items(place) if status == "stopped" else None
        if status == "stopped":
            self.kill(process)
        self.tell(scenario, "kill -9", "landed" if status == "stopped" else "came too late", f"{moment:.4f} s", self.judge(scenario, place, seen))
        return status == "stopped"

    # ---- all of it ----

    def each(self, tasks):
        begin = time.monotonic()

        def run(work, *arguments):
            if time.monotonic() < begin + self.options.seconds:
                return work(*arguments)
            with self.lock:
                self.figures["left out, for want of time"] += 1
            return None

        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            for future in [pool.submit(run, *task) for task in tasks]:
                future.result()

    def faults(self, scenario):
        counts = self.count(scenario)
        options = self.options
        print(f"{scenario.name}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count), flush=True)
        if not counts["change"]:
            self.tell(scenario, "cut", "any", 0, "the shim met no call that changes a file")
        tasks = []
        for kind, deeds in ({} if options.cuts_only else ERRORS | SHORTAGES).items():
            for deed in deeds:
                most = options.most_memory if kind in SHORTAGES else options.most
                tasks += [(self.error, scenario, kind, deed, at) for at in spread(counts[kind], most)]
        for deed in CUTS:
            tasks += [(self.cut, scenario, deed, at) for at in spread(counts["change"], options.most_cuts)]
        random.Random(options.seed).shuffle(tasks)
        self.each(tasks)

    def kills(self, chosen):
        """In turn, until so many landed."""
        lot = random.Random(self.options.seed)
        lengths = {}
        for scenario in chosen:
            took = []
            for _ in range(5):
                place = self.fresh(scenario.before)
                begin = time.monotonic()
                scenario.must(place, *scenario.command(place))
                took.append(time.monotonic() - begin)
            lengths[scenario] = statistics.median(took)
        landed = runs = 0
        while landed < self.options.kills and runs < 10 * self.options.kills:
            turns = [(scenario, lot.random() * lengths[scenario]) for scenario in chosen]
            runs += len(turns)
            with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
                landed += sum(pool.map(lambda turn: self.killing(*turn), turns))
        return landed, runs

    def report(self):
        table = collections.defaultdict(collections.Counter)
        for key, number in self.figures.items():
            if isinstance(key, tuple) and len(key) == 3:
                table[key[0]][f"{key[1]} {key[2]}" if key[1] in ("cut", "kill -9") else key[1]] += number
        for name, row in table.items():
            print(f"    {name}: " + ", ".join(f"{kind} {number}" for kind, number in row.items()))
        total = collections.Counter()
        for row in table.values():
            total += row
        print("    all: " + ", ".join(f"{kind} {number}" for kind, number in total.items()))
        for key, number in self.figures.items():
            if isinstance(key, str):
                print(f"    {key}: {number}")
        exits = sorted(((key, number) for key, number in self.figures.items() if isinstance(key, tuple) and len(key) == 2), key=str)
        print("    exit statuses of what met an error: " + ", ".join(f"{deed} {status}: {number}" for (status, deed), number in exits))
        if self.options.said:
            for words, number in self.said.most_common():
                print(f"    said {number} times: {words or '(nothing)'}")


def options_of(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    program = os.path.join(root, "build", "memelens")
    parser.add_argument("--program", default=program)
    parser.add_argument("--shim", help="the shim, else beside the program")
    models = os.environ.get("MEMELENS_TEST_MODELS", os.path.expanduser("~/.local/share/memelens/models"))
    parser.add_argument("--models", default=models, help="folders of models, for the meaning of captions")
    parser.add_argument("--only", default="", help="the scenario of that name, or those whose names begin so")
    parser.add_argument("--size", type=int, default=24, help="pictures of a scenario")
    parser.add_argument("--most", type=int, default=150, help="at most so many places for an error, for each kind and error; 0: kills alone")
    parser.add_argument("--most-memory", type=int, default=100)
    parser.add_argument("--most-cuts", type=int, default=400)
    parser.add_argument("--cuts-only", action="store_true")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--kill-size", type=int, default=200, help="pictures of a scenario that is killed")
    parser.add_argument("--seconds", type=float, default=150, help="for the faults of a scenario; what has no time is left out, and counted")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--jobs", type=int, default=2)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    parser.add_argument("--folder", default=memory, help="where all of it lies: a disk in memory is the fastest")
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--do")
    parser.add_argument("--at", type=int)
    parser.add_argument("--said", action="store_true", help="tell what the program said, and how often")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(argv)
    options.shim = os.path.abspath(options.shim or os.path.join(os.path.dirname(options.program), "tests", "faults", "shim.so"))
    options.program = os.path.abspath(options.program)
    options.keep = options.at is not None
    if options.quick:
        options.most, options.most_memory, options.most_cuts, options.kills = 2, 2, 6, 8
    return options


def main(argv):
    options = options_of(argv)
    signal.signal(signal.SIGTERM, lambda *_: (setattr(options, "seconds", 0), sys.exit(143)))
    harness = Harness(options)
    print(f"the lot is {options.seed}", flush=True)
    begin = time.monotonic()
    scenarios.CopyOn.half = harness.halfway
    chosen = [one for one in scenarios.ALL if one.name == options.only] or [one for one in scenarios.ALL if one.name.startswith(options.only)]
    try:
        if options.at:
            scenario = chosen[0](harness.world, options.size)
            if options.do in CUTS:
                harness.cut(scenario, options.do, options.at)
            else:
                harness.error(scenario, options.kind, options.do, options.at)
            print(f"kept: {harness.temporary}")
            return 1 if harness.wrong else 0
        for scenario in harness.made(chosen if options.most else (), options.size):
            harness.faults(scenario)
        if options.kills:
            landed, runs = harness.kills(list(harness.made(chosen, options.kill_size)))
            print(f"{landed} of {runs} kills landed while the program was at work")
        harness.report()
        print(f"{len(harness.wrong)} wrong; {time.monotonic() - begin:.0f} s; again: --seed {options.seed}")
        return 1 if harness.wrong else 0
    finally:
        harness.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
