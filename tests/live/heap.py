# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The bytes the tool has in use, exactly and by owner: fixtures/heap/heap.c counts them."""

import os
import re
import struct
import subprocess
from collections import Counter
from pathlib import Path

from harness import FIXTURES

DEPTH, OWNERS = 8, 1 << 14  # as there
HEAD = struct.Struct("<qq")
OWNER = struct.Struct(f"<{DEPTH}Qqq")


def counting(folder):
    """What the environment of a tool has whose counts shall be in that folder."""
    return [f"LD_PRELOAD={FIXTURES}/libheap.so", f"JNITRACE_HEAP={folder}"]


def in_use(folder, pid):
    """(bytes, blocks) now."""
    with open(f"{folder}/{pid}", "rb") as f:
        return HEAD.unpack(f.read(HEAD.size))


def _mappings(pid):
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith("/"):
            start, end = (int(x, 16) for x in fields[0].split("-"))
            yield start, end, int(fields[2], 16), fields[5]


def owners(folder, pid, deepest=DEPTH):
    """{the functions that allocated, innermost first: bytes} of a tool that runs."""
    with open(f"{folder}/{pid}", "rb") as f:
        f.seek(HEAD.size)
        rows = [OWNER.unpack(f.read(OWNER.size)) for _ in range(OWNERS)]
    rows = [(row[:DEPTH], row[DEPTH]) for row in rows if row[0] and row[DEPTH]]
    mappings, places = list(_mappings(pid)), {}
    for at, _ in rows:
        for a in filter(None, at):
            for start, end, offset, path in mappings:
                if start <= a < end:
                    places.setdefault(path, {})[a] = a - 1 - start + offset
    names = {}
    for path, of in places.items():
        argv = ["addr2line", "-sfe", path, *map(hex, of.values())]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
        for a, name, line in zip(of, text[::2], text[1::2]):
            names[a] = name if name != "??" else os.path.basename(path)
            if "?" not in line:
                names[a] += " " + re.sub(r" \(.*", "", line)
    sums = Counter()
    for at, n in rows:
        sums[tuple(names.get(a, "?") for a in at[:deepest] if a)] += n
    return sums


def functions(pid, names):
    """[(first, last address)] of these functions of the tool that runs."""
    path = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    base = next(start - offset for start, _, offset, of in _mappings(pid) if of.removesuffix(" (deleted)") == path)
    found = re.findall(r"^(\w+) (\w+) \w (\S+)$", subprocess.run(["nm", "-S", path], capture_output=True, text=True, check=True).stdout, re.M)
    return [(base + int(at, 16), base + int(at, 16) + int(n, 16)) for at, n, name in found if name in names]


def state(folder, pid, places):
    """(bytes, blocks, of these by way of these functions: bytes, blocks) now."""
    with open(f"{folder}/{pid}", "rb") as f:
        taken, blocks = HEAD.unpack(f.read(HEAD.size))
        rows = OWNER.iter_unpack(f.read(OWNER.size * OWNERS))
    by = [row[DEPTH:] for row in rows if row[0] and row[DEPTH + 1] and any(a < at <= b for at in row[:DEPTH] if at for a, b in places)]
    return taken, blocks, sum(n for n, _ in by), sum(n for _, n in by)
