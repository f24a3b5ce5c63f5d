# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""--all: one set of probes serves all JVMs of a library, and each is told apart by its process."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import WARM_UP, Expected, Jdk, Oracle, Tracer, assert_exact, host_jdk17, jdk

TRACE_ALL = ["-a", "--allow-loss", "-e", "global,weak"]  # other JVMs of this machine are none of ours


def wait_named(tracer, before, after):
    """After a signal there is little time for names: where others have the CPUs, or there are many other JVMs, it is not enough."""
    for pid, later in after.items():
        calls = Expected(before[pid], later).calls["NewGlobalRef"]
        tracer.wait_report(lambda r, pid=pid, calls=calls: r["target"]["pid"] == pid and (r["final"] or (
            r["calls"]["NewGlobalRef"] >= calls and not r["sites_pending"])))


def test_each_jvm_of_one_library_exactly():
    """Some come and go while another is busy; what it does then counts as well."""
    on = jdk("17")
    with Oracle(on) as busy, Oracle(on) as leaving, Oracle(on) as third:
        before = {o.pid: o.do(*WARM_UP) for o in (busy, leaving, third)}
        with Tracer(*TRACE_ALL, interval="0.2") as tracer:
            tracer.wait_tracing()
            busy.do("spin 2")
            after = {leaving.pid: leaving.do("run 2 1009 7 503 5")}
            tracer.wait_report(lambda r: r["target"]["pid"] == leaving.pid and r["calls"]["NewGlobalRef"] == 2 * (1009 + 7))
            leaving.quit()
            tracer.wait_report(lambda r: r["target"]["pid"] == leaving.pid and r["final"])
            with Oracle(on) as late:
                before[late.pid] = late.now
                tracer.wait_report(lambda r: r["target"]["pid"] == late.pid)
                after[late.pid] = late.do("run 3 1013 11 509 3")
                after[third.pid] = third.do("run 4 1019 13 521 2")
                after[busy.pid] = busy.do("stop", "run 1 10007 3 0 0")
                wait_named(tracer, before, after)
                finals = tracer.stop()
    for pid in after:
        if pid != late.pid:  # that one was attached to while it started
            assert_exact(finals[pid], before[pid], after[pid])
    # what was made while it started does not count: the work does
    made = {s["stack"][0]["symbol"]: s["acquired"] for s in finals[late.pid]["sites"] if s["stack"]}
    assert made.get("leak_global") == 33 and made.get("churn_global") == 3 * 1013, made


@pytest.fixture
def overlays():
    """The JDK as two containers of one image see it: files of their own over the same ones."""
    with tempfile.TemporaryDirectory() as top:
        # the upper folder cannot be on an overlay
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top], check=True)
        mounts = []
        try:
            for name in ("a", "b"):
                folders = [Path(top) / name / part for part in ("upper", "work", "jdk")]
                for folder in folders:
                    folder.mkdir(parents=True)
                upper, work, merged = folders
                subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                                f"lowerdir={host_jdk17()},upperdir={upper},workdir={work}", merged], check=True)
                mounts.append(merged)
            yield [Jdk(merged) for merged in mounts]
        finally:
            for merged in mounts:
                subprocess.run(["umount", "--lazy", merged], check=False)
            subprocess.run(["umount", "--lazy", top], check=False)


def test_files_that_are_one_to_the_kernel_count_once(overlays):
    with Oracle(overlays[0]) as a, Oracle(overlays[1]) as b:
        before = [o.do(*WARM_UP) for o in (a, b)]
        with Tracer(*TRACE_ALL) as tracer:
            tracer.wait_tracing()
            after = [a.do("run 2 1009 7 503 5"), b.do("run 2 1013 11 509 3")]
            wait_named(tracer, {o.pid: was for o, was in zip((a, b), before)}, {o.pid: now for o, now in zip((a, b), after)})
            finals = tracer.stop()
    for o, earlier, later in zip((a, b), before, after):
        assert_exact(finals[o.pid], earlier, later)
