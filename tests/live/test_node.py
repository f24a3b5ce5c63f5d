# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Hosts of Node-API: an addon (tests/node) does known things in known numbers, told line by line. JNITRACE_NODE: another
Node.js than this machine's (make node-matrix).
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from harness import BUILD, ENV, FIXTURES, JNITRACE, TOP, Tracer, assert_no_losses, assert_schema, direct_caller, probes_of, read_line, run_tool

ADDON = FIXTURES / "addon.node"
NODE = os.environ.get("JNITRACE_NODE", "node")
PACKAGES = TOP / "build-addons/node_modules"  # of npm's: see tests/node/package.json
DRIVER = TOP / "tests/node/driver.js"
REF, TSFN, WORK = "napi_create_reference", "napi_create_threadsafe_function", "napi_create_async_work"
OLD = 101  # references that are there at attach
ACQUIRES = {"ref": {REF, "napi_wrap (result)", "napi_add_finalizer (result)"}, "tsfn": {TSFN}, "work": {WORK}}


class Node:
    """node, or another program that is one, with the addon."""

    def __init__(self, *flags, node=NODE, addon=ADDON):
        self.proc = subprocess.Popen([node, "--expose-gc", *flags, DRIVER], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     env=dict(ENV, JNITRACE_ADDON=str(addon), NODE_PATH=str(PACKAGES)))
        self.pid = self.proc.pid

    def __enter__(self):
        assert read_line(self.proc.stdout) == "ready\n"
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()
        Path(f"/tmp/perf-{self.pid}.map").unlink(missing_ok=True)

    def do(self, **commands):
        for command, n in commands.items():
            self.say(f"{command} {n}")

    def say(self, line):
        self.proc.stdin.write(f"{line}\n".encode())
        assert read_line(self.proc.stdout) == "done\n", line


def stop(tracer, node):
    """When all that was called has its names: these programs are large, and the report that a signal asks for has little time."""
    last = max((r["elapsed_s"] for r in tracer.reports()), default=0)
    if "asan" not in str(JNITRACE):  # which does not fit into the memory that reading lines of large files is allowed
        tracer.wait_report(lambda r: r["elapsed_s"] > last + 0.5 and not r["sites_pending"])
    return tracer.stop()[node.pid]


def by_site(report):
    """{(caller, function): [acquired, released]}"""
    sums = {}
    for site in report["sites"]:
        one = sums.setdefault((direct_caller(site), site["function"]), [0, 0])
        one[0] += site["acquired"]
        one[1] += site["released"]
    return sums


def totals(report, family):
    return tuple(report["families"][family][k] for k in ("acquired", "released", "outstanding", "released_untracked"))


