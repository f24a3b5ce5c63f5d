# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""--pair: what any library's functions give and take, in processes that have no runtime and in one that has."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import harness
from harness import BUILD, ENV, JNITRACE, SLOW, Tracer, assert_no_losses, assert_schema, direct_caller, probes_of, read_line, run_tool, wait_until
from test_run import children_of, helpers, run, run_report, state_of
from test_runtime import BOXES, COUNTED, DESKS, REPLACED, WRONG, Things

RULES = ("--pair", "box=libthing.so:box_make(*arg6)+box_make_by(*arg2)+box_make_many(*arg2[arg1])+~box_replace(arg0,size=arg1)"
         "/box_free(arg0)+box_close(arg0)+^box_ref(arg0)+v:box_unref(arg0)+?box_look(arg0)",
         "--pair", "door=libthing:door_open(ret,counted)/door_close(arg0)",
         "--pair", f"desk={BUILD}/test-runtime/libthing.so:desk_take(ret,okge0)/desk_leave(arg0)")
ZLIB = ("--pair", "gz=libz.so.1:gzopen(ret)/gzclose(arg0)")
JUMPS, FOREIGN, LATE = 13, 7, 11
FILES, FAILED, DATABASES, OPENED, CLOSED = 7, 5, 3, 11, 4


def numbers(report):
    return {name: tuple(f[k] for k in ("acquired", "released", "outstanding", "released_untracked"))
            for name, f in report["families"].items() if f["acquired"] or f["released_untracked"]}


