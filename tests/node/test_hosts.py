# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Hosts of Node-API that are not Node.js: Deno and Bun, as scripts/node-matrix has them (make node-matrix). The calls are
exact; their programs have no unwind tables, so a stack is the addon's own frames, and says so. And a Node.js without symbols.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
from harness import ENV, FIXTURES, TOP, Tracer, assert_no_losses, read_line, run_tool  # noqa: E402
from test_node import DRIVER, REF, TSFN, WORK, Node, by_site, innermost, stop, totals  # noqa: E402

HOSTS = dict(line.split() for line in subprocess.run([TOP / "scripts/node-matrix"], capture_output=True, text=True, check=True).stdout.splitlines())
FLAGS = {"deno": ["run", "--allow-all", "--unstable-detect-cjs", "--v8-flags=--expose-gc"], "bun": ["run"]}
OLD = 101  # references that are there at attach
# Node.js's own functions, by which it calls finalizers and ends environments; the others have none such.
ONLY_NODE = {"finalizer (wrap)", "later finalizer (wrap)", "finalizer (external)", "later finalizer (external)"}


class Host(Node):
    def __init__(self, name):
        self.proc = subprocess.Popen([HOSTS[name], *FLAGS[name], DRIVER], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     env=dict(ENV, JNITRACE_ADDON=str(FIXTURES / "addon.node")))
        self.pid = self.proc.pid


@pytest.mark.parametrize("name", FLAGS)
def test_counts_are_exact(name):
    n = {"leak_strong": 1009, "leak_weak": 503, "come_and_go": 251, "count_up_and_down": 97, "fail_with_stale_result": 13, "delete_old": 53,
         "wrap_with_reference": 41, "leak_tsfn": 19, "release_tsfn": 23, "share_tsfn": 29, "release_tsfn_half": 31, "abort_tsfn": 37,
         "finish_work": 59, "leak_work": 43}
    with Host(name) as host, Tracer(pids=[host.pid]) as tracer:
        tracer.wait_tracing()
        host.do(**n)
        host.say("worker leak_strong 61")
        report = stop(tracer, host)
    assert_no_losses(report)
    assert report["findings"] == []
    kept, gone = n["leak_strong"] + n["leak_weak"] + n["count_up_and_down"] + 61 + OLD, n["come_and_go"] + n["wrap_with_reference"]
    assert totals(report, "ref") == (kept + gone, gone, kept, n["delete_old"])
    kept, gone = n["leak_tsfn"] + n["release_tsfn_half"], n["release_tsfn"] + n["share_tsfn"] + n["abort_tsfn"]
    assert totals(report, "tsfn") == (kept + gone, gone, kept, 0)
    assert totals(report, "work") == (n["finish_work"] + n["leak_work"], n["finish_work"], n["leak_work"], 0)
    assert by_site(report) == {
        ("leak_strong", REF): [n["leak_strong"] + 61, 0], ("leak_weak", REF): [n["leak_weak"], 0],
        ("come_and_go", REF): [n["come_and_go"]] * 2, ("count_up_and_down", REF): [n["count_up_and_down"], 0],
        ("wrap_with_reference", "napi_wrap (result)"): [n["wrap_with_reference"]] * 2, ("napi_register_module_v1", REF): [OLD, 0],
        ("leak_tsfn", TSFN): [n["leak_tsfn"], 0], ("release_tsfn", TSFN): [n["release_tsfn"]] * 2,
        ("share_tsfn", TSFN): [n["share_tsfn"]] * 2, ("release_tsfn_half", TSFN): [n["release_tsfn_half"], 0],
        ("abort_tsfn", TSFN): [n["abort_tsfn"]] * 2,
        ("finish_work", WORK): [n["finish_work"]] * 2, ("leak_work", WORK): [n["leak_work"], 0]}
    stacks = report["stacks"]
    assert stacks["complete"] == 0 and stacks["incomplete"] == stacks["reasons"]["no_unwind_table"] == sum(s["acquired"] for s in report["sites"])


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("command, kind, function", [
    ("use_deleted", "stale-use", "napi_get_reference_value"),
    ("delete_twice", "double-release", "napi_delete_reference"),
])
def test_wrong_use_is_told(name, command, kind, function):
    with Host(name) as host, Tracer(pids=[host.pid]) as tracer:
        tracer.wait_tracing()
        host.do(come_and_go=5)
        host.proc.stdin.write(f"{command} 1\n".encode())
        assert read_line(host.proc.stdout) in ("done\n", "")
        host.proc.kill()
        report = tracer.end()[host.pid]
    [found] = report["findings"]
    assert (found["kind"], found["count"], found["function"]) == (kind, 1, function)
    assert {innermost(found[stack]) for stack in ("stack", "acquire_stack", "release_stack")} == {command}


@pytest.mark.parametrize("name", FLAGS)
def test_what_it_has_not_is_named(name):
    """Finalizers: without them references are traced; who asks for them is told which functions are missing, and by the exit code."""
    with Host(name) as host:
        plain = run_tool("-p", host.pid, "-d", "0.1", "--json")
        asked = run_tool("-p", host.pid, "-d", "0.1", "--json", "-v", "-e", "ref,wrap,external")
    assert plain.returncode == 0, plain.stderr
    assert asked.returncode == 5, asked.stderr
    assert json.loads(asked.stdout.splitlines()[-1])["drops"]["sites_missing"] == len(ONLY_NODE)
    for function in ONLY_NODE:
        assert function in asked.stderr, asked.stderr


def test_a_stripped_node_ends_where_builtins_begin(tmp_path):
    """From Node.js 24 on only its symbol table says where they are."""
    program = tmp_path / "node"
    subprocess.run(["strip", "-o", program, HOSTS["node-24"]], check=True)
    with Node(node=program) as node, Tracer(pids=[node.pid]) as tracer:
        tracer.wait_tracing()
        node.do(leak_strong=101)
        report = stop(tracer, node)
    assert totals(report, "ref") == (101, 0, 101, 0)
    assert report["stacks"]["reasons"]["no_unwind_table"] == 101
    assert {innermost(site["stack"]) for site in report["sites"]} == {"leak_strong"}
