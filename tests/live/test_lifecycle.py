# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Targets and tracers come and go in every order; targets run on, nothing is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import (BUILD, ENV, JNITRACE, SLOW, WARM_UP, WORK, Expected, Oracle, Tracer, assert_exact, assert_no_losses, bpf_ids,
                     bpf_objects, by_caller, code_is_unchanged, copy_jdk17, jdk, probes_of, run_tool, wait_until)

AT_PID = str(Path(__file__).with_name("at_pid.py"))
ROUNDS = 500 if "JNITRACE_STORMS" in os.environ else 20


# Mostly this waits for the kernel to remove perf events one by one.
@pytest.mark.parametrize("attach", ["multi", pytest.param("perf", marks=pytest.mark.waits)])
@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_attach_detach_storm(kind, attach):
    """Attach and detach, ROUNDS times each, while four threads run at full speed."""
    with Oracle(jdk(kind)) as oracle:
        oracle.do(*WARM_UP)
        probes = probes_of(oracle.pid)
        oracle.do("spin 4")
        for _ in range(ROUNDS):
            with Tracer("--attach", attach, pids=[oracle.pid]) as tracer:
                tracer.wait_tracing()
                final = tracer.stop()[oracle.pid]
            assert oracle.alive()
            assert_no_losses(final)
            for f in final["families"].values():
                assert f["outstanding"] <= 4, "at most one a thread is held when the probes go"
        wait_until(lambda: code_is_unchanged(oracle.pid, oracle.jdk.libjvm, probes))  # others trace all JVMs now and then
        oracle.do("stop", "run 4 1009 1 503 1")
        assert oracle.quit(7) == 7