def test_a_plain_process_is_counted_by_rules(tmp_path):
    with Things() as things, Tracer(*RULES, pids=[things.pid]) as tracer:
        tracer.wait_tracing()
        for what, n in (("boxes", BOXES), ("counted", COUNTED), ("desks", DESKS), ("replaced", REPLACED), ("jumps", JUMPS), ("wrong", WRONG),
                        ("foreign", FOREIGN)):
            things.do(what, n)
        json_probes = probes_of(things.pid, *RULES)
        report = tracer.stop()[things.pid]
    assert_no_losses(report)
    assert_schema(report, *json_probes)
    assert report["target"]["vm"] is None and report["target"]["library"].endswith("/libthing.so")
    assert numbers(report) == {
        "box": (12 * BOXES + 1 + 3 * WRONG + 3 * REPLACED + 3 * JUMPS, 7 * BOXES + 1 + WRONG + 2 * REPLACED,
                5 * BOXES + 2 * WRONG + REPLACED + 3 * JUMPS, WRONG + FOREIGN),
        "door": (3 * COUNTED - 4, 2 * COUNTED - 4, COUNTED, WRONG), "desk": (2 * DESKS, DESKS + DESKS // 2, DESKS - DESKS // 2, 0)}
    assert report["calls"]["box_make_by"] == 2 * JUMPS
    sizes = {s["outstanding_bytes"] for s in report["sites"] if s["function"] != "box_replace"}
    assert sizes == {None}
    assert sorted(s["outstanding_bytes"] for s in report["sites"] if s["function"] == "box_replace") == [0, 7 * REPLACED]
    # what a jump left behind swallows nothing of what comes later
    of_jumps = sorted((s["function"], direct_caller(s), s["outstanding"]) for s in report["sites"] if "jumps" in str(s["stack"]))
    assert of_jumps == [("box_make", "make_box", JUMPS), ("box_make", "make_inside", JUMPS), ("box_make_by", "jumps", JUMPS)]
    assert {f["kind"]: f["count"] for f in report["findings"]} == {"double-release": WRONG, "stale-use": WRONG, "wrong-deallocator": WRONG}


def test_from_its_start_on_what_nobody_gave_is_told():
    """What a process has from before attach may be released; of one that is held at its start all is known. Of its libraries, too."""
    commands = f"boxes {BOXES}\nwrong {WRONG}\nforeign {FOREIGN}\nlate {LATE}\nreplaced {REPLACED}\n"
    # each process of the command is held, whatever it was before
    result, reports = run_report(*RULES, *ZLIB, command=["sh", "-c", "exec env \"$0\"", BUILD / "test-runtime/things"], stdin=None, input=commands)
    assert result.returncode == 0, result.stderr
    report = reports[-1]
    assert report["target"]["comm"] == "things" and {r["target"]["comm"] for r in reports} == {"things"}
    assert_no_losses(report)
    assert numbers(report)["gz"] == (LATE, 1, LATE - 1, 0)
    assert numbers(report)["box"][3] == WRONG + FOREIGN
    assert {f["kind"]: f["count"] for f in report["findings"]} == {"double-release": WRONG, "stale-use": WRONG, "wrong-deallocator": WRONG,
                                                                   "unmatched-release": FOREIGN}
    result = run(*RULES, "--assert", "box.outstanding==1", "--assert", "findings==0", command=[BUILD / "test-runtime/things"], stdin=None,
                 input="foreign 1\n")
    assert result.returncode == 6 and "box.outstanding==1: it is 0" in result.stderr and "findings==0: it is 1" in result.stderr, result.stderr


def waker_of(tool):
    """The waker of a run, which is nobody's child, and younger."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text() == "jnitrace-waker\n" and int(pid) > tool:
                found.append(int(pid))
    return min(found)


@pytest.mark.parametrize("killed, inner", [("tool", "ls / >&2"), ("tool tracer", "ls / >&2"), ("tracer", "ls / >&2"), ("waker", "ls / >&2"), ("waker, told", "ls / >&2"),
                                           ("tool tracer waker", "exec ls / >&2")])
def test_whoever_is_killed_leaves_no_process_stopped(killed, inner):
    """One that loads its libraries has stopped, and the tracer is busy, as it is when it is stopped, too."""
    command = ["sh", "-c", f"echo ready; read line; {inner}"]
    with subprocess.Popen([str(JNITRACE), "run", *RULES, "--", *command], env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          bufsize=0, start_new_session=True) as tool:
        assert read_line(tool.stdout) == "ready\n"
        pids = {"tool": tool.pid, "tracer": helpers(tool)["jnitrace"], "waker": waker_of(tool.pid)}
        (shell,) = [pid for pid, name in children_of(tool.pid).items() if name != "jnitrace"]
        os.kill(pids["tracer"], signal.SIGSTOP)
        tool.stdin.write(b"\n")
        stopped = []
        wait_until(lambda: stopped.extend(pid for pid in (shell, *children_of(shell)) if state_of(pid) == "T") or stopped)
        if killed == "waker, told":  # by a tracer that does not see that it does nothing
            os.kill(pids["waker"], signal.SIGSTOP)
            os.kill(pids["tracer"], signal.SIGCONT)
            time.sleep(0.5)
        for who in killed.split(",")[0].split():
            os.kill(pids[who], signal.SIGKILL)
        if "tracer" not in killed:
            os.kill(pids["tracer"], signal.SIGCONT)
        wait_until(lambda: not Path(f"/proc/{shell}").exists() or state_of(shell) == "Z")
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() and state_of(pid) != "Z" for pid in pids.values()))
        tool.stdin.close()
        tool.wait(SLOW)


def test_a_library_that_comes_later():
    """One beside others, and the only one: counted from the line on that says so."""
    for rules in ((*RULES, *ZLIB), ZLIB):
        with Things() as things, Tracer(*rules, pids=[things.pid]) as tracer:
            tracer.wait_tracing()
            assert sum("no libz.so.1" in line for line in tracer.stderr) == 1, tracer.stderr
            things.do("late", 2)  # which may be seen
            wait_until(lambda: any("has loaded libz.so.1" in line for line in tracer.stderr))
            things.do("late", LATE)
            report = tracer.stop()[things.pid]
        assert_no_losses(report)
        (site,) = [s for s in report["sites"] if s["function"] == "gzopen"]
        assert direct_caller(site) == "late" and site["acquired"] - LATE in (0, 1, 2), site
        assert report["calls"]["gzclose"] in (1, 2) and report["findings"] == []


def test_exceptions_go_through():
    """A return probe of the kernel would end the process at the first one. Names are as in the source where they are one function's."""
    n, make = 13, "_ZN4yard4makeEi(ret)+_ZN4yard4makeEPKc(ret)+yard::make_by(ret)"
    with Things("crates") as crates:
        refused = run_tool("probes", "-p", crates.pid, "--pair", "libcrates:yard::make(ret)/yard::drop(arg0)")
        assert refused.returncode == 1 and "column 11" in refused.stderr and "_ZN4yard4makeEi, _ZN4yard4makeEPKc" in refused.stderr, refused.stderr
        refused = run_tool("probes", "-p", crates.pid, "--pair", "libcrates:make(ret)/yard::drop(arg0)")
        assert "near it: _ZN4yard4makeEi (yard::make)" in refused.stderr, refused.stderr
        with Tracer("--pair", f"libcrates:{make}/yard::drop(arg0)", pids=[crates.pid]) as tracer:
            tracer.wait_tracing()
            crates.do("go", n)
            report = tracer.stop()[crates.pid]
    assert_no_losses(report)
    assert numbers(report) == {"libcrates": (4 * n, n, 3 * n, 0)} and report["findings"] == []
    calls = {name: count for name, count in report["calls"].items() if count}
    assert calls == {"_ZN4yard4makeEi": 3 * n, "_ZN4yard4makeEPKc": n, "yard::make_by": 2 * n, "yard::drop": n}


def test_versions_and_places_of_functions():
    """Of glibc: a version, past a test, at an address. A place that is proven to be no beginning is never probed."""
    with Things() as things:
        def probes(rule):
            return run_tool("probes", "-p", things.pid, "--json", "--pair", rule)

        lines = probes("libc:dlopen@GLIBC_2.2.5(ret)+fopen@@GLIBC_2.2.5(ret)/dlclose(arg0)+fclose(arg0)")
        found = {p["function"]: p["offset"] for p in map(json.loads, lines.stdout.splitlines()) if "function" in p}
        assert {"dlopen@GLIBC_2.2.5", "fopen@@GLIBC_2.2.5"} <= found.keys(), lines
        again = probes(f"libc:fopen(ret)/{found['fclose']}(arg0)")
        assert f'"function":"{found["fclose"]}"' in again.stdout.replace(" ", ""), again
        for rule, words in (("fopen@GLIBC_9(ret)/fclose(arg0)", "no function 'fopen@GLIBC_9'"), ("fopen(ret)/fclose+0x2(arg0)", "no function begins at"),
                            ("fopen(ret)/0x10(arg0)", "not in the code")):
            result = probes(f"libc:{rule}")
            assert result.returncode == 1 and words in result.stderr and "column" in result.stderr, result


def test_all_processes_that_map_the_library():
    """Whatever they are, and those that come later, too."""
    rule = ("--pair", f"door={BUILD}/test-runtime/libthing.so:door_open(ret,counted)/door_close(arg0)")
    with Things() as first, Tracer("-a", "--allow-loss", *rule) as tracer:
        tracer.wait_tracing()
        with Things() as second:
            tracer.wait_report(lambda r: r["target"]["pid"] == second.pid)
            for things, n in ((first, COUNTED), (second, 2 * COUNTED)):
                things.do("counted", n)
            reports = tracer.stop()
    assert reports.keys() >= {first.pid, second.pid}  # and those of other tests
    for things, n in ((first, COUNTED), (second, 2 * COUNTED)):
        assert_no_losses(reports[things.pid])
        assert numbers(reports[things.pid]) == {"door": (3 * n - 4, 2 * n - 4, n, 0)}


SCRIPT = """
import _ctypes, ctypes, sqlite3, sys
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
keep = []
sql, p = ctypes.CDLL("libsqlite3.so.0"), ctypes.c_void_p
def busy(goes):
    # not closed while there is a statement
    database, statement = p(), p()
    assert sql.sqlite3_open(b":memory:", ctypes.byref(database)) == 0
    assert sql.sqlite3_prepare_v2(database, b"select 1", -1, ctypes.byref(statement), None) == 0
    assert sql.sqlite3_close(database) == 5
    if goes:
        assert sql.sqlite3_finalize(statement) == 0 and sql.sqlite3_close(database) == 0
print("ready", flush=True)
for line in sys.stdin:
    files, failed, databases, opened, closed = map(int, line.split())
    for i in range(files):
        libc.fopen(b"/dev/null", b"r")
        libc.fclose(libc.fopen(b"/dev/null", b"r"))
    for i in range(failed):
        libc.fopen(b"/no/such/file", b"r")
    for i in range(databases):
        keep.append(sqlite3.connect(":memory:"))
        sqlite3.connect(":memory:").close()
        busy(i)
    handles = [_ctypes.dlopen("libm.so.6", 2) for i in range(opened)]
    for handle in handles[:closed]:
        _ctypes.dlclose(handle)
    print("done", flush=True)
"""


def test_real_libraries_in_python():
    """The same handle from dlopen, failed calls, a database that is handed out by an argument, and one that is busy when it is closed."""
    process = subprocess.Popen(["/usr/bin/python3", "-c", SCRIPT], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert read_line(process.stdout) == "ready\n"
        with Tracer("--pairs", "file,dl,sqlite", pids=[process.pid]) as tracer:
            tracer.wait_tracing()
            process.stdin.write(f"{FILES} {FAILED} {DATABASES} {OPENED} {CLOSED}\n".encode())
            assert read_line(process.stdout) == "done\n"
            report = tracer.stop()[process.pid]
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    assert_no_losses(report)
    assert numbers(report) == {"file": (2 * FILES, FILES, FILES, 0), "dl": (OPENED, CLOSED, OPENED - CLOSED, 0),
                               "sqlite": (3 * DATABASES, 2 * DATABASES - 1, DATABASES + 1, 0), "sqlite-stmt": (DATABASES, DATABASES - 1, 1, 0)}
    assert report["calls"]["fopen"] == 2 * FILES + FAILED and report["findings"] == []


LENDER = """
import ctypes, ctypes.util, sys
c, sql = ctypes.CDLL(None), ctypes.CDLL("libsqlite3.so.0")
p = ctypes.c_void_p
for f in (c.malloc, sql.sqlite3_malloc):
    f.restype = p
sql.sqlite3_prepare_v2.argtypes = [p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(p), p]
sql.sqlite3_bind_blob.argtypes = [p, ctypes.c_int, p, ctypes.c_int, p]
sql.sqlite3_finalize.argtypes = c.free.argtypes = sql.sqlite3_free.argtypes = [p]
database = p()
assert sql.sqlite3_open(b":memory:", ctypes.byref(database)) == 0
given_back = ctypes.CFUNCTYPE(None, p)(c.free)
takers = {"free": (c.malloc, ctypes.cast(c.free, p)), "own": (sql.sqlite3_malloc, ctypes.cast(sql.sqlite3_free, p)), "copied": (c.malloc, p(-1)),
          "kept": (c.malloc, p(0)), "closure": (c.malloc, ctypes.cast(given_back, p))}
def statement():
    s = p()
    assert sql.sqlite3_prepare_v2(database, b"select ?", -1, ctypes.byref(s), None) == 0
    return s
print("ready", flush=True)
for line in sys.stdin:
    who, n = line.split()
    make, taker = takers[who]
    for i in range(int(n)):
        s = statement()
        assert sql.sqlite3_bind_blob(s, 1, make(16), 16, taker) == 0  # goes when the next one comes
        assert sql.sqlite3_bind_blob(s, 1, make(16), 16, taker) == 0  # goes with the statement
        assert sql.sqlite3_bind_blob(s, 2, make(16), 16, taker) != 0  # is given back at once: there is no second one
        if i % 2:
            sql.sqlite3_finalize(s)
    print("done", flush=True)
"""
BLOBS = ("--pair", "blob=libsqlite3:sqlite3_bind_blob(arg2,ok0,by=arg4,size=arg3)/*(arg0)")
LENT, OWN = 13, 7


def blobs(*lent):
    """Of which two are acquired each time, and the first goes; every other time the second one, too."""
    return 2 * sum(lent), sum(n + n // 2 for n in lent)


@contextlib.contextmanager
def lender():
    with subprocess.Popen(["/usr/bin/python3", "-c", LENDER], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert read_line(process.stdout) == "ready\n"

        def lend(who, n):
            process.stdin.write(f"{who} {n}\n".encode())
            assert read_line(process.stdout) == "done\n"

        yield process.pid, lend
        process.kill()


def test_a_function_that_an_argument_names_releases():
    """Two functions, of two libraries; -1 and 0 are none. A process that is held loses nothing."""
    result, reports = run_report(*BLOBS, command=["/usr/bin/python3", "-c", LENDER], stdin=None,
                                 input=f"free {LENT}\nown {OWN}\ncopied 5\nkept 3\nfree 1\n")
    assert result.returncode == 0, result.stderr
    report = reports[-1]
    assert_no_losses(report)
    acquired, released = blobs(LENT, OWN, 1)
    assert numbers(report) == {"blob": (acquired, released, acquired - released, 0)}
    assert sum(s["outstanding_bytes"] for s in report["sites"]) == 16 * (acquired - released)
    assert report["calls"]["sqlite3_bind_blob"] == 3 * (LENT + OWN + 5 + 3 + 1) and report["findings"] == []


def test_a_process_that_runs_already_loses_what_it_lends_until_the_function_is_probed():
    """Counted by name. What lies in no file, or where no function begins, is never probed, and that is told."""
    with lender() as (pid, lend), Tracer(*BLOBS, "-v", pids=[pid]) as tracer:
        tracer.wait_tracing()
        lend("free", 1)
        wait_until(lambda: sum("is traced from here on" in line for line in tracer.stderr) == 1)
        lend("free", LENT)
        lend("closure", 1)
        wait_until(lambda: sum("is not traced: " in line for line in tracer.stderr) == 1)
        lend("closure", 2)
        report = tracer.stop(5)[pid]
    acquired, released = blobs(LENT)
    unseen = report["drops"].pop("finalizer_unseen")
    assert unseen - 2 * (1 + 2) in (0, 1, 2) and not any(report["drops"].values()), report["drops"]
    family = report["families"]["blob"]
    assert family["acquired"] == blobs(1, LENT, 1, 2)[0]
    assert family["acquired"] - unseen - family["released"] == family["outstanding"]
    assert acquired - released <= family["outstanding"] <= acquired - released + 1 and report["findings"] == []


def test_a_jvm_keeps_its_families_when_they_are_asked_for(oracle):
    with Tracer("--pairs", "file", "-e", "global,weak", pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        before, after = oracle.now, oracle.do("run 2 101 2 53 1")
        report = tracer.stop()[oracle.pid]
    report["sites"] = [s for s in report["sites"] if s["family"] != "file"]  # the VM opens some by itself
    harness.assert_exact(report, before, after)
    assert report["target"]["vm"] == "HotSpot" and "fopen" in report["calls"]
    lines = run_tool("probes", "-p", oracle.pid, "--pairs", "file", "--json").stdout.splitlines()
    files = {p["file"].rsplit("/")[-1] for p in map(json.loads, lines) if "function" in p}
    assert files == {"libc.so.6"}  # no family of JNI, unless it is asked for


def test_what_is_wrong_with_a_rule_is_said():
    with Things() as things:
        for rule, code, words in (("libthing:thing_new(ret)/thing_fre(arg0)", 1, ("no function 'thing_fre'", "thing_free")),
                                  ("libthin:thing_new(ret)/thing_free(arg0)", 4, ("maps no libthin", "libthing.so")),
                                  ("libthing:thing_new(rut)/thing_free(arg0)", 2, ("column 20",))):
            for command in (("probes",), ("-d", "0.1")):
                result = run_tool(*command, "-p", things.pid, "--pair", rule)
                assert result.returncode == code and all(w in result.stderr for w in words), result.stderr
                lines = result.stderr.count("\n")
                assert lines == (3 if code == 4 and command[0] == "-d" else 1), result.stderr  # it may come yet
