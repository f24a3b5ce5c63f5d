# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""--budget: a process that calls too often is left alone at once, and said so; one that does not is traced as ever."""

import re

from harness import WARM_UP, Oracle, Tracer, assert_error, assert_exact, code_is_unchanged, jdk, probes_of, run_tool, wait_until


LEFT_ALONE_MS = 100
TRIES = 4


def left_alone_after(pid):
    """
    Milliseconds by the kernel's clock, from the first of too many calls until the programs count no more of them, whether or not the
    tool has a turn; and seconds until the tool has closed the books.
    """
    with Tracer("--budget", "1%", pids=[pid], interval="60") as tracer:
        assert tracer.proc.wait(60) is not None
        tracer._collect()
        [final] = tracer.reports()
    assert final["end_reason"] == "over-budget" and final["final"]
    told = re.search(rf"PID {pid}: the probes took more than --budget allows, and were removed after .*: of too many calls "
                     r"those of ([\d.]+) ms were counted\n", "".join(tracer.stderr))
    assert told, tracer.stderr
    return float(told[1]), final["elapsed_s"]


def test_storm_is_left_alone():
    """A storm that hardly gets a CPU itself takes longer to have what it may: one fair try of some is asked for."""
    with Oracle(jdk("17")) as oracle:
        oracle.do(*WARM_UP)
        probes = probes_of(oracle.pid)
        oracle.do("spin 2")
        took = []
        while not took or took[-1][0] >= LEFT_ALONE_MS or took[-1][1] >= 1:
            assert len(took) < TRIES, took
            took.append(left_alone_after(oracle.pid))
            print(took)
        wait_until(lambda: code_is_unchanged(oracle.pid, oracle.jdk.libjvm, probes))  # others trace all JVMs now and then
        oracle.do("stop")


def test_within_the_budget_all_is_exact():
    with Oracle(jdk("17")) as oracle:
        oracle.do(*WARM_UP)
        with Tracer("--budget", "100%", pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            before = oracle.now
            after = oracle.do("run 2 101 7 53 5")
            final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)


def test_errors():
    for bad in ("0", "-1%", "x", "1%%", "1e9", "1 %", "nan", ""):
        assert_error(run_tool("-p", "1", "--budget", bad), 2)
