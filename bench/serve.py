"""The server under load (wrk, which apt has): queries by numbers and by pictures, memory, and whom slow clients disturb."""
import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading

from work import DEFAULT, Refused, interleaved, picture_files, ratio, row, run

SIMILAR = """
init = function() math.randomseed(os.time() + %d) end
request = function() return wrk.format('GET', '/api/pictures/' .. math.random(1, %d) .. '/similar') end
"""
# Each picture once, then from the beginning: more of them than the server keeps what came of.
PICTURES = """
local bodies, n = {}, 0
init = function()
  for path in io.lines('%s') do
    local file = io.open(path, 'rb')
    bodies[#bodies + 1] = file:read('*a')
    file:close()
  end
end
request = function()
  n = n %% #bodies + 1
  return wrk.format('POST', '/api/search', {['Content-Type'] = 'multipart/form-data; boundary=part'},
    '--part\\r\\nContent-Disposition: form-data; name="image"; filename="q"\\r\\nContent-Type: image/jpeg\\r\\n\\r\\n' .. bodies[n] .. '\\r\\n--part--\\r\\n')
end
"""
DONE = """
done = function(summary, latency, requests)
  io.write(string.format('RESULT %%f %%f %%f %%d\\n', summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000, latency.max / 1000,
    summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.connect))
end
""".replace("%%", "%")


class Server:
    def __init__(self, work, library, *options):
        self.child = subprocess.Popen([work.program, "serve", "--listen", "127.0.0.1:0", "--library", library, *options], stderr=subprocess.PIPE, text=True)
        line = self.child.stderr.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise Refused(line.strip())
        self.port = int(found[1])
        self.address = f"http://127.0.0.1:{self.port}"

    def resident(self):
        with open(f"/proc/{self.child.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1000

    def close(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)
        self.child.stderr.close()


def wrk(work, server, script, seconds, connections, threads=1):
    """(requests a second, 99th percentile and worst in ms, errors)"""
    path = work.own_path("load.lua")
    with open(path, "w", encoding="utf-8") as file:
        file.write(script + DONE)
    out = run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "-s", path, server.address + "/"], timeout=seconds + 120).out
    rate, p99, worst, errors = re.search(r"RESULT (\S+) (\S+) (\S+) (\d+)", out).groups()
    if int(errors):
        raise Refused(f"{errors} requests were not answered as they should be")
    return float(rate), float(p99), float(worst), int(errors)


@contextlib.contextmanager
def nuisances(server, idle=200, slow=20):
    """IDLE connections that say nothing, and SLOW ones that send a byte of their request now and then."""
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(idle + slow)]
    over = threading.Event()

    def trickle():
        request = b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: " + b"a" * 4000
        at = 0
        while not over.wait(0.2) and at < len(request):
            for one in sockets[idle:]:
                with contextlib.suppress(OSError):
                    one.send(request[at:at + 1])
            at += 1

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for one in sockets:
            one.close()


def similar(work, server, count, connections, seconds):
    wrk(work, server, SIMILAR % (0, count), 1, connections) # everything is warm then
    rate, p99, worst, errors = wrk(work, server, SIMILAR % (work.options.rounds, count), seconds, connections, 2)
    yield row("similar, numbers by lot", rate, "requests/s", goal=(">=", 1000), note=f"{connections} connections, worst {worst:.0f} ms, {errors} errors")
    yield row("the same, 99th percentile", p99, "ms", goal=("<=", 20))
    with nuisances(server):
        rate, p99, worst, errors = wrk(work, server, SIMILAR % (1, count), seconds, connections, 2)
    yield row("beside 200 idle connections and 20 that trickle", rate, "requests/s", note=f"99th percentile {p99:.1f} ms, worst {worst:.0f} ms, {errors} errors")


def pictures(work, server, folder, connections, seconds):
    names = work.own_path("names")
    with open(names, "w", encoding="utf-8") as file:
        file.writelines(f"{path}\n" for path in picture_files(folder))
    indexed, asked = interleaved(max(work.options.rounds, 3), lambda: work.index(DEFAULT, folder).report["pictures_per_second"],
                                 lambda: wrk(work, server, PICTURES % names, seconds, connections)[0])
    yield row("queries by pictures", statistics.median(asked), "requests/s", statistics.median(indexed), "indexing the same files", ratio(asked, indexed),
              ratio_goal=(">=", 0.8), note="ours beside ours; wrk shares the processors", rounds=asked, index_rounds=indexed)


def while_indexing(work, library, count, folder, connections):
    copy = work.own_path("copy")
    shutil.copytree(folder, copy)
    server = Server(work, library)
    try:
        child = subprocess.Popen([work.program, "index", "-q", "--library", library, copy])
        results = []
        while child.poll() is None:
            results.append(wrk(work, server, SIMILAR % (len(results), count), 2, connections))
        child.wait()
        if results:
            yield row("similar while another process indexes, 99th percentile", max(one[1] for one in results), "ms", goal=("<=", 150),
                      note=f"worst of {len(results)} times 2 s; {sum(one[3] for one in results)} errors; {statistics.median(one[0] for one in results):.0f} requests/s")
    finally:
        server.close()


def memory(work, server, count, connections):
    """100,000 requests: what is resident after the first tenth, and at the end."""
    script = SIMILAR % (7, count)
    total, first = 0, None
    while total < (10000 if work.options.quick else 100000):
        rate, _, _, _ = wrk(work, server, script, 4, connections, 2)
        total += rate * 4
        first = first or server.resident()
    yield row(f"resident after {total:,.0f} requests", server.resident(), "MB", first, "after the first tenth", server.resident() / first, ratio_goal=("<=", 1.1))


def measure(work):
    if not shutil.which("wrk"):
        yield row("serve", note="wrk is not here: apt-get install wrk")
        return
    try:
        folder, connections = work.pictures(), 2 * (os.cpu_count() or 1)
        count, seconds = len(picture_files(folder)), 2 if work.options.quick else 8
        library = work.index(DEFAULT, folder).path
        strangers = work.drawn(300 if work.options.quick else 1200, seed=5)
        server = Server(work, library)
        try:
            yield from similar(work, server, count, connections, seconds)
            yield from pictures(work, server, strangers, connections, seconds)
            yield from memory(work, server, count, connections)
        finally:
            server.close()
        yield from while_indexing(work, library, count, strangers, connections)
    except Refused as error:
        yield row("serve", note=str(error))
