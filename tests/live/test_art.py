# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Android's ART, of Android 10, 11 and 14: every count equals what the program made, and what ART says of itself."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import jsonschema
import pytest

from harness import BUILD, ENV, TOP, Tracer, assert_no_losses, by_caller, read_line, run_tool, wait_until

SUITES = ("bullseye", "bookworm", "trixie", "sid")
SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
VERSIONS = dict(zip(SUITES, ("10 or earlier", "11 or 12", "14 or later", "14 or later")))
OLD, OLD_WEAK, KINDS = 101, 53, 289  # tests/fixtures/art/host.cpp
# Primes, so that no wrong sum comes out right.
STRINGS, BYTES, EXCEPTIONS, THROWABLES, WEAK, CAME, NULLS, NO_RELEASES, FREED_OLD, MANAGED, NESTED, WORKER, HOLES, LOCALS = (
    1009, 503, 101, 53, 211, 307, 13, 7, 11, 23, 29, 17, 401, 1511)
WORK = (("strings", STRINGS), ("bytes", BYTES), ("exceptions", EXCEPTIONS), ("throwables", THROWABLES), ("classes", 2 * KINDS),
        ("weak", WEAK), ("come", CAME), ("come_weak", CAME), ("of_null", NULLS), ("null", NO_RELEASES), ("old", FREED_OLD),
        ("managed", MANAGED), ("nested", NESTED), ("worker", WORKER), ("kept", HOLES))
MADE = STRINGS + BYTES + EXCEPTIONS + THROWABLES + 2 * KINDS + MANAGED + NESTED + WORKER
# tests/fixtures/art/boot.py, program()
ON_CLICK = (("app.Main.leak", "Main.java", None), ("app.Main.middle", "Main.java", 23), ("app.Main.onClick", "Main.java", 37))


