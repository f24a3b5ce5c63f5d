# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The rules of the house: which room may use which (docs/design.md).

A room is a folder of user/ or bpf/. Its files may use the rooms named in its row, by #include and by symbol:
an include alone misses a function that is declared `extern`, and lets a header smuggle. Everything fails
closed: a file in no room, a source without an object, and a row for a folder that is not there are faults.
"""

import re
import subprocess
from pathlib import Path

BASE = {"base"}
DATA = BASE | {"model"}
# room -> rooms it may use besides itself and bpf/border, which is everyone's. None: all.
USER = {
    "base": set(),
    "arch": BASE,
    "model": BASE,
    "proc": BASE,
    "elf": BASE | {"proc"},
    "modules": BASE | {"proc", "elf"},
    "unwind": BASE | {"proc", "elf"},
    "runtime": DATA | {"proc", "elf", "arch"},
    "sites": DATA | {"proc", "elf", "arch", "runtime"},
    "kernel": DATA | {"proc", "elf", "modules", "unwind"},
    "symbols": DATA | {"proc", "elf", "arch", "modules", "runtime"},
    "reconcile": DATA | {"runtime"},
    "judge": DATA,
    "view": DATA,
    "export": DATA | {"view"},
    "screen": DATA | {"view"},
    "run": None,
}
BPF = {
    "border": set(),
    "walk": set(),
    "books": {"walk"},
}
LIBBPF = re.compile(r'#\s*include\s*[<"](bpf/(?!border/)|linux/bpf\.h|[\w/]*\.skel\.h)')
LIBBPF_ROOM = "kernel"
# A runtime's own words stay in its folder, below user/runtime/ or bpf/runtime/; the table of all has a line for each.
RUNTIME_TABLE = "user/runtime/runtimes.c"
WORDS = {"hotspot": re.compile(r"hotspot|libjvm", re.I)}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)

def room_of(path):
    """('user', 'kernel') of user/kernel/attach.c; None where a file is in no room."""
    parts = path.parts
    if parts[0] == "user" and (len(parts) == 3 or parts[1] == "runtime" and len(parts) == 4):
        return ("user", parts[1]) if parts[1] in USER else None
    if str(path) == "user/main.c":
        return ("user", "run")
    if parts[0] == "bpf":
        if len(parts) == 2:
            return ("bpf", "")
        return ("bpf", parts[1]) if len(parts) == 3 and parts[1] in BPF else None
    return None


def module_of(path):
    """What counts as one file: NAME.c with NAME.h."""
    return str(path).removesuffix(".c").removesuffix(".h").removesuffix(".bpf")


def sources(top):
    return sorted(f.relative_to(top) for d in ("user", "bpf") for f in (top / d).rglob("*") if f.suffix in (".c", ".h", ".def"))


def includes(top, path, known):
    """Files of the house that this one includes; a name that leads nowhere is yielded as text."""
    roots = [path.parent, Path("."), Path("user"), Path("bpf")]
    for name in INCLUDE.findall((top / path).read_text()):
        found = next((root / name for root in roots if root / name in known), None)
        yield found or name


def symbols(build, files):
    """(defined, needed): symbol -> file, and file -> symbols, from the objects. A source without one: a fault."""
    defined, needed, faults, objects = {}, {}, [], {}
    for path in files:
        if path.parts[0] == "user" and path.suffix == ".c":
            obj = build / path.with_suffix(".o")
            if obj.exists():
                objects[str(obj)] = path
            else:
                faults.append(f"{path}: no {obj}: build it first (make)")
    # -A: each line begins with "OBJECT:"
    out = subprocess.run(["nm", "-A", *objects], capture_output=True, text=True, check=True).stdout if objects else ""
    for line in out.splitlines():
        obj, _, symbol = line.partition(":")
        path, words = objects[obj], symbol.split()
        if words[0] == "U":
            needed.setdefault(path, set()).add(words[1])
        elif len(words) == 3 and words[1] in "TDBRVWC":
            defined[words[2]] = path
    return defined, needed, faults


def arrows(top, build):
    """Who uses whom: {(from, to): how}, and the faults met on the way."""
    files = sources(top)
    known = set(files)
    how, faults = {}, []
    for path in files:
        for other in includes(top, path, known):
            if isinstance(other, Path):
                how.setdefault((path, other), f"includes {other}")
            elif not other.endswith(".skel.h") and other != "vmlinux.h":
                faults.append(f"{path}: includes {other}, which is no file of the house")
    defined, needed, missing = symbols(build, files)
    for path, names in needed.items():
        for name in sorted(names):
            if name in defined and defined[name] != path:
                how.setdefault((path, defined[name]), f"uses {name}() of {defined[name]}")
    return how, faults + missing


def may(a, b):
    """May a file of room a use one of room b?"""
    if a == b or b == ("bpf", "border"):
        return True
    if a[0] == "user":
        return b[0] == "user" and (USER[a[1]] is None or b[1] in USER[a[1]])
    return b[0] == "bpf" and (a[1] == "" or b[1] in BPF[a[1]] or b[1] == "" and a[1] != "border")


def runtime_of(path):
    return path.parts[2] if path.parts[:2] == ("user", "runtime") and len(path.parts) == 4 else None


def arrow_faults(how):
    for (a, b), text in sorted(how.items()):
        if not room_of(a) or not room_of(b):
            continue  # said elsewhere
        ra, rb = runtime_of(a), runtime_of(b)
        bad = not may(room_of(a), room_of(b))
        if ra and rb and ra != rb:
            bad = True
        if rb and not ra and not str(a) == RUNTIME_TABLE:
            bad = True  # a runtime is known by its row alone
        if bad:
            yield f"{a}: {text}, which its room may not use"


def circles(how):
    """Files that use each other in a circle, as strongly connected components (Tarjan)."""
    graph = {}
    for a, b in how:
        if module_of(a) != module_of(b):
            graph.setdefault(module_of(a), set()).add(module_of(b))
            graph.setdefault(module_of(b), set())
    index, low, stack, on, out = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on.add(v)
        for w in sorted(graph[v]):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            ring = []
            while True:
                w = stack.pop()
                on.discard(w)
                ring.append(w)
                if w == v:
                    break
            if len(ring) > 1:
                out.append(sorted(ring))

    for v in sorted(graph):
        if v not in index:
            visit(v)
    return sorted(out)


def faults(top, build):
    """Each fault, a line. build: where the objects are."""
    top, build = Path(top), Path(build)
    for path in sources(top):
        room = room_of(path)
        if not room:
            yield f"{path}: is in no room (scripts/rooms.py)"
            continue
        text = (top / path).read_text()
        if room != ("user", LIBBPF_ROOM) and room[0] == "user" and LIBBPF.search(text):
            yield f"{path}: only {LIBBPF_ROOM}/ may include libbpf"
        for name, word in WORDS.items():
            if name not in path.parts and str(path) != RUNTIME_TABLE and word.search(text):
                yield f"{path}: speaks of {name}, which only its own folder may"
    for side, rooms in (("user", USER), ("bpf", BPF)):
        for room in rooms:
            if not (top / side / room).is_dir():
                yield f"scripts/rooms.py: {side}/{room} is not there"
    how, more = arrows(top, build)
    yield from more
    yield from arrow_faults(how)
    for ring in circles(how):
        yield f"a circle: {' '.join(ring)}"
