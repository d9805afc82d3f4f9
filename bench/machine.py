"""Names the machine a table was measured on: what of it decides how fast memelens is."""
import datetime
import os
import platform
import re
import resource
import subprocess
import sys

# What oneDNN and our own loops look for; /proc/cpuinfo's spelling.
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "bf16", "sve")

# Loading oneDNN here would make every child that is forked later look larger.
ONEDNN = """
import ctypes, sys
class Version(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("major", "minor", "patch")]
library = ctypes.CDLL(sys.argv[1])
library.dnnl_version.restype = ctypes.POINTER(Version)
version = library.dnnl_version().contents
print(f"{version.major}.{version.minor}.{version.patch}")
"""


def text(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def field(path, name):
    """The first value of NAME in a file of `name: value` lines."""
    try:
        with open(path, encoding="utf-8") as file:
            return next((line.split(":", 1)[1].strip() for line in file if re.match(rf"{name}\s*:", line)), "")
    except OSError:
        return ""


def onednn(program):
    found = re.search(r"libdnnl\S* => (\S+)", text("ldd", program))
    return text(sys.executable, "-c", ONEDNN, found[1]) if found else ""


def others_seconds():
    """Processor seconds that went to anything but this process and the children that ended: two readings tell how noisy it was between."""
    try:
        with open("/proc/stat", encoding="utf-8") as file:
            ticks = [int(value) for value in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0.0
    idle = ticks[3] + ticks[4]
    ours = sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK") - ours


def describe(program):
    """A dictionary in the order in which it is to be read; only what is known."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    flags = (field("/proc/cpuinfo", "flags") or field("/proc/cpuinfo", "Features")).split()
    memory = field("/proc/meminfo", "MemTotal").split()
    try:
        distribution = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        distribution = platform.platform()
    known = {
        "processor": field("/proc/cpuinfo", "model name") or platform.machine(),
        "processors usable": len(os.sched_getaffinity(0)),
        "instructions": " ".join(name for name in INSTRUCTIONS if name in flags) or "none of those that are asked for",
        "memory": f"{int(memory[0]) / 1024 ** 2:.0f} GiB" if memory else "",
        "distribution": distribution,
        "oneDNN": onednn(program),
        "memelens": " ".join(filter(None, (text(program, "--version").removeprefix("memelens "), text("git", "-C", root, "describe", "--always", "--dirty")))),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "busy with other things at the start": f"{os.getloadavg()[0]:.2f} processors",
    }
    return {name: value for name, value in known.items() if value}
