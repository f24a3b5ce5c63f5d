# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Probes that are preempted by each other, where the kernel does that: nothing breaks, and every number stays exact.
This machine's kernel may never do it; scripts/kernel-matrix runs these tests under those that do.
"""

import os

import pytest

import harness
from harness import Oracle, Tracer, by_caller, direct_caller, jdk
from programs import private_stack_accesses, programs_of

# More threads than CPUs; more rounds for a long run.
THREADS = int(os.environ.get("JNITRACE_STORM_THREADS", 16))
ROUNDS = int(os.environ.get("JNITRACE_STORM_ROUNDS", 300))
FUNCTIONS = {"storm_global": "NewGlobalRef", "storm_weak": "NewWeakGlobalRef", "storm_local": "NewLocalRef",
             "storm_utf": "GetStringUTFChars", "storm_array": "GetIntArrayElements",
             "storm_critical": "GetPrimitiveArrayCritical", "storm_monitor": "MonitorEnter",
             "storm_attach": "AttachCurrentThreadAsDaemon"}
REFS = ("storm_global", "storm_weak")
OPTIONS = [
    [],
    ["--memo", "check"],
    ["-e", "all", "--check"],
    ["-e", "all", "--check", "--memo", "off"],
    ["-e", "all", "--group-by", "thread"],
]


class Storm(Oracle):
    """Many threads that do little but JNI calls, of all families, from deep stacks, and say how many."""

    def main(self, fixtures):
        return "Storm", str(fixtures / "libstorm.so")


@pytest.mark.parametrize("args", OPTIONS, ids="+".join)
def test_storm(args):
    with Storm(jdk("17")) as storm:
        before = storm.do("go 2 20")["done"]
        with Tracer(*args, "--max-stacks", "200000", "--allow-loss", pids=[storm.pid]) as tracer:
            tracer.wait_tracing()
            after = storm.do(f"go {THREADS} {ROUNDS}")["done"]
            final = tracer.stop()[storm.pid]
    # A kernel that preempts the loader within a call of bpf() runs no program of a tracepoint on that CPU, and counts that:
    # the end of a thread may go unseen. What the probes count is exact all the same.
    assert not any(n for drop, n in final["drops"].items() if drop != "prog_missed"), final["drops"]
    # How long a critical section takes when threads wait for CPUs is not what is asked here.
    assert [f for f in final["findings"] if f["kind"] != "held-critical"] == []
    done = {name: after[name] - before[name] for name in (FUNCTIONS if "all" in args else REFS)}
    missing = [s for s in final["sites"] if s["function"] in FUNCTIONS.values() and direct_caller(s) not in done]
    assert by_caller(final, done) == {name: (FUNCTIONS[name], n, n) for name, n in done.items()}, (final["sites_pending"], missing)


def uses_of_private_stacks(args, oracle):
    """{program: instructions}, of those that are loaded with these options."""
    with Tracer(*args, pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        programs = programs_of(tracer.proc.pid)
        tracer.stop()
    assert "jt_call" in programs or args[:2] == ["-e", "thread"], programs.keys()
    accesses = {name: private_stack_accesses(code) for name, code in programs.items()}
    return {name: uses for name, uses in accesses.items() if uses}


@pytest.mark.parametrize("args", [*OPTIONS, pytest.param(["--attach", "perf", "-e", "all", "--check"], marks=pytest.mark.waits),
                                  ["--count-only"], ["-e", "thread"]], ids="+".join)
def test_no_program_has_a_private_stack(oracle, args):
    assert uses_of_private_stacks(args, oracle) == {}


def test_a_private_stack_is_seen(monkeypatch, oracle):
    """By the test above, with a tool that has nothing to prevent it, where the kernel gives one."""
    monkeypatch.setattr(harness, "JNITRACE", harness.TOOL_BUILD / "mutants/private-stack/jnitrace")
    kernel = tuple(int(n) for n in os.uname().release.split(".")[:2])
    uses = uses_of_private_stacks(["-e", "all", "--check"], oracle)
    print({name: len(lines) for name, lines in uses.items()})
    if kernel >= (6, 13):
        assert {"jt_call", "jt_use", "jt_pin", "jt_unpin", "jt_thread_retur"} <= set(uses)
    else:
        assert uses == {}