@pytest.mark.parametrize("attach", ["multi", "perf"])
def test_killed_tracer_leaves_nothing(oracle, attach):
    oracle.do(*WARM_UP)
    probes = probes_of(oracle.pid)
    oracle.do("spin 4")
    with Tracer("--attach", attach, pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        ours = bpf_objects(tracer.proc.pid)
        assert {kind for kind, _ in ours} == {"prog", "map", "link"} and ours <= bpf_ids(), ours
        assert not code_is_unchanged(oracle.pid, oracle.jdk.libjvm, probes), "this check would see a probe"
        tracer.proc.kill()
        tracer.proc.wait()
    wait_until(lambda: not ours & bpf_ids())
    wait_until(lambda: code_is_unchanged(oracle.pid, oracle.jdk.libjvm, probes))
    oracle.do("stop", "run 4 1009 1 503 1")
    assert oracle.quit(7) == 7


@pytest.mark.asan
@pytest.mark.parametrize("how, reason", [("kill", "exited"), ("quit", "exited"), ("exec", "execed")])
def test_target_ends(oracle, how, reason):
    """The tool ends with its last target, and reports what was seen until then."""
    before = oracle.do(*WARM_UP)
    with Tracer(pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do("run 2 1009 7 503 5")
        tracer.wait_report(lambda r: r["calls"]["NewWeakGlobalRef"] == Expected(before, after).calls["NewWeakGlobalRef"])
        if how == "kill":
            oracle.kill()
        else:
            oracle.send({"quit": "quit 3", "exec": "exec 30"}[how])
        final = tracer.end()[oracle.pid]
    assert final["end_reason"] == reason
    want = Expected(before, after).sites
    assert by_caller(final, of=want) == want
    if how == "exec":
        assert oracle.alive() and Path(f"/proc/{oracle.pid}/comm").read_text() == "sleep\n"


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_target_ends_before_the_first_report(kind):
    """Its sites are named all the same, also when its root went with it."""
    with Oracle(jdk(kind)) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer(pids=[oracle.pid], interval="60") as tracer:
            tracer.wait_tracing()
            after = oracle.do("run 2 1009 7 503 5")
            tracer.wait_looks()  # new stacks are named at once, not at the next report
            oracle.kill()
            oracle.proc.wait()
            final = tracer.end()[oracle.pid]
    want = Expected(before, after).sites
    assert by_caller(final, of=want) == want
    assert any(f["type"] == "java" and f["symbol"] for site in final["sites"] for f in site["stack"])


@pytest.mark.parametrize("kind, reaped", [("17", True), ("17", False), ("sid-25", True)])
def test_target_ends_before_anything_was_named(kind, reaped):
    """
    What is in files is named all the same; the names of Java went with the process. That is told of the stacks, and is
    nobody's loss: all is counted. The tracer is held until the process is gone, one time also reaped.
    """
    with Oracle(jdk(kind)) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer(pids=[oracle.pid], interval="60") as tracer:
            tracer.wait_tracing()
            tracer.proc.send_signal(signal.SIGSTOP)
            after = oracle.do("run 2 1009 7 503 5")
            oracle.kill()
            os.waitid(os.P_PID, oracle.pid, os.WEXITED | (0 if reaped else os.WNOWAIT))
            tracer.proc.send_signal(signal.SIGCONT)
            final = tracer.end()[oracle.pid]
    want = Expected(before, after).sites
    assert by_caller(final, of=want) == want
    assert_no_losses(final)
    unnamed = sum(s["acquired"] for s in final["sites"] if any(f["type"] == "java" and f["symbol"].startswith("[")
                                                               for f in s["stack"]))
    assert final["stacks"]["reasons"]["java_unnamed"] == unnamed > 0


def test_target_killed_at_full_speed(oracle):
    oracle.do(*WARM_UP)
    oracle.do("spin 4")
    with Tracer(pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        tracer.wait_report(lambda r: r["calls"]["NewGlobalRef"] > 1000)
        oracle.kill()
        final = tracer.end()[oracle.pid]
    assert final["end_reason"] == "exited" and final["calls"]["NewGlobalRef"] > 1000


def test_same_pid_is_not_the_same_process():
    """A new JVM that was given the dead target's pid is not the target."""
    with Oracle(jdk("17")) as stays, Oracle(jdk("17")) as goes:
        stays.do(*WARM_UP)
        before = goes.do(*WARM_UP)
        with Tracer(pids=[stays.pid, goes.pid]) as tracer:
            tracer.wait_tracing()
            after = goes.do("run 1 0 7 0 5")
            tracer.wait_looks()
            goes.kill()
            goes.proc.wait()
            with Oracle(jdk("17"), prefix=(sys.executable, AT_PID, str(goes.pid)), prefix_forks=True) as again:
                assert again.pid == goes.pid
                again.do("run 1 1009 1009 1009 1009")
                tracer.wait_looks()
                finals = tracer.stop()
                os.kill(again.pid, signal.SIGKILL)
    assert finals[goes.pid]["end_reason"] == "exited"
    want = Expected(before, after).sites
    assert by_caller(finals[goes.pid], of=want) == want
    assert finals[stays.pid]["calls"]["NewGlobalRef"] == 0


@pytest.mark.asan
@pytest.mark.parametrize("change", ["none", "deleted", "replaced"])
def test_library_changed_on_disk(tmp_path, change):
    """What counts is the file that is mapped, not what its path says now; and paths may have spaces."""
    on = copy_jdk17(tmp_path / "a jdk (deleted)" / "17")
    with Oracle(on) as oracle:
        before = oracle.do(*WARM_UP)
        library = Path(on.libjvm)
        if change != "none":
            library.unlink()
        if change == "replaced":
            shutil.copy(jdk("17-stripped").libjvm, library)
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do("run 2 1009 7 503 5")
            final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)
    assert final["target"]["library"] == str(library)
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.asan
def test_several_targets_of_different_builds():
    with Oracle(jdk("17")) as a, Oracle(jdk("sid-25")) as b, Oracle(jdk("sid-8")) as c, Oracle(jdk("17")) as d:
        oracles = (a, b, c, d)
        before = [o.do(*WARM_UP) for o in oracles]
        with Tracer(pids=[o.pid for o in oracles]) as tracer:
            tracer.wait_tracing()
            after = [o.do(f"run {2 + i} 1009 {7 + i} 503 {5 + i}") for i, o in enumerate(oracles)]
            calls = Expected(before[2], after[2]).calls
            tracer.wait_report(lambda r: r["target"]["pid"] == c.pid and r["calls"].items() >= calls.items())
            c.quit()
            finals = tracer.stop()
    for i, o in enumerate(oracles):
        if o is c:
            want = Expected(before[i], after[i]).sites
            assert by_caller(finals[o.pid], of=want) == want
        else:
            assert_exact(finals[o.pid], before[i], after[i])
    assert len({r["target"]["build_id"] for r in finals.values()}) == 3


@pytest.mark.parametrize("kind", ["17", "sid-8"])  # USDT; return probes
def test_targets_of_one_library_are_kept_apart(kind):
    """Probes are on a file: what other processes do with it must not be counted."""
    with Oracle(jdk(kind)) as a, Oracle(jdk(kind)) as b, Oracle(jdk(kind)) as not_traced:
        not_traced.do(*WARM_UP, "spin 2")
        before = [o.do(*WARM_UP) for o in (a, b)]
        with Tracer(pids=[a.pid, b.pid]) as tracer:
            tracer.wait_tracing()
            a.do("spin 2")
            b.do("spin 2")
            after = [o.do("stop", "run 4 1009 7 503 5") for o in (a, b)]
            finals = tracer.stop()
    for o, earlier, later in zip((a, b), before, after):
        assert_exact(finals[o.pid], earlier, later)


def test_all_with_those_that_start_later():
    with Oracle(jdk("17")) as early:
        before = early.do(*WARM_UP)
        with Tracer("-a", "--allow-loss") as tracer:  # other JVMs of this machine are none of ours
            tracer.wait_tracing()
            after = early.do("run 2 1009 7 503 5")
            with Oracle(jdk("sid-25")) as late:
                tracer.wait_report(lambda r: r["target"]["pid"] == late.pid)
                late_before = late.now
                late_after = late.do("run 2 1013 11 509 3")
                tracer.wait_looks()
                late.quit()
                finals = tracer.stop()
    assert_exact(finals[early.pid], before, after)
    want = Expected(late_before, late_after).sites
    assert by_caller(finals[late.pid], of=want) == want
    assert finals[late.pid]["end_reason"] == "exited"


@pytest.mark.parametrize("delay", ["0", "1"])
def test_jvm_that_is_still_starting(delay):
    """The process is there, its VM is not yet."""
    on = jdk("17")
    with Oracle(on, wait=False, prefix=["sh", "-c", f'sleep {delay}; exec "$@"', "sh"]) as oracle:
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            oracle.wait_ready()
            before = oracle.now
            after = oracle.do("run 2 1009 7 503 5")
            final = tracer.stop()[oracle.pid]
    want = Expected(before, after).sites
    assert by_caller(final, of=want) == want


def test_ends_after_duration_and_after_count(oracle):
    for args, most in ((["-d", "1.5"], 3), (["-n", "3"], 3)):
        started = time.monotonic()
        with Tracer(*args, pids=[oracle.pid]) as tracer:
            tracer.end()
            reports = tracer.reports()
        assert 1.4 < time.monotonic() - started < SLOW / 2
        # an interval that is over late is not made up for
        assert reports[-1]["final"] and not any(r["final"] for r in reports[:-1]) and 1 <= len(reports) - 1 <= most


@pytest.mark.asan
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_with_a_report(oracle, sig):
    with Tracer(pids=[oracle.pid], interval="60") as tracer:
        tracer.wait_tracing()
        oracle.do("run 1 3 1 0 0")
        assert tracer.stop(sig=sig)[oracle.pid]["families"]["global"]["outstanding"] == 1


@pytest.mark.asan
def test_output_file_and_tables(oracle, tmp_path):
    oracle.do(*WARM_UP)
    oracle.do("spin 1")
    file = tmp_path / "out.json"
    result = run_tool("-p", oracle.pid, "-n", 2, "-i", 0.5, "--json", "-o", file)
    assert result.returncode == 0 and result.stdout == ""
    assert [json.loads(line)["final"] for line in file.read_text().splitlines()][-1] is True
    result = run_tool("-p", oracle.pid, "-n", 2, "-i", 0.5, "-b", "--width", 80)
    assert result.returncode == 0 and "churn_global" in result.stdout and "churn_weak" in result.stdout
    assert "\033" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stderr.count("\n") == 1, result.stderr
    oracle.do("stop")


def test_reader_that_goes_away(oracle):
    """jnitrace ... | head -1"""
    oracle.do(*WARM_UP)
    tool = subprocess.Popen([str(JNITRACE), "-p", str(oracle.pid), "--json", "-i", "0.2"], env=ENV, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    tool.stdout.readline()
    tool.stdout.close()
    assert tool.wait(SLOW) in (0, 1, -signal.SIGPIPE)
    tool.stderr.close()
    assert oracle.do("run 1 1 1 1 1")


def test_time_to_trace_and_to_detach(oracle, capsys):
    """Printed; the bound is loose, as machines differ."""
    oracle.do(*WARM_UP)
    to_trace, to_end = [], []
    for _ in range(5):
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            to_trace.append(tracer.tracing_after_s)
            started = time.monotonic()
            tracer.stop()
            to_end.append(time.monotonic() - started)
    with capsys.disabled():
        print(f"\nstart to tracing: {min(to_trace) * 1000:.0f} ms; signal to end: {min(to_end) * 1000:.0f} ms (best of 5)", end="")
    assert min(to_trace) < 2 and min(to_end) < 2


def test_demo():
    result = subprocess.run([str(BUILD.parent / "scripts/demo"), str(BUILD)], capture_output=True, text=True, env=ENV,
                            timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_nobody_waits_for_the_removal_of_perf_events(oracle):
    """The kernel takes its time for each of them: the last report is written before."""
    before = oracle.do(*WARM_UP)
    with Tracer("-e", "global,weak,local", "--attach", "perf", pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do(*WORK)
        tracer.proc.send_signal(signal.SIGINT)
        final = tracer.wait_report(lambda report: report["final"])
        assert tracer.proc.poll() is None, "it still removes them"
        assert tracer.end()[oracle.pid] == final
    final["sites"] = [site for site in final["sites"] if site["family"] in ("global", "weak")]  # the oracle's
    assert_exact(final, before, after)