@pytest.mark.asan
def test_counts_are_exact():
    """Failed calls are calls and acquire nothing; what is shared goes with its last release, or when it is aborted."""
    n = {"leak_strong": 1009, "leak_weak": 503, "come_and_go": 251, "count_up_and_down": 97, "fail_with_stale_result": 13, "delete_old": 53,
         "wrap_with_reference": 41, "leak_tsfn": 19, "release_tsfn": 23, "share_tsfn": 29, "release_tsfn_half": 31, "abort_tsfn": 37,
         "finish_work": 59, "leak_work": 43}
    with Node() as node, Tracer(pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(**n)
        node.say("worker leak_strong 61")  # another environment, of another thread
        node.say("worker leak_tsfn 7")
        probes = probes_of(node.pid)
        report = stop(tracer, node)
    assert_no_losses(report)
    assert_schema(report, *probes)
    assert report["findings"] == []
    assert report["target"]["vm"] == "Node-API" and report["target"]["vm_version"] == node_version()
    assert set(report["families"]) == {"ref", "tsfn", "work"}
    kept = n["leak_strong"] + n["leak_weak"] + n["count_up_and_down"] + 61 + OLD  # the worker's own old ones
    gone = n["come_and_go"] + n["wrap_with_reference"]
    assert totals(report, "ref") == (kept + gone, gone, kept, n["delete_old"])
    kept, gone = n["leak_tsfn"] + n["release_tsfn_half"] + 7, n["release_tsfn"] + n["share_tsfn"] + n["abort_tsfn"]
    assert totals(report, "tsfn") == (kept + gone, gone, kept, 0)
    assert totals(report, "work") == (n["finish_work"] + n["leak_work"], n["finish_work"], n["leak_work"], 0)
    calls = Counter({name: count for name, count in report["calls"].items() if count})
    assert calls[REF] == n["leak_strong"] + n["leak_weak"] + n["come_and_go"] + n["count_up_and_down"] + n["fail_with_stale_result"] + 61 + OLD
    assert calls["napi_reference_ref"] == 2 * n["count_up_and_down"] and calls["napi_reference_unref"] == n["count_up_and_down"]
    assert by_site(report) == {
        ("leak_strong", REF): [n["leak_strong"] + 61, 0], ("leak_weak", REF): [n["leak_weak"], 0],
        ("come_and_go", REF): [n["come_and_go"]] * 2, ("count_up_and_down", REF): [n["count_up_and_down"], 0],
        ("wrap_with_reference", "napi_wrap (result)"): [n["wrap_with_reference"]] * 2, ("napi_register_module_v1", REF): [OLD, 0],
        ("leak_tsfn", TSFN): [n["leak_tsfn"] + 7, 0], ("release_tsfn", TSFN): [n["release_tsfn"]] * 2,
        ("share_tsfn", TSFN): [n["share_tsfn"]] * 2, ("release_tsfn_half", TSFN): [n["release_tsfn_half"], 0],
        ("abort_tsfn", TSFN): [n["abort_tsfn"]] * 2,
        ("finish_work", WORK): [n["finish_work"]] * 2, ("leak_work", WORK): [n["leak_work"], 0]}
    for site in report["sites"]:  # through V8's builtins, which have no unwind tables, to where the thread starts
        assert site["truncated"] is None, site
        assert site["stack"][-1]["symbol"] in ("_start", "__clone3", "clone3"), site["stack"][-1]
        assert any(f["type"] == "script" for f in site["stack"])
    assert report["stacks"]["incomplete"] == 0


def test_a_worker_is_known_from_its_first_call():
    """V8 puts the code of an isolate where no mapping was before: what it calls at once is walked through all the same."""
    with Node() as node, Tracer(pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        for i in range(1, 6):
            node.say("worker leak_strong 3")
            # its functions have their names as long as it runs
            report = tracer.wait_report(lambda r, n=i * (OLD + 3): totals(r, "ref")[0] == n and all(scripts(s) for s in r["sites"]))
            node.say("end")
    assert_no_losses(report)
    assert report["stacks"]["incomplete"] == 0, report["stacks"]["reasons"]
    for site in report["sites"]:
        assert all(frame["symbol"] and frame["file"] for frame in scripts(site)), site["stack"]


def scripts(site):
    return [f for f in site["stack"] if f["type"] == "script"]


def node_version():
    return subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")


def test_javascript_has_its_names():
    """By V8's own data, without an option of node's; and a site stays one when its functions are compiled meanwhile."""
    with Node() as node, Tracer(pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(leak_strong=5003)
        report = stop(tracer, node)
    lines = DRIVER.read_text().splitlines()
    assert sum(s["acquired"] for s in report["sites"]) == 5003
    for site in report["sites"]:
        script = [f for f in site["stack"] if f["type"] == "script"]
        assert [f["symbol"] for f in script[:2]] == ["repeatCommand", "run"]
        for frame in script[:2]:
            assert frame["file"] == "driver.js" and f"function {frame['symbol']}(" in lines[frame["line"] - 1]
        assert site["truncated"] is None
        assert "node:internal/process/task_queues" in {f["file"] for f in script}
    assert len(report["sites"]) <= 3, [s["stack"] for s in report["sites"]]


@pytest.mark.asan
def test_memory_is_held_until_its_finalizer_runs():
    """Or until it is taken back; what has no finalizer, or was refused, is not. The same with the scopes of handles."""
    n = {"wrap": 13, "wrap_and_remove": 17, "wrap_with_reference": 19, "wrap_without_finalizer": 7, "wrap_twice": 5, "external": 23,
         "external_buffer": 29, "external_arraybuffer": 31, "add_finalizer": 37, "open_and_close": 41}
    dropped = {"wrap": 43, "external": 47, "external_buffer": 53, "external_arraybuffer": 59, "add_finalizer": 61}
    with Node() as node, Tracer("-e", "wrap,external,scope,ref", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(**n)
        for command, count in dropped.items():
            node.say(f"drop {command} {count}")
        node.say(f"collect {sum(dropped.values())}")
        report = stop(tracer, node)
    assert_no_losses(report)
    assert report["findings"] == []
    kept, gone = n["wrap"] + n["wrap_twice"], n["wrap_and_remove"] + n["wrap_with_reference"] + dropped["wrap"]
    assert totals(report, "wrap") == (kept + gone, gone, kept, 0)
    gone = sum(dropped.values()) - dropped["wrap"]
    kept = sum(n[name] for name in dropped) - n["wrap"]
    assert totals(report, "external") == (kept + gone, gone, kept, 0)
    assert totals(report, "scope") == (2 * n["open_and_close"], 2 * n["open_and_close"], 0, 0)
    assert totals(report, "ref") == (n["wrap_with_reference"], n["wrap_with_reference"], 0, 0)
    sites = by_site(report)
    for command in dropped:
        function = {"add_finalizer": "napi_add_finalizer", "wrap": "napi_wrap"}.get(command, f"napi_create_{command}")
        assert sites[command, function] == [n[command] + dropped[command], dropped[command]]


def test_promises_that_nobody_settles():
    """
    They stay, and those that are resolved or rejected do not, in whichever environment. A call that fails settles nothing, unless the
    thread ended in it.
    """
    n = {"leak_deferred": 37, "resolve_deferred": 41, "reject_deferred": 43, "resolve_with_nothing": 19, "reject_at_last": 23}
    with Node() as node, Tracer("-e", "deferred", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(**n)
        node.say("worker leak_deferred 5")
        node.say("worker reject_deferred 7")
        node.say("worker resolve_and_exit 1")
        report = stop(tracer, node)
    assert_no_losses(report)
    assert_schema(report)
    assert report["findings"] == [] and set(report["families"]) == {"deferred"}
    assert report["calls"] == {"napi_create_promise": sum(n.values()) + 13, "napi_resolve_deferred": 41 + 19 + 1,
                               "napi_reject_deferred": 50 + 4 * 23}
    assert by_site(report) == {(name, "napi_create_promise"): counts for name, counts in
                               {"leak_deferred": [42, 0], "resolve_deferred": [41, 41], "reject_deferred": [50, 50],
                                "resolve_with_nothing": [19, 0], "reject_at_last": [23, 23], "resolve_and_exit": [1, 1]}.items()}
    assert totals(report, "deferred") == (176, 115, 61, 0)


def test_what_lasts_as_long_as_its_environment():
    """Until a worker ends: its data, and its hooks, but not what was replaced, of which no finalizer is called."""
    with Node() as node, Tracer("-e", "env", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(leave_hook=11, remove_hook=13, replace_data=3)
        node.say("worker leave_hook 5")
        node.say("worker remove_hook 7")
        tracer.wait_report(lambda r: totals(r, "env") == (40, 20, 20, 0))
        node.say("end")
        node.say("worker replace_data 2")
        node.say("end")
        report = stop(tracer, node)
    assert_no_losses(report)
    assert_schema(report)
    assert report["findings"] == [] and set(report["families"]) == {"env"}
    hook, data = "napi_add_async_cleanup_hook", "napi_set_instance_data"
    assert by_site(report) == {("leave_hook", hook): [16, 5], ("remove_hook", hook): [20, 20], ("replace_data", data): [5, 1],
                               ("napi_register_module_v1", data): [2, 1]}
    assert totals(report, "env") == (43, 27, 16, 0)


def has_frames(report, function, n, *symbols):
    """One site of this function, acquired n times, whose innermost frames are these."""
    [site] = [s for s in report["sites"] if s["function"] == function and s["acquired"] == n]
    assert site["truncated"] is None
    found = [f["symbol"] or "" for f in site["stack"]]
    if Path(report["target"]["library"]).name.startswith("libnode"):  # Debian's names only what it exports
        symbols = [s for s in symbols if s not in ("v8impl::", "Builtins_")]
    else:
        assert all(found), found
    assert [any(name in f for f in found) for name in symbols] == [True] * len(symbols), found
    at = [next(i for i, f in enumerate(found) if name in f) for name in symbols]
    assert at == sorted(at), found


def test_addons_by_node_addon_api():
    """C++ functions have their names, through the library's classes and wrappers."""
    n = {"keep": 53, "let_go": 41, "make_till": 37, "add_up": 29, "open_tsfn": 23}
    with Node(addon=FIXTURES / "classes.node") as node, Tracer("-e", "ref,work,tsfn,wrap", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(**n)
        report = stop(tracer, node)
    assert_no_losses(report)
    assert report["findings"] == []
    called = "Napi::details::"  # the library's own wrapper, and then Node.js
    has_frames(report, REF, n["keep"], "shop::keep", called, "v8impl::", "Builtins_", "repeatCommand", "_start")
    has_frames(report, REF, n["let_go"], "shop::let_go", called)
    has_frames(report, "napi_wrap", n["make_till"], "shop::Till::Till", called, "v8impl::", "shop::make_till")
    has_frames(report, WORK, n["add_up"], "shop::Sum::Sum", "shop::add_up", called)
    has_frames(report, TSFN, n["open_tsfn"], "shop::open_tsfn", called)
    assert totals(report, "tsfn") == (n["open_tsfn"], 0, n["open_tsfn"], 0)
    assert totals(report, "work") == (n["add_up"], n["add_up"], 0, 0)
    assert totals(report, "wrap") == (n["make_till"], 0, n["make_till"], 0)


def test_addons_by_napi_rs():
    """Rust functions have their names: two addons as npm has them, which their makers have built with napi-rs."""
    n = {"hasher": 37, "compress": 29, "compress_buffer": 31}
    with Node(addon=TOP / "tests/node/rust.js") as node, Tracer("-e", "ref,work,wrap", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(**n)
        report = stop(tracer, node)
    assert_no_losses(report)
    assert report["findings"] == []
    for function in ("napi_wrap", "napi_wrap (result)"):
        has_frames(report, function, n["hasher"], "blake_hash_napi::__napi_impl_helper_Blake3Hasher", "v8impl::", "hasher", "repeatCommand", "_start")
    work = "napi::async_work::run::<napi_snappy::Enc>", "napi_snappy::compress_c_callback", "v8impl::"
    has_frames(report, WORK, n["compress"], *work)
    has_frames(report, WORK, n["compress_buffer"], *work)
    has_frames(report, REF, n["compress_buffer"], "from_napi_value", "napi_snappy::compress_c_callback")
    assert totals(report, "ref") == (n["hasher"] + n["compress_buffer"], n["compress_buffer"], n["hasher"], 0)
    assert totals(report, "work") == (n["compress"] + n["compress_buffer"],) * 2 + (0, 0)
    assert totals(report, "wrap") == (n["hasher"], 0, n["hasher"], 0)


@pytest.mark.parametrize("command, kind, function", [
    ("use_deleted", "stale-use", "napi_get_reference_value"),
    ("delete_twice", "double-release", "napi_delete_reference"),
])
def test_wrong_use_is_told(command, kind, function):
    """Before it is done: node may not survive it."""
    with Node() as node, Tracer(pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(come_and_go=5)
        node.proc.stdin.write(f"{command} 1\n".encode())
        assert read_line(node.proc.stdout) in ("done\n", "")
        node.proc.kill()
        report = tracer.end()[node.pid]
    [found] = report["findings"]
    assert (found["kind"], found["count"], found["function"]) == (kind, 1, function)
    for stack in ("stack", "acquire_stack", "release_stack"):
        assert found[stack][0]["symbol"] == command, stack


def innermost(stack):
    """The innermost function that has code of its own."""
    return next((f["symbol"] for f in stack or [] if not f["inlined"]), None)


def wrong(report):
    """{(kind, innermost function of the stack): [count, where acquired]}"""
    return {(f["kind"], innermost(f["stack"])): [f["count"], innermost(f["acquire_stack"])] for f in report["findings"]}


@pytest.mark.asan
def test_objects_of_pending_work_and_what_an_environment_leaves():
    """The memory of an object goes while work that its unwrapping callback has made may use it; a reference keeps it. A worker
    ends without having released its threadsafe functions."""
    with Node() as node, Tracer("-e", "ref,tsfn,wrap,work", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.say("drop lend_to_work 7")
        node.say("drop lend_and_hold 5")
        node.do(leak_tsfn=2, release_tsfn=3)
        node.say("collect 7")
        node.do(finish_lent=1)
        node.say("collect 12")  # those that were held are free when their work is done, and no work uses them
        node.say("worker leak_tsfn 11")
        node.say("worker release_tsfn 13")
        node.say("end")
        node.do(come_and_go=1)
        report = stop(tracer, node)
    assert_no_losses(report)
    assert_schema(report)
    assert wrong(report) == {("finalized-in-use", "lend_to_work"): [7, "lend_to_work"], ("unreleased-at-end", None): [11, "leak_tsfn"]}
    [freed] = [f for f in report["findings"] if f["kind"] == "finalized-in-use"]
    assert any("Finaliz" in f["symbol"] for f in freed["release_stack"])
    assert totals(report, "wrap")[:3] == (12, 12, 0) and totals(report, "work")[:3] == (12, 12, 0)


@pytest.mark.parametrize("between", [(), ("wrap 1",)])
def test_another_callback_s_work_borrows_nothing(between):
    """What one callback unwraps is not lent to the work that another one makes, though that does not ask what it was given."""
    with Node() as node, Tracer("-e", "wrap,work", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.say("drop lend_to_none 7")
        for line in ("work_unasked 2", *between, "collect 7", "finish_lent 1"):
            node.say(line)
        report = stop(tracer, node)
    assert_no_losses(report)
    assert report["findings"] == []
    assert totals(report, "work")[0] == 2 and totals(report, "wrap")[1] == 7


def test_scopes_are_nested_and_closed():
    """By whoever opens them, each once, before the callback returns: Node.js aborts else."""
    with Node() as node, Tracer("-e", "scope", pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(open_and_close=41, escape_once=17, escape_twice=5, close_out_of_order=3, escape_closed=1)
        node.proc.stdin.write(b"leave_scope_open 1\n")
        assert read_line(node.proc.stdout) == ""
        report = tracer.end()[node.pid]
    assert_no_losses(report)
    [left] = [f for f in report["findings"] if "closed one of its caller's" in f["text"]]
    assert left["count"] == 1 and left["acquire_stack"][0]["symbol"] == "leave_scope_open"
    report["findings"].remove(left)
    assert wrong(report) == {("scope-misuse", "escape_twice"): [5, "escape_twice"], ("scope-misuse", "close_out_of_order"): [3, "close_out_of_order"],
                             ("stale-use", "escape_closed"): [1, "escape_closed"]}
    assert totals(report, "scope") == (82 + 17 + 5 + 6 + 1 + 1, 82 + 17 + 5 + 6 + 1, 1, 0)


def test_sites_are_cheap():
    """Half of the functions begin with a test, where a probe costs ten times what it does at the jump behind it."""
    with Node() as node:
        probes = [json.loads(line) for line in run_tool("probes", "-p", node.pid, "--json").stdout.splitlines()]
    probes = [p for p in probes if "function" in p]
    assert {p["function"] for p in probes} >= {REF, TSFN, WORK, "napi_delete_reference", "napi_release_threadsafe_function"}
    assert not [p for p in probes if p["cost"] == "single-step"]
    assert {Path(p["file"]).name for p in probes} <= {"node", "libnode.so.108"}  # of Node.js itself, and of Debian


def test_whatever_it_is_called(tmp_path):
    """A program that exports the functions is a host; one that is only called node is none."""
    named, fake = tmp_path / "some-editor", tmp_path / "node"
    shutil.copy2(os.path.realpath(shutil.which(NODE)), named)
    shutil.copy2("/bin/sleep", fake)
    with Node(node=named) as node:
        assert run_tool("probes", "-p", node.pid).returncode == 0
        assert run_tool("probes", "-p", node.pid, "--runtime", "node").returncode == 0
        assert run_tool("probes", "-p", node.pid, "--runtime", "hotspot").returncode == 4
    with subprocess.Popen([fake, "1000"]) as sleeping:
        try:
            result = run_tool("probes", "-p", sleeping.pid, "--runtime", "node")
        finally:
            sleeping.kill()
    assert result.returncode == 4, result.stderr
