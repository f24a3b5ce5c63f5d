# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Much of what processes do seldom: deep recursion, many threads, libraries, call sites and references, code that comes and goes,
children. Every number is exact, what is missing is named, the target runs on, and the tool stays within its bounds.

`make storms` (JNITRACE_STORMS=1) runs the same with the second number of each size.
"""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from harness import (FIXTURES, WARM_UP, Expected, Oracle, Tracer, assert_exact, assert_no_losses, by_caller, jdk, lacking, wait_until)

FULL = "JNITRACE_STORMS" in os.environ


def size(usual, full):
    return full if FULL else usual


class Churn(Oracle):
    """The program that does all this."""

    def main(self, fixtures):
        return "Churn", str(fixtures / "libchurn.so")


def resident_mb(pid):
    return int(re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)[1]) / 1024


@pytest.fixture(name="churn", scope="module")
def _churn():
    with Churn(jdk("17"), "-Xss1m") as churn:
        yield churn


@pytest.fixture(name="libraries", scope="module")
def _libraries(tmp_path_factory):
    """Makes so many copies of the library, and returns their folder."""
    folder = tmp_path_factory.mktemp("libraries")

    def make(first, n):
        for i in range(first, first + n):
            shutil.copy(FIXTURES / "libleaf.so", folder / f"libleaf{i}.so")
        return folder
    return make


def assert_well(churn, after):
    """The references were to the right objects, the children ended well, and it still runs."""
    assert after["wrong"] == 0 and churn.alive()


def test_recursion(churn):
    """Frames of C, and of Java: all calls are counted, and a stack that was cut says so."""
    before = churn.do("deep 3 1", "down 3")
    with Tracer(pids=[churn.pid]) as tracer:
        tracer.wait_tracing()
        after = churn.do("deep 4099 101", "down 4099")
        final = tracer.stop()[churn.pid]
    assert_exact(final, before, after)
    assert_well(churn, after)
    assert lacking(final) == {"depth_limit": 102}


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_recursion_through_java_and_c(kind):
    """A reference is held at each of the levels."""
    with Oracle(jdk(kind), "-Xss64m") as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do("nest 4096 3 1")
            final = tracer.stop()[oracle.pid]
        assert oracle.do("run 1 2 1 2 1")
    assert_exact(final, before, after)
    assert set(lacking(final)) == {"depth_limit"}


def test_thread_without_java_while_a_library_closes(churn, libraries):
    """Nothing of its stack can be known; that is a site all the same, which says why."""
    folder = libraries(0, 1)
    churn.do("threads 2 2", f"close {folder} 0 1")
    with Tracer(pids=[churn.pid]) as tracer:
        before = tracer.wait_tracing() and churn.do("totals")
        tracer.proc.send_signal(signal.SIGSTOP)
        after = churn.do(f"close {folder} 0 1", "threads 7 7")
        tracer.proc.send_signal(signal.SIGCONT)
        final = tracer.stop()[churn.pid]
    assert_no_losses(final)
    sums = by_caller(final)
    assert sums.pop("?") == ("NewGlobalRef", 21, 14)
    assert sums == {"leaf_global": ("NewGlobalRef", 1, 0)}
    assert sum(n for reason, n in lacking(final).items() if reason == "library_closed") >= 21
    [site] = [s for s in final["sites"] if not s["stack"]]
    assert site["truncated"] == "libraries were being unloaded"
    assert_well(churn, after)
    assert Expected(before, after).calls["NewGlobalRef"] == 22
