# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A runtime is a row: one with four functions (tests/runtime), traced by a tool that has but its row more."""

import json
import subprocess

import pytest

import harness
from harness import BUILD, SLOW, Tracer, assert_no_losses, direct_caller, jdk, read_line, run_tool

OF_TEST = BUILD / "test-runtime"
FREED_OLD, LEAKED, CAME, FAILED = 53, 1009, 503, 13  # primes; 101 old ones are there at attach


class Things:
    def __init__(self, program="things"):
        self.program = OF_TEST / program

    def __enter__(self):
        self.proc = subprocess.Popen([self.program], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.proc.pid
        assert read_line(self.proc.stdout) == "ready\n"
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()

    def do(self, what, n, seconds=SLOW):
        self.proc.stdin.write(f"{what} {n}\n".encode())
        assert read_line(self.proc.stdout, seconds) == "done\n"


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.setattr(harness, "JNITRACE", OF_TEST / "jnitrace")


def test_every_thing_is_counted_where_it_was_made(tool):
    with Things() as things, Tracer(pids=[things.pid]) as tracer:
        tracer.wait_tracing()
        things.do("old", FREED_OLD)
        things.do("leak", LEAKED)
        things.do("come", CAME)
        things.do("fail", FAILED)
        report = tracer.stop()[things.pid]
    assert report["target"]["vm"] == "Thing" and report["target"]["library"].endswith("/libthing.so")
    assert_no_losses(report)
    assert {f: n for f, n in report["calls"].items() if n} == {
        "thing_new": LEAKED + CAME + FAILED, "thing_free": CAME + FREED_OLD, "thing_use": CAME}
    family = report["families"]["thing"]
    assert {k: family[k] for k in ("acquired", "released", "outstanding", "released_untracked", "vm_total")} == {
        "acquired": LEAKED + CAME, "released": CAME, "outstanding": LEAKED, "released_untracked": FREED_OLD, "vm_total": None}
    assert {direct_caller(s): (s["function"], s["family"], s["acquired"], s["released"]) for s in report["sites"]} == {
        "make_leaks": ("thing_new", "thing", LEAKED, 0), "come_and_go": ("thing_new", "thing", CAME, CAME)}
    for site in report["sites"]:
        assert site["truncated"] is None
        assert [f["symbol"] for f in site["stack"]][1:3] == ["command", "main"] and site["stack"][0]["line"] > 0
    assert not [n for n in report["calls"] if n not in ("thing_new", "thing_free", "thing_use")]


def test_a_jvm_is_traced_beside_it(tool, oracle):
    """The rows of one runtime are not looked for in the other's process."""
    with Things() as things, Tracer(pids=[oracle.pid, things.pid]) as tracer:
        tracer.wait_tracing()
        before, after = oracle.now, oracle.do("run 2 101 2 53 1")
        things.do("leak", LEAKED)
        reports = tracer.stop()
    harness.assert_exact(reports[oracle.pid], before, after)
    assert reports[oracle.pid]["target"]["vm"] == "HotSpot" and reports[things.pid]["target"]["vm"] == "Thing"
    assert reports[things.pid]["families"]["thing"]["outstanding"] == LEAKED


def test_the_sites_and_what_it_cannot_do(tool):
    with Things() as things:
        lines = run_tool("probes", "-p", things.pid, "--json").stdout.splitlines()
        probes = {(p["function"], p["operation"], p["strategy"]) for p in map(json.loads, lines) if "function" in p}
        assert probes == {("thing_new", "return", "symtab"), ("thing_free", "entry", "symtab"), ("thing_use", "entry", "symtab")}
        census = run_tool("census", "-p", things.pid)
        assert census.returncode == 1 and "Thing has no reference tables" in census.stderr, census.stderr


def test_a_census_of_all_goes_on_behind_one_that_has_no_tables(tool, oracle):
    with Things() as things:
        result = run_tool("census", "-a", "--json")
    assert result.returncode == 0, result.stderr
    of = {c["target"]["pid"]: c for c in map(json.loads, result.stdout.splitlines())}
    assert of[things.pid]["refused"] == "Thing has no reference tables" and of[things.pid]["target"]["vm"] == "Thing"
    assert of[oracle.pid]["refused"] is None


def test_a_function_that_no_program_counts_is_refused(tool):
    """Else it would have its probe, and not one call of it would ever be seen."""
    with Things() as things:
        result = run_tool("-p", things.pid, "-e", "thing,odd", "-d", "1")
    assert result.returncode == 1 and "no program counts thing_odd" in result.stderr, result.stderr


def test_only_the_runtime_that_was_asked_for(tool, oracle):
    with Things() as things:
        for name, own, other, wanted in (("thing", things.pid, oracle.pid, "libthing.so"), ("hotspot", oracle.pid, things.pid, "libjvm.so")):
            assert own in pids_of("probes", "--runtime", name), name
            assert other not in pids_of("probes", "--runtime", name), name
            seen = pids_of("census", "--runtime", name)
            assert own in seen and other not in seen, name
            for command in ("top", "probes", "census"):
                result = run_tool(command, "-p", other, "--runtime", name, *["-d", "1"] * (command == "top"))
                assert result.returncode == 4 and f"maps no {wanted}" in result.stderr, (command, result.stderr)
            assert run_tool("-p", own, "--runtime", name, "-d", "0.2", "-e", "thing,global").returncode == 0
        with Tracer("-a", "--allow-loss", "--runtime", "thing", "-e", "thing") as tracer:
            tracer.wait_tracing()
            things.do("leak", LEAKED)
            reports = tracer.stop()
    assert not any(report["target"]["vm"] != reports[things.pid]["target"]["vm"] for report in reports.values())  # but of other tests, too
    assert reports[things.pid]["families"]["thing"]["outstanding"] == LEAKED
    unknown = run_tool("-a", "--runtime", "Thing")
    assert unknown.returncode == 2
    assert "unknown runtime 'Thing'" in unknown.stderr and all(n in unknown.stderr for n in ("hotspot", "thing"))


def pids_of(*command):
    """Of all processes that the command shows."""
    result = run_tool(*command, "-a", "--json")
    assert result.returncode == 0, result.stderr
    return {r["target"]["pid"] if "target" in r else r["pid"] for r in map(json.loads, result.stdout.splitlines())}


def test_the_plain_tool_knows_nothing_of_it():
    with Things() as things:
        result = run_tool("-p", things.pid, "-d", "1")
        assert result.returncode == 4 and "maps no libjvm.so" in result.stderr


BOXES, COUNTED, WRONG, DESKS, REPLACED = 7, 11, 3, 13, 5


def test_pairs_are_counted_by_their_rules(tool):
    """Out-parameters on the stack, arrays, failures, calls inside calls, counted handles, numbers from 0: tests/runtime/things.c."""
    with Things() as things, Tracer("-e", "box,door,desk", pids=[things.pid]) as tracer:
        tracer.wait_tracing()
        for what, n in (("boxes", BOXES), ("counted", COUNTED), ("wrong", WRONG), ("desks", DESKS), ("replaced", REPLACED)):
            things.do(what, n)
        report = tracer.stop()[things.pid]
    assert_no_losses(report)
    assert {f: n for f, n in report["calls"].items() if n} == {
        "box_make": 14 * BOXES + 1 + 3 * WRONG + REPLACED, "box_make_many": 2 * BOXES, "box_replace": 2 * REPLACED + 1,
        "box_free": 8 * BOXES + 2 * WRONG, "box_close": BOXES, "box_ref": COUNTED, "box_unref": COUNTED + 1,
        "box_look": 2 * BOXES + 1 + 2 * WRONG, "door_open": 3 * COUNTED - 3, "door_close": 2 * COUNTED - 4 + WRONG,
        "desk_take": 3 * DESKS, "desk_leave": 2 * DESKS + DESKS // 2}
    numbers = {name: tuple(f[k] for k in ("acquired", "released", "outstanding", "released_untracked"))
               for name, f in report["families"].items() if name in ("box", "door", "desk")}
    assert numbers == {
        "box": (12 * BOXES + 1 + 3 * WRONG + 3 * REPLACED, 7 * BOXES + 1 + WRONG + 2 * REPLACED, 5 * BOXES + 2 * WRONG + REPLACED, WRONG),
        "door": (3 * COUNTED - 4, 2 * COUNTED - 4, COUNTED, WRONG),
        "desk": (2 * DESKS, DESKS + DESKS // 2, DESKS - DESKS // 2, 0)}
    # the outermost call has acquired what a call inside it made
    many = [s for s in report["sites"] if s["function"] == "box_make_many"]
    assert [(direct_caller(s), s["acquired"], s["outstanding"]) for s in many] == [("boxes", 5 * BOXES, 4 * BOXES)]


def test_wrong_releases_and_uses_are_told_with_three_stacks(tool):
    with Things() as things, Tracer("-e", "box,door", pids=[things.pid]) as tracer:
        tracer.wait_tracing()
        things.do("boxes", BOXES)  # nothing is wrong there
        things.do("wrong", WRONG)
        report = tracer.stop()[things.pid]
    found = {f["kind"]: (f["count"], f["function"], *(f[k][0]["symbol"] if f[k] else None
                         for k in ("stack", "acquire_stack", "release_stack"))) for f in report["findings"]}
    assert found == {"double-release": (WRONG, "box_free", "wrong", "make_box", "free_twice"),
                     "stale-use": (WRONG, "box_look", "wrong", "make_box", "free_twice"),
                     "wrong-deallocator": (WRONG, "door_close", "wrong", "make_box", None)}


def test_sites_are_behind_what_the_kernel_would_step_through(tool):
    """A function that begins with a test of its argument is probed at the jump behind it."""
    with Things() as things:
        lines = run_tool("probes", "-p", things.pid, "-e", "box,door,desk", "--json").stdout.splitlines()
    by_name = {(p["function"], p["operation"]): p for p in map(json.loads, lines) if "function" in p}
    for function in ("desk_leave", "box_replace"):
        assert by_name[function, "entry"]["cost"] == "emulated", by_name[function, "entry"]
