"""What the documents say can be typed: command lines out of README.md, docs/, the manual page, the help texts and the notes beside the code."""
import glob
import os
import re
import subprocess
from collections import namedtuple

root = os.environ.get("MEMELENS_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

# WHOLE: to be run as it stands; else a mention, of which the names alone have to be right.
Line = namedtuple("Line", "where text whole")

PROGRAMS = ("memelens", "make", "sudo", "curl", "openssl", "podman", "createdb", "export", "python", "python3")


def markdown_files():
    return [os.path.join(root, "README.md"), os.path.join(root, "SECURITY.md"), *sorted(glob.glob(os.path.join(root, "docs", "*.md"))),
            *(os.path.join(root, folder, "README.md") for folder in ("bench", "packaging", "tests/fuzz", "tests/kept", "src/encoders/word_map"))]


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def short(path):
    return os.path.relpath(path, root)


class Program:
    """What `--help` says of the program: its commands, and the options of each, with their letters and whether they take a value."""

    def __init__(self, program):
        self.program = program
        overview = self.help()
        self.commands = re.findall(r"^  (\S+)", overview[overview.index("commands:"):overview.index("\noptions that")], re.M)
        self.texts = {name: self.help(name) for name in self.commands}
        self.texts[""] = overview
        self.options = {name: self.options_of(text) for name, text in self.texts.items()}

    def help(self, *command):
        return subprocess.run([self.program, *command, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout

    @staticmethod
    def options_of(text):
        """{"--count": takes a value, "-n": …}"""
        found = {}
        table = text[text.rindex("options"):]
        for letter, name, value in re.findall(r"^  (?:(-\S), |    )(--[a-z-]+)(?: (\S+))?", table, re.M):
            line = re.search(rf"^  .{{4}}{name}( [A-Z])?", table, re.M)
            found[name] = bool(line.group(1)) if line else bool(value)
            if letter:
                found[letter] = found[name]
        return found

    def all_options(self):
        return {name for options in self.options.values() for name in options if name.startswith("--")}


def spans(text):
    """Inline code of a Markdown text, as (line number, code, whether it stands in the first column of a table)."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("    "):
            continue
        first = line.index("|", 1) if line.startswith("| ") and "|" in re.sub(r"\\\|", "  ", line[1:]) else 0
        if first:
            first = re.sub(r"\\\|", "  ", line).index("|", 1)
        for code in re.finditer(r"(?<!`)`([^`]+)`(?!`)", line):
            yield number, code.group(1).replace("\\|", "|"), bool(first) and code.start() < first


def blocks(text):
    """The lines of indented blocks, as (line number, line), with those that a backslash goes on in made one."""
    lines, held = text.split("\n"), ""
    for number, line in enumerate(lines, 1):
        if not line.startswith("    "):
            continue
        line = held + line.strip()
        held = line[:-1] if line.endswith("\\") else ""
        if not held:
            yield number, line


def without_comment(line):
    return re.sub(r"\s+# .*$", "", line)


def markdown_lines(program):
    for path in markdown_files():
        text, name = read(path), short(path)
        for number, line in blocks(text):
            if line.split()[0] in PROGRAMS or line.startswith(("build/", "MEMELENS_")):
                yield Line(f"{name}:{number}", without_comment(line), True)
        for number, code, in_table in spans(text):
            words = code.split()
            if not words:
                continue
            if words[0] in program.commands and (len(words) > 1 or (name == "README.md" and in_table)):
                yield Line(f"{name}:{number}", f"memelens {code}", name == "README.md" and in_table)
            elif words[0] in PROGRAMS and len(words) > 1:
                yield Line(f"{name}:{number}", code, words[0] != "memelens" or len(words) > 2)
            elif re.match(r"(build|tests|tools)/\S+ ", code):
                yield Line(f"{name}:{number}", code, True)


def manual():
    """The manual page, as plain lines."""
    text = read(os.path.join(root, "docs", "memelens.1"))
    return text.replace("\\-", "-").replace("\\(dq", '"').replace("\\fR", "").replace("\\fI", "").replace("\\fB", "").replace("\\fP", "")


def lines(program):
    """Every command line of the documents and of the help texts."""
    yield from markdown_lines(program)
    for number, line in enumerate(manual().split("\n"), 1):
        if line.startswith("memelens ") and line.split()[1] in program.commands:
            yield Line(f"docs/memelens.1:{number}", line, True)
    for command, text in program.texts.items():
        where = f"--help of {command or 'memelens'}"
        for line in re.findall(r"^  ((?:memelens|openssl) .+)$", text, re.M):
            line = re.split(r" {3,}| (?=what shows)", line)[0]  # what it does stands behind it
            # A synopsis tells what may stand there.
            yield Line(where, line, not re.search(r"\[|\.\.\.|\||\(|…|(?<!\w)[A-Z]{2,}", line))
        for code in re.findall(r"`(memelens [^`\n]+)`", text):
            yield Line(where, code, False)
    for path in sorted(glob.glob(os.path.join(root, "src", "**", "*.[ch]"), recursive=True)):
        for number, line in enumerate(read(path).split("\n"), 1):  # what messages tell people to type
            for code in re.findall(r"`(memelens [^`]+)`", line):
                yield Line(f"{short(path)}:{number}", code, False)
    for path in sorted(filter(os.path.isfile, glob.glob(os.path.join(root, "packaging", "**"), recursive=True))):
        for number, line in enumerate(read(path).split("\n"), 1):
            for code in re.findall(r"(?<=[ /])memelens (?:pull|index|serve) [^&]*", line):
                yield Line(f"{short(path)}:{number}", code, False)
