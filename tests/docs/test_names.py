#!/usr/bin/python3
"""What the documents name is there: commands and options (and every one of the program's is in the manual and completed), make targets, files, functions,
settings, addresses, and the places that links lead to."""
import os
import re
import shutil
import subprocess
import sys

import documents
from documents import read, root, short

# Options of other programs, and what only begins like one.
FOREIGN = {"--rows", "--tcp", "--backup", "--offline", "--no-deps", "--only-binary"}

failed = 0


def check(name, wrong):
    global failed
    print(f"FAILED {name}: {'; '.join(sorted(wrong))}" if wrong else f"ok {name}", flush=True)
    failed += bool(wrong)


def split(text):
    """TEXT as words, as a shell would: quotes and what cannot be closed do no harm."""
    return [re.sub(r"[\"'\[\]]", "", word) for word in re.findall(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*')+", text)]


def wrong_words(program, line):
    """Which words of the memelens commands in LINE the program does not know."""
    for part in re.split(r"\s(?:&&|\|(?= *xargs)|<|>)\s?", line):
        found = re.search(r"(?<![/\w])memelens ((?!\.|-f ).*)", part)
        if not found:
            continue
        words, command, skip = split(found.group(1)), None, False
        for word in words:
            if skip:
                skip = False
            elif word == "--":
                break
            elif re.match(r"--?[a-z0]", word) and not re.match(r"-[\d.]+:", word):
                name = re.sub(r"=.*", "", word)
                known = program.options[command or ""] if not word.startswith("--library") else {"--library": True}
                if name not in known:
                    yield f"memelens {command or ''} knows no {name}"
                skip = known.get(name, False) and "=" not in word
            elif command is None:
                command = word if word in program.commands else None
                if command is None and word not in ("COMMAND", "NAME", "help"):
                    yield f"{word} is no command"
                    break


def commands_and_options(program):
    wrong = set()
    for line in documents.lines(program):
        wrong |= {f"{line.where}: {why}" for why in wrong_words(program, line.text)}
    check("each command in the documents and its options are the program's", wrong)


def options_named(program):
    every, wrong = program.all_options(), set()
    for path in documents.markdown_files():
        text = "\n".join(code for _, code, _ in documents.spans(read(path)) if not re.match(r"(make|podman|curl|openssl) ", code))
        wrong |= {f"{short(path)}: {name}" for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text) if name not in every | FOREIGN}
    for text, where in [(text, f"--help of {command}") for command, text in program.texts.items()] + [(documents.manual(), "docs/memelens.1")]:
        wrong |= {f"{where}: {name}" for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text) if name not in every | FOREIGN}
    check("each option that is named anywhere is the program's", wrong)


def manual_is_whole(program):
    headed = set(re.findall(r"^\.[BIR]+ (.*)$", documents.manual(), re.M))
    named = {name for line in headed for name in re.findall(r"--?[a-z0-9][a-z-]*", line)}
    wrong = {f"{command} {name}" for command, options in program.options.items() for name in options if name not in named}
    wrong |= {command for command in program.commands if not any(re.match(rf'"?{command}\b', line) for line in headed)}
    check("each command and option is in the manual", wrong)


def completion_is_whole(program):
    bash = subprocess.run([program.program, "completion", "bash"], stdout=subprocess.PIPE, text=True, check=True).stdout
    zsh = subprocess.run([program.program, "completion", "zsh"], stdout=subprocess.PIPE, text=True, check=True).stdout
    common = re.search(r"options\+='([^']*)'", bash).group(1).split()
    wrong = set()
    for command in program.commands:
        completed = set(re.search(rf"^        {command}\) options='([^']*)'", bash, re.M).group(1).split()) | set(common)
        wanted = {name for name in program.options[command] if name.startswith("--")}
        wrong |= {f"bash, {command}: {name}" for name in wanted ^ completed}
        part = re.search(rf"^ +{command}\)(.*?);;", zsh, re.M | re.S)
        completed = set(re.findall(r"'\*?(--[a-z-]+)\[", part.group(1))) if part else set()
        wrong |= {f"zsh, {command}: {name}" for name in wanted ^ completed}
    check("each option is completed by bash and zsh, with its own command", wrong)


def targets(program):
    named = {}
    for line in documents.lines(program):
        for part in line.text.split("&&"):
            words = split(part)
            if "make" in words[:2]:
                named.setdefault(tuple(words[words.index("make") + 1:]), line.where)
    for line in re.findall(r"`make ([a-z-]+)", "\n".join(read(path) for path in documents.markdown_files())):
        named.setdefault((line,), "a document")
    helped = subprocess.run(["make", "-s", "help"], cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in re.findall(r"^make ([a-z-]+)", helped, re.M):
        named.setdefault((line,), "make help")
    makefile, wrong = "".join(read(os.path.join(root, name)) for name in ("Makefile", "tools/fuzz.sh")), set()
    for words, where in named.items():
        for word in words:
            if "=" in word:
                if not re.search(rf"\b{word.split('=')[0]}\b", makefile):
                    wrong.add(f"{where}: make knows no {word.split('=')[0]}")
            elif not word.startswith("build/") and not re.search(rf"^{word}:", makefile, re.M):
                wrong.add(f"{where}: there is no target {word}")
    # What they would do can be worked out; make prints it and does nothing. The settings of a make that runs this test are not a person's.
    person = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "BUILD")}
    for words in named:
        cross = next((word[6:] for word in words if word.startswith("CROSS=")), None)
        if cross and not shutil.which(f"{cross}-gcc"):
            continue
        if subprocess.run(["make", "-n", *words], cwd=root, env=person, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False).returncode != 0:
            wrong.add(f"make -n {' '.join(words)} fails")
    check("each make target is there", wrong)


