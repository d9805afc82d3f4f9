#!/usr/bin/env python3
"""Asks a server what its openapi.json describes, rightly and wrongly, with schemathesis: every answer has to be one that is described there.

usage: test_openapi.py PROGRAM

Makes pictures, indexes them, serves them. schemathesis is installed from PyPI into a virtual environment below build/ when it is not there. One line
a check; exit 1 when one failed, 77 when it cannot be installed (Debian: python3-venv, and a network).
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(root, "tests", "support"))
from served import check, end, failures, library, picture, serve  # noqa: E402

WANTED = "schemathesis==4.32.5"
TOKEN = "0123456789abcdef"
REQUEST_SECONDS, RUN_SECONDS = 60, 1800  # guards against what hangs, on a machine however busy
# Not asked for: that whatever fits the description is accepted. Of many things (a model of that name, one of three parameters) it cannot speak.
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,"
          "negative_data_rejection,unsupported_method,allow_header_conformance")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def schemathesis():
    """The command, which is installed first where it is not there yet."""
    place = os.path.join(root, "build", "schemathesis")
    program = [os.path.join(place, "bin", name) for name in ("python", "schemathesis")]  # whose own first line does not do with every name of a folder
    mark = os.path.join(place, "installed")
    if os.path.exists(mark) and open(mark, encoding="utf-8").read() == WANTED:
        return program
    shutil.rmtree(place, ignore_errors=True)
    steps = (("no python3-venv", [sys.executable, "-m", "venv", place]),
             (f"{WANTED} cannot be installed",
              [os.path.join(place, "bin", "python"), "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20", WANTED]))
    for why, command in steps:
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            skip(f"{why}: {error}")
        if done.returncode != 0:
            skip(f"{why}: {' '.join(done.stdout.split())[-200:]}")
    with open(mark, "w", encoding="utf-8") as out:
        out.write(WANTED)
    return program


def ask(address, path, method="GET", body=None, headers=None):
    """(status, type, body). A stream is read no further than its first event."""
    request = urllib.request.Request(address.rstrip("/") + path, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
            kind = answer.headers.get("Content-Type", "")
            return answer.status, kind, answer.readline() if kind == "text/event-stream" else answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Content-Type", ""), error.read()


def run(program, address, folder, name, config):
    """One run; what is not described is shown whole. The stream of events has no end, and is asked for apart."""
    path = os.path.join(folder, f"{name}.toml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(config)
    command = [*program, "--no-color", "--config-file", path, "run", address + "openapi.json", "--url", address, "--seed", "1",
               "--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--checks", CHECKS, "--exclude-path", "/api/index/events",
               "--request-timeout", str(REQUEST_SECONDS), "--generation-database", "none", "--no-shrink", "--continue-on-failure", "--warnings", "off",
               "--suppress-health-check", "all"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_SECONDS, cwd=folder, check=False)
    except subprocess.TimeoutExpired as error:
        check(f"{name}: ends in time", False, error)
        return
    asked = re.search(r"(\d+) generated", done.stdout)
    check(f"{name}: every answer is as it is described", done.returncode == 0 and asked, "\n" + done.stdout)
    check(f"{name}: there was something to ask", asked and int(asked.group(1)) > 500, asked and asked.group(0))


def test_described(program, address, folder):
    run(program, address, folder, "anything", "")
    path = os.path.join(folder, "query.ppm")
    picture(path, 3, 50, "query")
    with open(path, "rb") as bytes_:
        status, _, body = ask(address, "/api/uploads", "POST", bytes_.read(), {"Content-Type": "application/octet-stream"})
    check("an upload is taken", status == 200, body)
    # What there is: so that the answers are those of a search, not of a refusal.
    config = f'[parameters]\n"path.id" = 3\n"query.id" = 7\nkey = "{json.loads(body)["upload"]}"\nmodel = "colour"\n'
    run(program, address, folder, "what there is", config)


def test_events(address):
    status, kind, line = ask(address, "/api/index/events")
    check("the stream of events", status == 200 and kind == "text/event-stream" and line.startswith(b"retry:"), (status, kind, line))


def test_routes(described):
    """What the code answers is what is described. The files of the page are no interface."""
    with open(os.path.join(root, "src", "server", "routes.c"), encoding="utf-8") as source:
        table = set(re.findall(r'^ *\{"(GET|POST)", "(/(?:api|search|healthz|metrics|openapi|login)[^"]*)"', source.read(), re.M))
    told = {(method.upper(), re.sub(r"\{key\}", "*", re.sub(r"\{id\}", "#", path))) for path, item in described["paths"].items() for method in item}
    check("every route is described, and no other", table == told, table ^ told)


def operations(described):
    """(description, arguments of ask()) of each; those of the second are an example."""
    for path, item in described["paths"].items():
        for method, operation in item.items():
            example = re.sub(r"\{key\}", "0" * 32, re.sub(r"\{id\}", "1", path))
            yield operation, (example, method.upper(), b"" if method == "post" else None)


def test_refusals(described, address):
    """What schemathesis does not try: hosts, origins and types that are not taken."""
    for name, headers, status in (("another Host", {"Host": "elsewhere.example"}, 421),
                                  ("a blank behind a header's name", {"X-Blank ": "x"}, 400),
                                  ("a foreign Origin", {"Origin": "http://elsewhere.example"}, 403)):
        wrong = []
        for operation, example in operations(described):
            got = ask(address, *example, headers)[0]
            if got != status or str(got) not in operation["responses"]:
                wrong.append((operation["operationId"], got))
        check(f"{name} is refused as it is described", not wrong, wrong)
    got = ask(address, "/api/search", "POST", b"<a/>", {"Content-Type": "text/xml"})[0]
    check("a body of another type is refused as it is described", got == 415 and "415" in described["paths"]["/api/search"]["post"]["responses"], got)


def test_token(described, address):
    """Which addresses ask for the token is what is described."""
    wrong = []
    for operation, example in operations(described):
        headers = {"Content-Type": "application/json"}
        guarded = operation.get("security") != []
        without = ask(address, *example, headers)
        with_token = ask(address, *example, {**headers, "Authorization": f"Bearer {TOKEN}"})
        if (without[0] == 401 and b'"unauthorized"' in without[2]) != guarded or (guarded and with_token[0] == 401):
            wrong.append((operation["operationId"], without[0], with_token[0]))
    check("the token is asked for where it is described", not wrong, wrong)


def main():
    program = os.path.abspath(sys.argv[1])
    tool = schemathesis()
    with tempfile.TemporaryDirectory(prefix="memelens-openapi-") as folder:
        options = library(program, folder, 40)
        token = os.path.join(folder, "token")
        with open(token, "w", encoding="utf-8") as out:
            out.write(TOKEN)
        process, address = serve(program, options)
        guarded, guarded_address = serve(program, options, "--token-file", token)
        try:
            described = json.loads(ask(address, "/openapi.json")[2])
            test_routes(described)
            test_events(address)
            test_refusals(described, address)
            test_token(described, guarded_address)
            test_described(tool, address, folder)
        finally:
            for server in (process, guarded):
                end(server)
    return 1 if failures() else 0


if __name__ == "__main__":
    sys.exit(main())
