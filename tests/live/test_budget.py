# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""--budget: a process that calls too often is left alone at once, and said so; one that does not is traced as ever."""

from harness import WARM_UP, Oracle, Tracer, assert_error, assert_exact, code_is_unchanged, jdk, probes_of, run_tool, wait_until


def test_storm_is_left_alone():
    with Oracle(jdk("17")) as oracle:
        oracle.do(*WARM_UP)
        probes = probes_of(oracle.pid)
        oracle.do("spin 2")
        with Tracer("--budget", "1%", pids=[oracle.pid], interval="60") as tracer:
            assert tracer.proc.wait(60) is not None
            tracer._collect()
            [final] = tracer.reports()
        assert final["end_reason"] == "over-budget" and final["final"]
        print(final["elapsed_s"], final["overhead"])
        assert final["elapsed_s"] < 1
        assert any("more than --budget allows" in line for line in tracer.stderr)
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
