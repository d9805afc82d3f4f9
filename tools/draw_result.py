"""Draws docs/result.png, the README's picture: real answers of the program on pictures that are drawn here.

    PROGRAM=build/memelens python3 tools/draw_result.py docs/result.png

Six motifs, each in several skies and places, are drawn as SVG, saved as JPEG with libvips' own tool, and indexed. Each query is one
of them cropped, mirrored or saved badly. What the sheet shows is what `memelens search --json` printed.
"""
import base64
import json
import os
import random
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(os.environ.get("PROGRAM", "build/memelens"))
SKIES = {"morning": ("#fde2c8", "#f7a98a"), "noon": ("#9fd3f5", "#e8f6ff"), "dusk": ("#3d2c6b", "#e8718d"), "night": ("#0d1b3d", "#31507c")}


def boat(draw, x):
    return (f'<rect y="300" width="480" height="60" fill="#2a6f97"/><path d="M{x} 300h150l-28 40h-94z" fill="#7c3a1d"/>'
            f'<path d="M{x + 72} 110v180h-70z" fill="#fff6e0"/><path d="M{x + 80} 90v200h86z" fill="#f4c95d"/>'
            f'<path d="M{x + 76} 80v222" stroke="#40241a" stroke-width="6"/>')


def house(draw, x):
    return (f'<rect y="270" width="480" height="90" fill="#5f9e4a"/><rect x="{x}" y="170" width="170" height="130" fill="#e7d8b1"/>'
            f'<path d="M{x - 20} 172l105-92 105 92z" fill="#b23a48"/><rect x="{x + 68}" y="220" width="38" height="80" fill="#6b4226"/>'
            f'<rect x="{x + 18}" y="200" width="34" height="34" fill="#7fc8f8"/><rect x="{x + 120}" y="200" width="34" height="34" fill="#7fc8f8"/>')


def cat(draw, x):
    whiskers = "".join(f'<path d="M{x + 85} 228l{dx} {dy}" stroke="#222" stroke-width="3"/>' for dx in (-100, 100) for dy in (-18, 6))
    return (f'<rect y="310" width="480" height="50" fill="#8d6a9f"/><path d="M{x} 120l30 70h-46zM{x + 170} 120l-30 70h46z" fill="#e08e45" stroke="#e08e45" stroke-width="30" stroke-linejoin="round"/>'
            f'<ellipse cx="{x + 85}" cy="215" rx="112" ry="96" fill="#e08e45"/><ellipse cx="{x + 45}" cy="195" rx="18" ry="24" fill="#d7f171"/>'
            f'<ellipse cx="{x + 125}" cy="195" rx="18" ry="24" fill="#d7f171"/><ellipse cx="{x + 45}" cy="195" rx="6" ry="20"/><ellipse cx="{x + 125}" cy="195" rx="6" ry="20"/>'
            f'<path d="M{x + 74} 226h22l-11 12z" fill="#c8553d"/>{whiskers}')


def mountains(draw, x):
    return (f'<path d="M-40 330L{x} 90l150 240z" fill="#54678f"/><path d="M{x - 42} 165L{x} 90l44 72-22-10-20 18-20-20z" fill="#fff"/>'
            f'<path d="M{x + 60} 330l140-190 180 190z" fill="#3b4a6b"/><path d="M{x + 163} 190l37-50 45 50-22-8-20 18-16-16z" fill="#fff"/>'
            '<rect y="320" width="480" height="40" fill="#2f5d50"/>')


def tree(draw, x):
    apples = "".join(f'<circle cx="{x + draw.randint(-70, 70)}" cy="{draw.randint(90, 190)}" r="9" fill="#d62839"/>' for _ in range(9))
    return (f'<rect y="290" width="480" height="70" fill="#a3b18a"/><path d="M{x - 16} 310v-120h34v120z" fill="#6f4518"/>'
            f'<circle cx="{x}" cy="130" r="72" fill="#386641"/><circle cx="{x - 60}" cy="165" r="50" fill="#4f8a4c"/><circle cx="{x + 62}" cy="165" r="52" fill="#2f5233"/>{apples}')


def balloon(draw, x):
    return (f'<path d="M{x} 60a85 85 0 0 1 85 85c0 50-50 90-60 110h-50c-10-20-60-60-60-110a85 85 0 0 1 85-85z" fill="#e63946"/>'
            f'<path d="M{x} 60c-30 20-45 120-12 195h24c33-75 18-175-12-195z" fill="#ffd166"/><path d="M{x - 22} 255l6 38m38-38l-6 38" stroke="#333" stroke-width="3"/>'
            f'<rect x="{x - 18}" y="292" width="36" height="26" rx="4" fill="#8a5a2b"/>')