def every_file():
    names = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in ("build", ".git", "__pycache__")]
        names += [os.path.relpath(os.path.join(folder, name), root) for name in files + folders]
    return names


# Names of files that are no part of the source: a model's, and what a user or a test may have.
ELSEWHERE = re.compile(r"^(\.\./|~|/|\$|[A-Z]{2,}|setup\.py|.*_NAME|.*(json|txt|bin|jpg|png|pth|safetensors|bytes|cells|near|db|db-wal|lock|tsv|gz|xmp|part|html|webp)$|models/)")


def is_there(name, files):
    """Whether NAME, a path from the root or the end of one, perhaps with stars, is a file's."""
    pattern = re.compile("(?:^|/)" + re.escape(name.rstrip("/")).replace(r"\*", "[^/]*") + "$")
    return any(pattern.search(file) for file in files)


def files_named():
    files, wrong = every_file(), set()
    for path in documents.markdown_files():
        text = read(path)
        codes = [code for _, code, _ in documents.spans(text)]
        words = {word for code in codes for word in code.split() if not ELSEWHERE.match(word)}
        names = {word for word in words if re.match(r"(src|tests|tools|docs|bench|web|packaging|include)/|.*\w\.(c|cc|h|py|sh|js|css)$", word)}
        names |= set(re.findall(r"(?<![\w/`.])((?:docs|tests|src|bench|tools)/[\w./-]*\w)", text)) | set(re.findall(r"(?<![\w/])([A-Z]{3,}\.md)\b", text))
        wrong |= {f"{short(path)}: {name}" for name in names if not is_there(name, files)}
        # A program of the build has a source.
        for name in {word for code in codes for word in code.split() if word.startswith(("build/bench/", "build/tests/"))}:
            if not is_there(name[len("build/"):] + ".c", files):
                wrong.add(f"{short(path)}: {name}")
    check("each file that is named is there", wrong)


def links():
    wrong = set()
    for path in documents.markdown_files():
        for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
            place, _, part = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = os.path.normpath(os.path.join(os.path.dirname(path), place)) if place else path
            if not os.path.exists(there):
                wrong.add(f"{short(path)}: {target}")
            elif part and part not in [re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in re.findall(r"^#+ (.*)$", read(there), re.M)]:
                wrong.add(f"{short(path)}: {target}: no such heading")
    check("each link leads somewhere", wrong)


def names_of_the_source():
    source = ""
    for name in every_file():
        if name.startswith(("src/", "include/", "tests/", "tools/", "bench/")) and name.endswith((".c", ".cc", ".h", ".py", ".sh")):
            source += read(os.path.join(root, name))
    source += read(os.path.join(root, "Makefile"))
    wrong = set()
    for path in documents.markdown_files():
        named = set(re.findall(r"\b(?:lens_[a-z_]+|LENS_[A-Z_]+|MEMELENS_[A-Z_]+|store_place\w*|test_\w+(?=`))", read(path)))
        if short(path) == "SECURITY.md":  # where each test, whatever it is called, and each function is one that it relies on
            named |= set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", read(path)))
        wrong |= {f"{short(path)}: {name}" for name in named if not re.search(rf"\b{name}(\b|\.c|_)", source) and not is_there(name + ".c", every_file())}
    wrong |= {f"docs/memelens.1: {name}" for name in re.findall(r"\bMEMELENS_[A-Z_]+|\bHF_[A-Z_]+", documents.manual()) if name not in source}
    check("each function and setting that is named is in the source", wrong)


def addresses():
    routes = [re.sub(r"[#*]", "ID", route) for route in re.findall(r'^    \{"[A-Z]+", "([^"]+)"', read(os.path.join(root, "src", "server", "routes.c")), re.M)]
    wrong = set()
    for path in documents.markdown_files():
        words = [word for _, code, _ in documents.spans(read(path)) for word in code.split()]
        named = {re.sub(r"\?.*", "", word) for word in words if re.match(r"/(api/|healthz|metrics|openapi|login|search$)", word)}
        named |= {re.sub(r"[?'\"].*", "", address) for address in re.findall(r"http://127\.0\.0\.1:8080(/\S*)", read(path))}
        wrong |= {f"{short(path)}: {name}" for name in named if name.rstrip("`:") not in routes}
    check("each address that is named is answered at", wrong)


def version(program):
    number = re.search(r"^VERSION := (\S+)", read(os.path.join(root, "Makefile")), re.M).group(1)
    said = {"the program": subprocess.run([program.program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1],
            "docs/memelens.1": re.search(r'"memelens ([\d.]+)"', documents.manual()).group(1)}
    for name, pattern in (("CHANGELOG.md", r"^## (\d\S*)$"), ("packaging/debian/changelog", r"^memelens \((\S+)\)"), ("src/server/openapi.json", r'^  "version": "(.*)",$')):
        said[name] = re.search(pattern, read(os.path.join(root, name)), re.M).group(1)
    check("the version is one", {f"{where} says {found}" for where, found in said.items() if found != number})


def models(program):
    said = subprocess.run([program.program, "models"], stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "MEMELENS_MODELS": "/nowhere"}).stdout
    page = read(os.path.join(root, "docs", "MODELS.md"))
    check("each model of the catalogue is in MODELS.md", {name for name in re.findall(r"^(\S+)", said, re.M) if f"| `{name}` |" not in page})


def main():
    program = documents.Program(os.path.abspath(sys.argv[1]))
    commands_and_options(program)
    options_named(program)
    manual_is_whole(program)
    completion_is_whole(program)
    targets(program)
    files_named()
    links()
    names_of_the_source()
    addresses()
    version(program)
    models(program)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
