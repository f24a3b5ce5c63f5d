# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Windows that are open at one moment have one tracer: each counts for itself, and what becomes of one is nothing to the others."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from harness import WARM_UP, Expected, Oracle, code_is_unchanged, jdk, probes_of, wait_until
from test_agent import OURS, Ordering, counted_in_a_window, state_of, window_of


def tracers_of(agent):
    """Their pids."""
    found = []
    for pid in Path(f"/proc/{agent.proc.pid}/task/{agent.proc.pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):
            if b"\0windows\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def opened(agent, *oracles):
    for oracle in oracles:
        assert agent.order(oracle.pid, 3600) == 202
    wait_until(lambda: all(state_of(agent, oracle.pid) == "open" for oracle in oracles))


def ended(agent, oracle, before, after, earlier=None):
    """Exactly what the JVM did between two of its answers is in its window; in its totals what earlier ones have counted, too."""
    assert agent.order(oracle.pid, 0) == 202
    wait_until(lambda: state_of(agent, oracle.pid) != "open")
    assert state_of(agent, oracle.pid) == "done", window_of(agent, oracle.pid)
    want, samples = Expected(before, after), agent.samples(oracle.pid)
    for family, counts in want.families.items():
        for what in ("acquired", "released"):
            assert samples[f"jnitrace_{what}_total", family] == counts[what] + (earlier.families[family][what] if earlier else 0)
        assert samples["jnitrace_references", family] == counts["outstanding"]
    return want


@pytest.mark.asan
def test_windows_share_a_tracer(tmp_path):
    with Ordering(tmp_path, "--windows", "2") as agent, Oracle(jdk("17"), OURS) as one, Oracle(jdk("sid-25"), OURS) as other:
        for oracle in (one, other):
            oracle.do(*WARM_UP)
        probes = {oracle: probes_of(oracle.pid) for oracle in (one, other)}
        agent.next_round()
        opened(agent, one, other)
        [tracer] = tracers_of(agent)
        began = one.now, other.now
        first = ended(agent, one, began[0], one.do("run 2 1009 7 503 5"))
        other.do("run 2 503 3 101 2")
        wait_until(lambda: code_is_unchanged(one.pid, one.jdk.libjvm, probes[one]))
        opened(agent, one)  # once more, and what it held before is not of this one
        assert tracers_of(agent) == [tracer]
        ended(agent, one, one.now, one.do("run 1 101 5 7 3"), first)
        ended(agent, other, began[1], other.do("run 3 101 1 7 1"))
        wait_until(lambda: not tracers_of(agent))
        for oracle in (one, other):
            wait_until(lambda of=oracle: code_is_unchanged(of.pid, of.jdk.libjvm, probes[of]))
        assert agent.samples()["jnitrace_agent_windows_failed_total", None] == 0


def test_a_jvm_that_ends_takes_no_other_window_along(tmp_path):
    with Ordering(tmp_path, "--windows", "2") as agent, Oracle(jdk("17"), OURS) as stays:
        stays.do(*WARM_UP)
        with Oracle(jdk("17"), OURS) as ends:
            agent.next_round()
            opened(agent, stays, ends)
            before = stays.now
            ends.do("run 1 101 1 7 1")
        wait_until(lambda: not agent.samples(ends.pid))
        ended(agent, stays, before, stays.do("run 2 1009 7 503 5"))
        assert agent.samples()["jnitrace_agent_windows_failed_total", None] == 0


@pytest.mark.asan
def test_a_tracer_that_dies_is_windows_that_failed(tmp_path):
    """One of their JVMs may be why: the next time each has a tracer of its own. One that waited has a new one."""
    with Ordering(tmp_path, "--windows", "2") as agent, Oracle(jdk("17"), OURS) as one, Oracle(jdk("17"), OURS) as other, \
            Oracle(jdk("17"), OURS) as waits:
        agent.next_round()
        opened(agent, one, other)
        [tracer] = tracers_of(agent)
        assert agent.order(waits.pid, 3600) == 202
        wait_until(lambda: state_of(agent, waits.pid) == "waits")
        os.kill(tracer, signal.SIGKILL)
        wait_until(lambda: state_of(agent, waits.pid) != "waits")
        wait_until(lambda: state_of(agent, waits.pid) == "open")
        ended(agent, waits, waits.now, waits.do("run 1 101 1 7 1"))
        wait_until(lambda: state_of(agent, one.pid) == state_of(agent, other.pid) == "failed")
        assert all("signal 9" in window_of(agent, oracle.pid)["failed"] for oracle in (one, other))
        assert agent.samples()["jnitrace_agent_windows_failed_total", None] == 2
        opened(agent, one, other)
        assert len(tracers_of(agent)) == 2
        before = one.now, other.now
        for oracle, began in zip((one, other), before):
            ended(agent, oracle, began, oracle.do("run 1 101 1 7 1"))
        opened(agent, one, other)
        assert len(tracers_of(agent)) == 1


def test_what_is_set_anew_is_of_the_next_tracer(tmp_path):
    """A window that is open keeps what it began with."""
    (tmp_path / "agent.yaml").write_text("max-refs: 1009\nwindows: 2\n")
    with Ordering(tmp_path, "--config", tmp_path / "agent.yaml") as agent, Oracle(jdk("17"), OURS) as one, Oracle(jdk("17"), OURS) as other:
        agent.next_round()
        opened(agent, one)
        (tmp_path / "agent.yaml").write_text("max-refs: 2003\nwindows: 2\n")
        agent.proc.send_signal(signal.SIGHUP)
        wait_until(lambda: "max-refs" in agent.proc.stderr.readline().decode())
        opened(agent, other)
        assert {Path(f"/proc/{pid}/cmdline").read_bytes().split(b"--max-refs\0")[1].split(b"\0")[0] for pid in tracers_of(agent)} == {b"1009", b"2003"}
        for oracle in (one, other):
            assert agent.order(oracle.pid, 0) == 202
        wait_until(lambda: state_of(agent, one.pid) == state_of(agent, other.pid) == "done")
        counted_in_a_window(agent, one)


def test_a_storm_is_left_alone_and_the_rest_goes_on(tmp_path):
    with Ordering(tmp_path, "--windows", "2", "--budget", "1%") as agent, Oracle(jdk("17"), OURS) as quiet, Oracle(jdk("17"), OURS) as storms:
        for oracle in (quiet, storms):
            oracle.do(*WARM_UP)
        probes = probes_of(storms.pid)
        agent.next_round()
        opened(agent, quiet)
        before = quiet.now
        quiet.do("run 1 101 1 7 1")
        storms.do("spin 2")
        assert agent.order(storms.pid, 3600) == 202
        wait_until(lambda: state_of(agent, storms.pid) == "done")
        assert window_of(agent, storms.pid)["end_reason"] == "over-budget"
        wait_until(lambda: code_is_unchanged(storms.pid, storms.jdk.libjvm, probes))
        storms.do("stop")
        ended(agent, quiet, before, quiet.do("run 1 101 1 7 1"))
