"""What a built memelens is made of, as a CycloneDX 1.5 document (JSON).

    python3 tools/sbom.py build/memelens --version 0.1.0 -o build/memelens.cdx.json

Three kinds of parts: what the program is linked to (its NEEDED entries), what it opens when it is first needed (the names in the source, as
"libvips.so.42"), and what is compiled into it. Which package and version a library is of, and under which licences, says dpkg; on a system without it the
libraries are named and no more. The same program on the same system gives the same bytes: nothing is drawn by lot, and there is no time in it. Only
Python's standard library is needed.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import uuid

SOURCE = pathlib.Path(__file__).resolve().parent.parent
# What is compiled in: kind, name, and the files that it is; those of another's package, by that package.
BUILT_IN = [
    ("data", "memelens-word-map", ["src/encoders/word_map/base.bin"]),
    ("data", "memelens-web-page", ["web"]),
    ("data", "memelens-report-page", ["src/compare/report"]),
    ("file", "memelens-openapi", ["src/server/openapi.json"]),
    ("file", "memelens-convert-script", ["tools/convert_efficientnet.py"]),
    ("file", "memelens-unpack-script", ["tools/unpack_model.py"]),
]
HEADERS = ["libhnswlib-dev"]


def run(*command):
    """What COMMAND prints; nothing when it fails or is not there. dpkg's names are UTF-8 in any language."""
    if not shutil.which(command[0]):
        return ""
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", errors="replace", env=environment,
                          check=False)
    return done.stdout if done.returncode == 0 else ""


def linked(program):
    listing = run("readelf", "-dW", program)
    if not listing:
        sys.exit(f"sbom.py: {program}: readelf (package binutils) cannot read it")
    return sorted(re.findall(r"\(NEEDED\).*\[(.+)\]", listing))


def opened():
    """The libraries that the source opens at run time, and the files that do."""
    found = {}
    for path in sorted(SOURCE.glob("src/**/*.c")):
        for name in re.findall(r'lens_dynamic_open\("([^"]+)"', path.read_text(encoding="utf-8")):
            found.setdefault(name, []).append(path.relative_to(SOURCE).as_posix())
    return found


def library_path(name):
    for line in run("/sbin/ldconfig", "-p").splitlines():
        at = re.match(rf"\s*{re.escape(name)} \(.*\) => (.+)$", line)
        if at:
            return at[1]
    return None


def package_of(path):
    """The Debian package that PATH belongs to, or None. dpkg may know it by the name that it had before /lib became a link to /usr/lib."""
    real = os.path.realpath(path)
    for name in (real, path, real.removeprefix("/usr")):
        owner = run("dpkg-query", "-S", name)
        if owner:
            return owner.split(": ")[0].split(",")[0].strip()
    return None


def licences_of(package):
    """The short names of the licences in the package's copyright file, where that is written for machines."""
    path = pathlib.Path("/usr/share/doc", package.split(":")[0], "copyright")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    if not re.match(r"\s*Format:.*copyright-format", text):
        return []
    return sorted(set(re.sub(r"\s+", " ", name).strip() for name in re.findall(r"(?m)^License:[ \t]*(\S[^\n]*)$", text)))


def property_of(name, value):
    return {"name": f"memelens:{name}", "value": value}


def from_package(component, package, system):
    """Adds to COMPONENT what dpkg knows of PACKAGE."""
    form = "${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\t${Maintainer}\n"
    fields = run("dpkg-query", "-W", "-f", form, package).split("\n")[0].split("\t")
    if len(fields) != 6:
        return component
    name, version, architecture, source, source_version, maintainer = fields
    quoted = version.replace("+", "%2B").replace(":", "%3A")
    component["version"] = version
    component["purl"] = f"pkg:deb/{system}/{name}@{quoted}?arch={architecture}"
    component["bom-ref"] = component["purl"] + "#" + component["name"]
    component["supplier"] = {"name": re.sub(r"\s*<.*", "", maintainer)}
    # dpkg's licences are names of their own, and not all SPDX's.
    names = licences_of(package)
    if names:
        component["licenses"] = [{"license": {"name": licence}} for licence in names]
    component["properties"] += [property_of("package", name), property_of("source-package", f"{source} {source_version}")]
    return component


def shared_library(name, how, system, by=()):
    component = {"type": "library", "bom-ref": f"library#{name}", "name": name, "scope": "required" if how == "linked" else "optional",
                 "properties": [property_of("how", how)] + [property_of("opened-by", path) for path in by]}
    path = library_path(name)
    package = package_of(path) if path else None
    if package:
        return from_package(component, package, system)
    if not path:
        component["properties"].append(property_of("note", "not installed where the list was made"))
    return component


def compiled_in(kind, name, paths, version):
    digest = hashlib.sha256()
    for path in paths:
        whole = SOURCE / path
        for file in sorted(whole.rglob("*")) if whole.is_dir() else [whole]:
            if file.is_file():
                digest.update(file.relative_to(SOURCE).as_posix().encode() + b"\0" + file.read_bytes())
    return {"type": kind, "bom-ref": f"compiled-in#{name}", "name": name, "version": version, "scope": "required",
            "properties": [property_of("how", "compiled in"), *(property_of("from", path) for path in paths),
                           property_of("sha256-of-names-and-bytes", digest.hexdigest())]}


def headers(package, system):
    component = {"type": "library", "bom-ref": f"headers#{package}", "name": package, "scope": "required",
                 "properties": [property_of("how", "compiled in, from headers")]}
    return from_package(component, package, system)


def system_id():
    try:
        text = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    found = re.search(r'(?m)^ID="?([^"\n]+)', text)
    return found[1] if found else "unknown"


def document(program, version):
    system = system_id()
    needed, later = linked(program), opened()
    parts = [shared_library(name, "linked", system) for name in needed]
    parts += [shared_library(name, "opened at run time", system, by) for name, by in sorted(later.items()) if name not in needed]
    parts += [headers(package, system) for package in HEADERS]
    parts += [compiled_in(kind, name, paths, version) for kind, name, paths in BUILT_IN]
    digest = hashlib.sha256(pathlib.Path(program).read_bytes()).hexdigest()
    itself = {"type": "application", "bom-ref": f"memelens@{version}", "name": "memelens", "version": version, "purl": f"pkg:generic/memelens@{version}",
              "hashes": [{"alg": "SHA-256", "content": digest}],
              "properties": [property_of("hash-of", "the program as it was linked, before anything is stripped from it")]}
    whole = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": itself}, "components": parts,
             "dependencies": [{"ref": itself["bom-ref"], "dependsOn": [part["bom-ref"] for part in parts]}] + [{"ref": part["bom-ref"]} for part in parts]}
    # The number that tells two documents apart comes from what is in them.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(whole, sort_keys=True))
    return {"bomFormat": whole.pop("bomFormat"), "specVersion": whole.pop("specVersion"), "serialNumber": f"urn:uuid:{serial}", **whole}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program")
    parser.add_argument("--version", required=True)
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    text = json.dumps(document(options.program, options.version), indent=1, ensure_ascii=False) + "\n"
    pathlib.Path(options.output).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
