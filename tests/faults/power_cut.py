"""What a disk holds after its power went: the log of the shim (shim.c) read, and what no sync had made lasting taken back.

Of a file, what was written since its last fsync or fdatasync may be lost; of a folder, what was made, removed or renamed in it since it was synced itself. That
is what POSIX promises and no more: most file systems keep more, in ways of their own.
"""
import collections
import os
import shutil
import struct

HEAD = struct.Struct("<6Q")
BLOCK = 4096

Record = collections.namedtuple("Record", "operation a b c first second")


def read_log(path):
    records = []
    with open(path, "rb") as log:
        data = log.read()
    at = 0
    while at < len(data):
        operation, a, b, c, first, second = HEAD.unpack_from(data, at)
        at += HEAD.size
        records.append(Record(chr(operation), a, b, c, data[at : at + first], data[at + first : at + first + second]))
        at += first + second
    return records


class PowerCut:
    """What can be lost of the folder ROOT, whose process is dead, by the log at LOG."""

    def __init__(self, root, log):
        self.root = root
        self.writes = collections.defaultdict(list)  # inode -> records since its last sync
        self.names = []  # [record, the folders that are not synced since, what it replaced]
        for record in read_log(log):
            if record.operation in "WT":
                self.writes[record.a].append(record)
            elif record.operation == "S":
                self.writes.pop(record.a, None)
            elif record.operation == "Y":
                for name in self.names:
                    name[1].discard(record.first)
            elif record.operation == "K":
                self.names[-1][2] = record.second
            else:
                folders = {os.path.dirname(record.first)}
                if record.operation in "RX":
                    folders.add(os.path.dirname(record.second))
                self.names.append([record, folders, None])
        self.inodes = {}
        for folder, _, files in os.walk(root):
            for file in files:
                path = os.path.join(folder, file)
                self.inodes[os.path.relpath(path, root)] = os.stat(path).st_ino

    def losable(self):
        """How many writes and how many names can be lost."""
        return sum(map(len, self.writes.values())), sum(bool(folders) for _, folders, _ in self.names)

    def before(self, inode, now):
        """The bytes of a file as they were last synced."""
        then = bytearray(now)
        for record in reversed(self.writes.get(inode, ())):
            del then[record.c :]
            then.extend(bytes(record.c - len(then)))
            then[record.b : record.b + len(record.first)] = record.first
        return bytes(then)

    def remains(self, inode, now, lot):
        """What remains of a file that holds NOW: what was synced, or with LOT here and there a block of what was not."""
        then = self.before(inode, now)
        if lot is None:
            return then
        most = max(len(now), len(then))
        old, new = then.ljust(most, b"\0"), now.ljust(most, b"\0")
        mixed = b"".join(lot.choice((old, new))[at : at + BLOCK] for at in range(0, most, BLOCK))
        return mixed[: lot.choice((len(then), len(now)))]

    def apply(self, writes, names, lot=None):
        """Takes from ROOT, which is a copy of what was given at first, the WRITES that were not synced, the NAMES, or both: all, or with LOT some."""
        if writes:
            for name, inode in self.inodes.items():
                if inode in self.writes:
                    self.rewrite(os.path.join(self.root, name), inode, lot)
        if names:
            first = lot.randrange(len(self.names) + 1) if lot else 0
            undone = [i for i, (_, folders, _) in enumerate(self.names) if folders and i >= first]
            for i in reversed(undone):
                self.undo(i, set(undone), writes, lot)

    def rewrite(self, path, inode, lot):
        with open(path, "rb") as file:
            now = file.read()
        left = self.remains(inode, now, lot)
        if left != now:
            with open(path, "wb") as file:
                file.write(left)

    def now(self, path, i, undone):
        """Where what was called PATH at the time of name I is today: a folder around it may have been renamed since, for good."""
        for j in range(i + 1, len(self.names)):
            record = self.names[j][0]
            if j in undone or record.operation not in "RX":
                continue
            pairs = [(record.first, record.second)] + [(record.second, record.first)] * (record.operation == "X")
            for old, new in pairs:
                if path == old or path.startswith(old + b"/"):
                    path = new + path[len(old) :]
                    break
        return path

    def undo(self, i, undone, writes, lot):
        record, _, replaced = self.names[i]
        path, other = (self.now(p, i, undone) for p in (record.first, record.second))
        if record.operation == "C":
            if os.path.lexists(path):
                os.unlink(path)
        elif record.operation == "M":
            shutil.rmtree(path, ignore_errors=True)
        elif record.operation == "D":
            os.makedirs(path, exist_ok=True)
        elif record.operation == "U":
            self.dig_up(record.second, path, writes, lot)
        elif record.operation == "R" and os.path.lexists(other):
            os.rename(other, path)
            if replaced:
                self.dig_up(replaced, other, writes, lot)
        elif record.operation == "X" and os.path.lexists(other):
            os.rename(other, other + b".aside")
            os.rename(path, other)
            os.rename(other + b".aside", path)

    def dig_up(self, kept, path, writes, lot):
        """What was removed is there again."""
        if not kept or not os.path.isdir(os.path.dirname(path)):
            return
        shutil.copy2(kept, path)
        if writes:
            self.rewrite(path, os.stat(kept).st_ino, lot)
