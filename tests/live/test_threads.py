# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Monitors and attached threads: exact balances, and a finding for each way to get them wrong."""

import pytest

import harness
from harness import NativeLoop, Tracer, assert_no_losses, jdk

KINDS = ["17", "17-stripped", "sid-25"]
WARM_UP = ("pairs 2", "apart 2", "stay 2", "letgo", "churn 2 2", "javas 1", "toooften 1")


class Threads(NativeLoop):
    """The program that enters monitors and attaches threads in known numbers, and says in which."""
    main, library, warm_up = "Threads", "libthreads.so", WARM_UP


def site_sums(report):
    """{the function that called: [acquired, released, outstanding]}"""
    sums = {}
    for site in report["sites"]:
        name = next(f["symbol"] for f in site["stack"] if f["type"] == "native")
        for i, key in enumerate(("acquired", "released", "outstanding")):
            sums.setdefault(name, [0, 0, 0])[i] += site[key]
    return sums


def assert_family(report, family, acquired, released, untracked=0):
    f = report["families"][family]
    assert (f["acquired"], f["released"], f["outstanding"], f["released_untracked"]) == \
        (acquired, released, acquired - released, untracked), f


@pytest.mark.parametrize("kind", KINDS)
def test_clean(kind):
    with Threads(jdk(kind)) as target:
        target.do("stay 3", "hold 2")
        with Tracer("-e", "monitor,thread", pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            # What was entered and attached before is exited and detached now.
            target.do("unhold 2", "letgo")
            target.do("pairs 101", "crossed 5", "moved 3", "apart 107", "hold 2", "churn 8 13", "javas 17", "stay 5")
            final = tracer.stop()[target.pid]
    assert_no_losses(final)
    assert final["findings"] == []
    assert_family(final, "monitor", 2 * 109 + 107 + 2, 2 * 101 + 8 + 107, 2)
    assert_family(final, "thread", 8 * 13 + 5, 8 * 13, 3)
    # By site, also where they were not exited in the order they were entered.
    assert site_sums(final) == {"enter_a": [109 + 107 + 2, 109 + 107, 2], "enter_b": [109, 101, 8],
                                "attach": [8 * 13 + 5, 8 * 13, 5]}
    calls = final["calls"]
    assert calls["MonitorEnter"] == 2 * 109 + 107 + 2 and calls["MonitorExit"] == 2 * 101 + 8 + 107 + 2
    assert calls["AttachCurrentThread"] == 8 * 7 + 8 * 13 + 17 and calls["AttachCurrentThreadAsDaemon"] == 8 * 6 + 5
    assert calls["DetachCurrentThread"] == 2 * 8 * 13 + 17 + 3


@pytest.mark.parametrize("kind", KINDS)
def test_faults(kind):
    with Threads(jdk(kind)) as target, Tracer("-e", "monitor,thread", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("toooften 7", "endheld 3", "detachheld 5", "forget 11", "foreign 13")
        target.wait_ended()
        final = tracer.stop()[target.pid]
    assert_no_losses(final)
    assert_family(final, "thread", 5 + 11 + 13, 5 + 13)
    f = final["families"]["monitor"]
    assert (f["acquired"], f["released"], f["outstanding"]) == (8, 0, 3)  # detaching gives the others back
    found = {}
    for f in final["findings"]:
        name = next((x["symbol"] for x in f["stack"] or () if x["type"] == "native"), None)
        by = next((x["symbol"] for x in f["acquire_stack"] or () if x["type"] == "native"), None)
        found[f["kind"], name, by] = f["count"]
    assert found == {("monitor-imbalance", "leave_too_often", None): 7, ("monitor-held-at-end", None, "enter_a"): 3,
                     ("monitor-held-at-end", "detach", "enter_b"): 5, ("attached-at-end", None, "attach"): 11,
                     ("foreign-detach", "other_detach", "attach"): 13}


def test_more_monitors_than_are_followed():
    """16 of a thread are; the others are counted, and said not to be."""
    with Threads(jdk("17")) as target, Tracer("-e", "monitor", "--allow-loss", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("endheldoften 16", "endheldoften 19")
        target.wait_ended()
        final = tracer.stop()[target.pid]
    assert {f["kind"]: f["count"] for f in final["findings"]} == {"monitor-held-at-end": 16 + 16}
    assert {d: n for d, n in final["drops"].items() if n} == {"monitors_deep": 3}
    assert final["calls"]["MonitorEnter"] == final["families"]["monitor"]["acquired"] == 16 + 19


def test_more_calls_than_there_is_room_for(monkeypatch):
    """Each call whose argument is lost is counted, and not as one of the pins."""
    monkeypatch.setattr(harness, "JNITRACE", harness.TOOL_BUILD / "mutants/few-calls/jnitrace")
    with Threads(jdk("17")) as target, Tracer("-e", "monitor,thread", "--allow-loss", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("crowd 17")
        final = tracer.stop()[target.pid]
    monitor, lost = final["families"]["monitor"], final["drops"]["calls_full"]
    assert lost >= 1 and final["drops"]["pin_calls_full"] == 0, final["drops"]
    assert monitor["acquired"] + monitor["released"] + lost == 2 * (17 + 1), (monitor, lost)
    assert final["calls"]["MonitorEnter"] == final["calls"]["MonitorExit"] == 17 + 1
    assert_family(final, "thread", 17, 17)


@pytest.mark.parametrize("end", ["killed", "at its end"])
def test_a_thread_that_ends_with_its_process_is_no_finding(end):
    with Threads(jdk("17")) as target, Tracer("-e", "monitor,thread", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("stay 5", *(["hold 3"] if end == "killed" else []))  # at its end the main thread would detach itself before
        tracer.wait_report(lambda r: r["families"]["thread"]["acquired"] == 5)
        if end == "killed":
            target.kill()
        else:
            target.proc.stdin.close()
        [final] = tracer.end().values()
    assert final["end_reason"] == "exited" and final["findings"] == []
    # DestroyJavaVM attaches the thread that calls it.
    assert final["families"]["thread"]["outstanding"] == (5 if end == "killed" else 6)
    assert final["families"]["monitor"]["outstanding"] == (3 if end == "killed" else 0)
