# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""jnitrace doctor: what it says of the machine is so, and what it says of a process is what tracing it does."""

import json

import pytest

from harness import probes_of, run_tool
from test_errors import AS_NOBODY, WITHOUT_BPF


def doctor(*args, prefix=()):
    result = run_tool("doctor", *args, "--json", prefix=prefix)
    assert result.stderr == "", result
    said = json.loads(result.stdout)
    return result.returncode, {c["name"]: c for c in said["checks"]}, {p["target"]["pid"]: p for p in said["processes"]}


def states(checks):
    return {name: c["state"] for name, c in checks.items()}


@pytest.mark.asan
def test_a_machine_that_can_trace(oracle):
    code, checks, processes = doctor()
    assert code == 0 and "bad" not in states(checks).values(), checks
    seen = processes[oracle.pid]
    assert seen["traceable"] and seen["why"] is None
    assert seen["probes"] == len(probes_of(oracle.pid))
    assert seen["target"]["vm"] == "HotSpot"
    table = run_tool("doctor", "-p", oracle.pid)
    assert table.returncode == 0 and f"PID {oracle.pid} " in table.stdout
    assert table.stdout.endswith(f"\nThis machine can trace. Begin with: jnitrace -p {oracle.pid}\n")


@pytest.mark.asan
def test_a_process_that_cannot_be_traced():
    """What it says is what top says."""
    code, checks, processes = doctor("-p", 1)
    refused = run_tool("-p", 1, "-d", "1")
    assert code == refused.returncode != 0 and "bad" not in states(checks).values()
    assert not processes[1]["traceable"] and processes[1]["probes"] is None
    assert processes[1]["why"] in refused.stderr and processes[1]["advice"] in refused.stderr


@pytest.mark.parametrize("prefix, bad, lacking", [
    (WITHOUT_BPF, {"privileges", "BPF"}, "CAP_BPF, CAP_PERFMON"),
    (AS_NOBODY, {"privileges", "BPF"}, "CAP_BPF, CAP_PERFMON"),
], ids=["no-bpf", "nobody"])
def test_a_user_that_may_not(prefix, bad, lacking):
    code, checks, _ = doctor(prefix=prefix)
    assert code == run_tool("-p", "1", "-d", "1", prefix=prefix).returncode == 3
    assert {name for name, state in states(checks).items() if state == "bad"} == bad
    assert checks["privileges"]["found"] == f"lacking: {lacking}"
    assert all(checks[name]["advice"] for name in bad)


def test_what_narrows_the_view(oracle):
    prefix = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    code, checks, processes = doctor("-p", oracle.pid, prefix=prefix)
    assert code == run_tool("-p", oracle.pid, "-d", "1", prefix=prefix).returncode == 3
    assert checks["privileges"]["state"] == checks["processes"]["state"] == "note" and not processes[oracle.pid]["traceable"]
    assert checks["privileges"]["found"].startswith("lacking: CAP_SYS_PTRACE ")
    code, checks, _ = doctor(prefix=["unshare", "--pid", "--fork", "--mount-proc"])
    assert code == 0 and checks["namespaces"]["state"] == "note" and "pid namespace" in checks["namespaces"]["found"]
    code, checks, _ = doctor(prefix=["unshare", "--user", "--map-root-user"])
    assert code == 3 and checks["namespaces"]["state"] == "note" and checks["BPF"]["state"] == "bad"
    code, checks, _ = doctor(prefix=["prlimit", "--nofile=100"])
    assert code == 0 and checks["files"]["state"] == "note" and checks["files"]["advice"].startswith("ulimit -n")