class Art:
    """The host program on the ART of a suite, or on a variant of it, as scripts/art-matrix makes them."""

    def __init__(self, on, *options):
        assert (BUILD / "art").exists(), "no ART to test with: run scripts/art-matrix"
        self.log = tempfile.TemporaryFile()
        self.proc = subprocess.Popen([TOP / "tests/fixtures/art/run", on, *options], bufsize=0, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=self.log, env={**ENV, "JNITRACE_BUILD": str(BUILD)})
        self.pid = self.proc.pid
        self.until("ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        for stream in (self.proc.stdin, self.proc.stdout, self.log):
            stream.close()

    def said(self):
        """All that went to its stderr."""
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def until(self, last):
        """The lines before that one."""
        lines = []
        while True:
            line = read_line(self.proc.stdout)
            if not line:
                raise AssertionError(f"the program is gone: {self.proc.wait()}: {self.said()}")
            if line == f"{last}\n":
                return lines
            lines.append(line)

    def do(self, *commands):
        for what, n in commands:
            self.proc.stdin.write(f"{what} {n}\n".encode())
            lines = self.until("done")
        return lines

    def own(self):
        """What ART says: the numbers of its first line, holes counted; and per table {class: (references, distinct objects)}."""
        text = "".join(self.do(("dump", 0)))
        counted = dict(zip(("global", "weak"), map(int, re.search(r"globals=(\d+) \(plus (\d+) weak\)", text).groups())))
        classes = {}
        for family, part in re.findall(r"^(weak global|global) reference table dump:\n(.*?)(?=\n\S|\Z)", text, re.M | re.S):
            table = classes.setdefault(family.split()[0], {})
            for n, name, distinct in re.findall(r"^ +(\d+) of (\S+?)(?: \(\d+ elements\))?(?: \((\d+) unique instances\))?$",
                                                part.partition("Summary:")[2], re.M):
                table[name] = (int(n), int(distinct or 1))
        return counted, classes


def managed_frames(site):
    """What was acquired, and the methods that led there, innermost first, with file and line."""
    return (site["acquired"], *((f["symbol"], f["file"], f["line"]) for f in site["stack"] if f["type"] == "java"))


# With -Xint methods run in the interpreter in C++, as they always do in Android 10; else in the one in assembler.
@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("variant, options, strategy", [
    ("", (), "symtab"), ("-debugdata", ("-Xint",), "debugfile"), ("-nameless", ("-Xcheck:jni",), "function-table")],
    ids=["named", "debugdata-interpreted", "nameless-checked"])
def test_every_reference_is_counted_where_it_was_made(suite, variant, options, strategy):
    with Art(suite + variant, *options) as art:
        probes = [json.loads(p) for p in run_tool("probes", "-p", art.pid, "--json").stdout.splitlines()]
        with Tracer(pids=[art.pid]) as tracer:
            tracer.wait_tracing()
            art.do(*WORK)
            report = tracer.stop()[art.pid]
        counted, classes = art.own()
    # art::JNI, and since Android 11 art::JNI<false> and <true>; never those that check
    functions = {p["function"]: 0 for p in probes if "function" in p}
    for p in probes:
        if "function" in p:
            functions[p["function"]] += 1
            assert p["strategy"] == strategy and p["cost"] != "single-step" and p["instruction"] == "push", p
    assert functions == dict.fromkeys(("NewGlobalRef", "DeleteGlobalRef", "NewWeakGlobalRef", "DeleteWeakGlobalRef"),
                                      1 if suite == "bullseye" else 2)

    assert_no_losses(report)
    assert (report["target"]["vm"], report["target"]["vm_version"], report["findings"]) == ("ART", VERSIONS[suite], [])
    assert {f: n for f, n in report["calls"].items() if n} == {
        "NewGlobalRef": MADE + CAME + NULLS, "DeleteGlobalRef": CAME + NO_RELEASES + FREED_OLD + HOLES,
        "NewWeakGlobalRef": WEAK + CAME, "DeleteWeakGlobalRef": CAME}
    global_refs, weak = report["families"]["global"], report["families"]["weak"]
    for family, acquired, released, before, untracked, total in (
            (global_refs, MADE + CAME, CAME + HOLES, OLD - FREED_OLD, FREED_OLD, sum(n for n, _ in classes["global"].values())),
            (weak, WEAK + CAME, CAME, OLD_WEAK + 1, 0, sum(n for n, _ in classes["weak"].values()))):  # 1: ART's dex cache
        assert {k: family[k] for k in ("acquired", "released", "outstanding", "before_attach", "released_untracked", "vm_total", "vm_own")} == {
            "acquired": acquired, "released": released, "outstanding": acquired - released, "before_attach": before,
            "released_untracked": untracked, "vm_total": total, "vm_own": 0}
    # its own line counts holes, which the last command has left
    assert counted == {"global": global_refs["vm_total"] + HOLES, "weak": weak["vm_total"]}
    assert {name: (function, acquired) for name, (function, acquired, _) in by_caller(report).items() if name != "?"} == {
        **{name: ("NewGlobalRef", n) for name, n in (
            ("leak_strings", STRINGS), ("leak_bytes", BYTES), ("leak_exceptions", EXCEPTIONS), ("leak_throwables", THROWABLES),
            ("leak_classes", 2 * KINDS), ("leak_from_managed", MANAGED + NESTED), ("come_and_go", CAME),
            ("(anonymous namespace)::work", WORKER))},
        "leak_weak": ("NewWeakGlobalRef", WEAK), "come_and_go_weak": ("NewWeakGlobalRef", CAME)}
    assert sorted(managed_frames(site) for site in report["sites"] if "leak_from_managed" in str(site)) == [
        (MANAGED, *ON_CLICK), (NESTED, *ON_CLICK, *ON_CLICK)]
    for site in report["sites"]:
        assert site["stack"][-1]["symbol"] in ("_start", "clone3", "__clone3", "clone", None) and not site["truncated"], site


def census_of(art, *args):
    result = run_tool("census", "-p", art.pid, "--json", *args)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("suite", SUITES)
def test_the_census_equals_its_own_dump(suite):
    with Art(suite) as art:
        before = census_of(art)
        art.do(*WORK, ("local", LOCALS))
        census = census_of(art, "--classes")
        counted, classes = art.own()
    jsonschema.validate(census, SCHEMA)
    assert census["refused"] is None and census["target"]["vm_version"] == VERSIONS[suite] and counted["global"] == census["families"]["global"]["vm_total"] + HOLES
    for family, table in classes.items():
        assert census["families"][family]["vm_total"] == sum(n for n, _ in table.values())
        assert {c["name"]: (c["count"], c["distinct"]) for c in census["classes"] if c["family"] == family} == table
    # all locals of one thread, and of one that was started since
    [main], after = before["threads"], {t["tid"]: t["local_refs"] for t in census["threads"]}
    assert after.pop(art.pid) == main["local_refs"] + LOCALS and main["tid"] == art.pid
    assert list(after.values()) == [1]
    [of_class] = [c for c in census["classes"] if c["name"] == "java.lang.Class"]
    assert sum(o["count"] for o in of_class["of"]) == of_class["count"]
    assert {o["name"] for o in of_class["of"]} == {f"app.Kind{i:03}" for i in range(KINDS)}


@pytest.mark.waits
def test_how_long_until_the_table_is_full():
    """The story of an app whose table of 51,200 references fills up: who fills it, and when it will be full."""
    with Art("trixie") as art, Tracer("-b", pids=[art.pid], json_out=False, interval="1") as tracer:
        tracer.wait_tracing()
        art.proc.stdin.write(b"scroll 40\n")
        wait_until(lambda: "LEAK" in Path(tracer.out.name).read_text())
        [answer] = re.findall(r"^LEAK .*", Path(tracer.out.name).read_text(), re.M)[:1]
    assert re.match(r"LEAK +art-host (bind_view_holders|register_callbacks) .* 51,200 in \d", answer), answer


LAST = {  # commands that ART may abort on: what is told then, by kind, function, caller: count, stacks of the acquisition and the release
    "stale": (("stale-use", "IsSameObject", "use_stale"), (1, True, True)),
    "wrong_kind": (("kind-mismatch", "DeleteGlobalRef", "delete_weak_as_global"), (1, True, False)),
    "as_local": (("kind-mismatch", "DeleteLocalRef", "delete_as_local"), (1, True, False)),
    # what was deleted before the tracer came is told by its serial number alone
    "delete_dead": (("double-delete", "DeleteGlobalRef", "delete_dead"), (1, False, False)),
}


@pytest.mark.parametrize("suite, last", [
    ("bullseye", "delete_dead"), ("bookworm", "stale"), ("bookworm", "as_local"), ("trixie", "delete_dead"), ("trixie", "wrong_kind"),
    ("sid", "stale")])
def test_dead_handles_and_the_wrong_kind_are_told_and_what_is_right_is_not(suite, last):
    """All families, all checks; the twins say nothing."""
    with Art(suite) as art:
        art.do(("make_dead", 1))
        with Tracer("-e", "all", "--check", pids=[art.pid]) as tracer:
            tracer.wait_tracing()
            art.do(*((what, 7) for what in ("delete_once", "live", "chars", "local", "local_once", "managed", "worker", "come", "come_weak")),
                   ("delete_twice", 3), ("weak_twice", 5), ("local_twice", 2))
            if (suite, last) == ("sid", "stale"):  # Android 14 takes such a handle for null
                art.do((last, 1))
                report = tracer.stop()[art.pid]
            else:
                art.proc.stdin.write(f"{last} 1\n".encode())
                wait_until(lambda: "Runtime aborting" in art.said())
                art.proc.kill()  # what it says of itself before it aborts takes seconds
                report = tracer.end()[art.pid]
    assert_no_losses(report)
    told = {(f["kind"], f["function"], f["stack"][1]["symbol"]): (f["count"], bool(f["acquire_stack"]), bool(f["release_stack"]))
            for f in report["findings"]}
    assert told == dict([
        (("double-delete", "DeleteGlobalRef", "delete_twice"), (3, True, True)),
        (("double-delete", "DeleteWeakGlobalRef", "delete_weak_twice"), (5, True, True)),
        (("double-delete", "DeleteLocalRef", "delete_local_twice"), (2, True, True)),
        LAST[last]])
    for family, n in (("global", 7 * 6 + 3 + {"stale": 2, "as_local": 1}.get(last, 0)), ("weak", 7 + 5 + (last == "wrong_kind")), ("string", 7), ("critical", 7)):
        assert report["families"][family]["acquired"] == n, family