MOTIFS = {"boat": (boat, 80, 240), "house": (house, 40, 260), "cat": (cat, 60, 240), "mountains": (mountains, 110, 250),
          "tree": (tree, 120, 360), "balloon": (balloon, 130, 350)}
QUERIES = [("cat-dusk", "cropped", ["crop", "90", "60", "300", "240"]), ("boat-noon", "mirrored", ["flip", "horizontal"]),
           ("balloon-morning", "shrunk to 160 pixels", ["thumbnail", "160"])]


def vips(operation, *arguments):
    subprocess.run(["vips", operation, *arguments], check=True)


def draw_picture(motif, sky, path):
    shape, low, high = MOTIFS[motif]
    draw = random.Random(f"{motif} {sky}")
    top, bottom = SKIES[sky]
    sun = "#fffbe6" if sky == "night" else "#ffd23f"
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="480" height="360"><defs><linearGradient id="s" x2="0" y2="1"><stop stop-color="{top}"/>'
           f'<stop offset="1" stop-color="{bottom}"/></linearGradient></defs><rect width="480" height="360" fill="url(#s)"/>'
           f'<circle cx="{draw.randint(40, 440)}" cy="{draw.randint(40, 110)}" r="30" fill="{sun}"/>{shape(draw, draw.randint(low, high))}</svg>')
    with tempfile.NamedTemporaryFile("w", suffix=".svg") as file:
        file.write(svg)
        file.flush()
        vips("copy", file.name, f"{path}[Q=88,background=255]")


def image(path, x, y, width, height):
    with open(path, "rb") as file:
        data = base64.b64encode(file.read()).decode()
    return f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="xMidYMid slice" href="data:image/jpeg;base64,{data}"/>'


def text(x, y, words, size=19, colour="#3c3a44", weight="normal"):
    return f'<text x="{x}" y="{y}" font-family="DejaVu Sans, sans-serif" font-size="{size}" font-weight="{weight}" fill="{colour}">{words}</text>'


def main():
    with tempfile.TemporaryDirectory() as folder:
        pictures = os.path.join(folder, "pictures")
        library = os.path.join(folder, "library")
        os.mkdir(pictures)
        for motif in MOTIFS:
            for sky in SKIES:
                draw_picture(motif, sky, os.path.join(pictures, f"{motif}-{sky}.jpg"))
        subprocess.run([PROGRAM, "index", "-q", "--library", library, pictures], check=True)
        parts = [text(40, 52, "the query", weight="bold"), text(352, 52, f"what memelens finds among {len(MOTIFS) * len(SKIES)} pictures", weight="bold")]
        for row, (name, how, change) in enumerate(QUERIES):
            query = os.path.join(folder, f"{name}.jpg")
            vips(change[0], os.path.join(pictures, f"{name}.jpg"), f"{query}[Q=40]", *change[1:])
            lines = subprocess.run([PROGRAM, "search", "--library", library, "--json", "-n", "3", query], check=True,
                                   stdout=subprocess.PIPE, text=True).stdout.splitlines()
            y = 76 + row * 260
            parts += [image(query, 40, y, 264, 198), text(40, y + 226, f"{name.split('-')[0]}, {how}")]
            for column, line in enumerate(lines):
                result = json.loads(line)
                x = 352 + column * 288
                found = os.path.basename(result["path"]) == f"{name}.jpg"
                parts.append(image(result["path"], x, y, 264, 198))
                if found:
                    parts.append(f'<rect x="{x}" y="{y}" width="264" height="198" fill="none" stroke="#1f7a45" stroke-width="6"/>')
                parts += [text(x, y + 226, f"{result['score']:.3f}", colour="#1f7a45" if found else "#3c3a44", weight="bold"),
                          text(x + 66, y + 226, os.path.basename(result["path"]))]
        sheet = os.path.join(folder, "sheet.svg")
        with open(sheet, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="1232" height="{76 + 260 * len(QUERIES)}"><rect width="100%" height="100%" fill="#fbfaf7"/>{"".join(parts)}</svg>')
        vips("copy", sheet, f"{os.path.abspath(sys.argv[1])}[palette,Q=95,compression=9]")


if __name__ == "__main__":
    main()
