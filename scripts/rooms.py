# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The rules of the house: which room may use which (docs/design.md).

A room is a folder of user/ or bpf/. Its files may use the rooms named in its row, by #include and by symbol:
an include alone misses a function that is declared `extern`, and lets a header smuggle. Everything fails
closed: a file in no room or of another kind, an include that is not written plainly, a source without an object
or with an older one, and a row for a folder that is not there are faults.
"""

import os
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
    "record": DATA | {"view"},
    "screen": DATA | {"view"},
    "agent": BASE,
    "run": None,
}
BPF = {
    "border": set(),
    "walk": set(),
    "books": {"walk"},
}
LIBBPF = re.compile(r'#\s*include\s*[<"](bpf/(?!border/)|linux/bpf\.h|[^">]*\.skel\.h)|\b(SYS|__NR)_bpf\b')
LIBBPF_ROOM = "kernel"
# Libraries that one file knows, and no other, not even by a header: the screen is plain data, drawn by one; what is
# served over HTTP is, too.
KNOWN_BY_ONE = {
    "curses": (re.compile(r'#\s*include\s*[<"](?:ncursesw?/)?(?:n?curses|term|panel|menu|form)\.h[>"]'), "user/screen/terminal.c"),
    "libcurl": (re.compile(r'#\s*include\s*[<"]curl/'), "user/agent/client.c"),
    "libmicrohttpd": (re.compile(r'#\s*include\s*[<"]microhttpd[\w.]*\.h[>"]'), "user/agent/http.c"),
    "GnuTLS": (re.compile(r'#\s*include\s*[<"]gnutls/'), "user/agent/http.c"),
    "libyaml": (re.compile(r'#\s*include\s*[<"]yaml\.h[>"]'), "user/run/config.c"),
}
# A runtime's own words stay in its folder, below user/runtime/ or bpf/runtime/; the table of all has a line for each.
# Without a row here, the folder's name is the word.
RUNTIME_TABLE = "user/runtime/runtimes.c"
WORDS = {"hotspot": re.compile(r"hotspot|libjvm", re.I), "art": re.compile(r"\bart\b|\bart_|libart", re.I), "node": re.compile(r"napi_|libnode", re.I)}
KINDS = (".c", ".h", ".def", ".proto")
# For a browser: bundled into a header when the tool is built, and compiled by nothing else.
PAGE = Path("user/export/page")
PAGE_KINDS = (".json", ".mjs", ".js", ".jsx", ".css", ".html")
# Headers that are made at build time.
GENERATED = re.compile(r"jnitrace\.skel\.h|vmlinux\.h|page\.h|user/\w+/\w+\.pb-c\.h")
# Whatever the compiler may take for an include, and the one form that is allowed.
ANY_INCLUDE = re.compile(r"^\s*(?:#|%:|\?\?=)\s*(?:include|include_next|import|embed)\b.*", re.M)
INCLUDE = re.compile(r'#\s*include\s*(?:"([^"]+)"|<(?!.*(?://|\./))([^>]+)>)\s*$')
# Strings first: what looks like a comment in one is none.
STRING_OR_COMMENT = re.compile(r'''("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|/\*.*?\*/|//[^\n]*''', re.S)

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


def entries(top):
    """Files, and links of every kind, which lead out of their room."""
    found = (f for d in ("user", "bpf") for f in (top / d).rglob("*"))
    return sorted(f.relative_to(top) for f in found if f.is_symlink() or not f.is_dir())


def sources(top):
    return [f for f in entries(top) if f.suffix in KINDS and not (top / f).is_symlink()]


def lines_joined(text):
    return re.sub(r"(?:\\|\?\?/)[ \t]*\n", "", text)


def as_compiled(text):
    """Comments count as blanks, and a line may go on behind a backslash."""
    return STRING_OR_COMMENT.sub(lambda found: found[1] or " ", lines_joined(text))


def include_lines(text):
    return (line.strip() for line in ANY_INCLUDE.findall(as_compiled(text)))


def includes(top, path, known):
    """Files of the house that this one includes; a name that leads nowhere, or an include in another form, is yielded as text."""
    roots = [path.parent, Path("."), Path("user"), Path("bpf")]
    for line in include_lines((top / path).read_text()):
        plain = INCLUDE.match(line)
        if not plain:
            yield line
        elif plain[1]:
            yield next((root / plain[1] for root in roots if root / plain[1] in known), plain[1])
        elif plain[2].startswith("/") or any(root / plain[2] in known for root in roots[1:]):
            yield line


def stale(top, obj, path):
    """A fault where the object is older than its source, or than a header that it was made from."""
    made_from = [path]
    listing = obj.with_suffix(".d")
    if listing.exists():
        made_from += [Path(os.path.normpath(name)) for name in lines_joined(listing.read_text()).split() if name.endswith((".h", ".def"))]
    for name in made_from:
        if (top / name).exists() and (top / name).stat().st_mtime_ns > obj.stat().st_mtime_ns:
            yield f"{path}: {obj} is older{'' if name == path else f' than {name}'}: build it first (make)"
            return


def libbpf_symbols():
    """What libbpf exports. An error where it is not found: then nothing can be checked."""
    library = subprocess.run(["gcc", "-print-file-name=libbpf.so"], capture_output=True, text=True, check=True).stdout.strip()
    out = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    return {line.split()[2].split("@")[0] for line in out.splitlines() if len(line.split()) == 3}


def symbols(top, build, files):
    """(defined, needed): symbol -> file, and file -> symbols, from the objects. A source without one: a fault."""
    defined, needed, faults, objects, defining = {}, {}, [], {}, set()
    for path in files:
        if path.parts[0] == "user" and path.suffix == ".c":
            obj = build / path.with_suffix(".o")
            if not obj.exists():
                faults.append(f"{path}: no {obj}: build it first (make)")
                continue
            objects[str(obj)] = path
            faults += stale(top, obj, path)
    # -A: each line begins with "OBJECT:"
    out = subprocess.run(["nm", "-A", *objects], capture_output=True, text=True, check=True).stdout if objects else ""
    for line in out.splitlines():
        obj, _, symbol = line.partition(":")
        path, words = objects[obj], symbol.split()
        if words[0] in "Uwv":
            needed.setdefault(path, set()).add(words[1])
        elif len(words) == 3 and words[1] in "ABCDGRSTVWiu":
            defining.add(path)
            if defined.setdefault(words[2], path) != path:
                faults.append(f"{path}: defines {words[2]}, as {defined[words[2]]} does")
    faults += [f"{path}: {obj} defines no symbol" for obj, path in objects.items() if path not in defining]
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
            elif other.startswith(("#", "%", "?")):
                faults.append(f"{path}: {other}: not of the form #include \"NAME\" or, of the system, #include <NAME>")
            elif not GENERATED.fullmatch(other):
                faults.append(f"{path}: includes {other}, which is no file of the house")
    faults += [f"{a}: includes {b}, which is a source, no header" for a, b in how if b.suffix == ".c"]
    defined, needed, missing = symbols(top, build, files)
    libbpf = libbpf_symbols()
    for path, names in needed.items():
        if room_of(path) != ("user", LIBBPF_ROOM):
            faults += [f"{path}: uses {name}() of libbpf, which only {LIBBPF_ROOM}/ may" for name in sorted(names & libbpf)]
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


def libbpf_faults(top, how):
    """Files outside its room that see libbpf, by themselves or by a header that they include."""
    texts = {path: as_compiled((top / path).read_text()) for path in sources(top) if path.parts[0] == "user"}
    own = {path for path, text in texts.items() if LIBBPF.search(text)}
    headers = {}
    for (a, b), text in how.items():
        if text.startswith("includes "):
            headers.setdefault(a, set()).add(b)
    for path in texts:
        if not room_of(path) or room_of(path) == ("user", LIBBPF_ROOM):
            continue
        if path in own:
            yield f"{path}: only {LIBBPF_ROOM}/ may include libbpf"
            continue
        seen, todo = set(), [path]
        while todo:
            seen.add(here := todo.pop())
            todo += headers.get(here, set()) - seen
        by = min((f for f in seen & own if room_of(f) == ("user", LIBBPF_ROOM)), default=None)
        if by:
            yield f"{path}: only {LIBBPF_ROOM}/ may include libbpf, here by {by}"


def one_file_faults(top, path):
    for library, (include, file) in KNOWN_BY_ONE.items():
        if str(path) != file and include.search(as_compiled((top / path).read_text())):
            yield f"{path}: only {file} may include {library}"


def word_faults(top, path):
    """Words of a runtime in a file's text or name; a string in pieces is read as one."""
    words = {f.name: re.compile(re.escape(f.name), re.I) for f in (top / "user/runtime").iterdir() if f.is_dir()}
    text = path.name + "\n" + re.sub(r'"\s*"', "", lines_joined((top / path).read_text()))
    for name, word in (words | WORDS).items():
        if name not in path.parts and str(path) != RUNTIME_TABLE and word.search(text):
            yield f"{path}: speaks of {name}, which only its own folder may"


def faults(top, build):
    """Each fault, a line. build: where the objects are."""
    top, build = Path(top), Path(build)
    for path in entries(top):
        if (top / path).is_symlink():
            yield f"{path}: is a link"
        elif path.suffix not in (PAGE_KINDS if PAGE in path.parents else KINDS):
            yield f"{path}: is no {', '.join(KINDS[:-1])} or {KINDS[-1]}"
    for path in sources(top):
        if not room_of(path):
            yield f"{path}: is in no room (scripts/rooms.py)"
            continue
        yield from word_faults(top, path)
        yield from one_file_faults(top, path)
    for side, rooms in (("user", USER), ("bpf", BPF)):
        for room in rooms:
            if not (top / side / room).is_dir():
                yield f"scripts/rooms.py: {side}/{room} is not there"
    how, more = arrows(top, build)
    yield from more
    yield from libbpf_faults(top, how)
    yield from arrow_faults(how)
    for ring in circles(how):
        yield f"a circle: {' '.join(ring)}"
