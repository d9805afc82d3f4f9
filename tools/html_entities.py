#!/usr/bin/env python3
"""Writes src/text/html_entities.c from Python's own table of HTML 5's names. Run by hand, should the names ever change."""
import html.entities

table = html.entities.html5
entries = []
for name in sorted(n[:-1] for n in table if n.endswith(";")):
    points = "+".join("%X" % ord(c) for c in table[name + ";"])
    entries.append(name + ("!" if name in table else "=") + points)
assert all(n.endswith(";") or n + ";" in table for n in table)
lines, line = [], ""
for entry in entries:
    if len(line) + len(entry) > 125:
        lines.append(line)
        line = ""
    line += entry + " "
lines.append(line)
with open("src/text/html_entities.c", "w") as out:
    out.write("/* Made by tools/html_entities.py: HTML 5's names and their code points. html_text.h says how it is read. */\n"
              '#include "text/html_text.h"\n\nconst char lens_html_entities[] =\n')
    out.write("\n".join('    "%s"' % text for text in lines))
    out.write(";\nconst size_t lens_html_entities_size = sizeof lens_html_entities - 1;\n")
