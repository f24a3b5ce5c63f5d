# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Monitors and attached threads: exact balances, and a finding for each way to get them wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import NativeLoop, Tracer, assert_no_losses, jdk, other_jdks

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


@pytest.mark.parametrize("kind", [*KINDS, "sid-8", *other_jdks()])
def test_any_number_of_monitors(kind):
    """They are told apart in whatever order they are exited, by whatever handle, and after a collection."""
    with Threads(jdk(kind)) as target, Tracer("-e", "monitor", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("deep 101", "recursive 37", "forgotten 53", "deep 31", "endheldoften 19")
        target.wait_ended()
        final = tracer.stop()[target.pid]
    assert_no_losses(final)
    assert_family(final, "monitor", 101 + 37 + 53 + 31 + 19, 101 + 37 + 31)
    # Of 37 every third, of 101 and 31 every second one is entered by enter_a.
    assert site_sums(final) == {"enter_a": [51 + 13 + 16 + 19, 51 + 13 + 16, 19], "enter_b": [50 + 24 + 53 + 15, 50 + 24 + 15, 53]}
    assert {f["kind"]: f["count"] for f in final["findings"]} == {"monitor-held-at-end": 19}


@pytest.mark.parametrize("kind", ["17", "17-stripped"])
def test_detaching_is_seen_without_its_family(kind):
    """It exits the monitors of the thread, which are not held any more."""
    with Threads(jdk(kind)) as target, Tracer("-e", "monitor", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("detachheld 5", "endheld 3")
        target.wait_ended()
        final = tracer.stop()[target.pid]
    assert_no_losses(final)
    f = final["families"]["monitor"]
    assert (f["acquired"], f["outstanding"], list(final["families"])) == (8, 3, ["monitor"])
    assert {(f["function"], f["count"]) for f in final["findings"]} == {("DetachCurrentThread", 5), (None, 3)}


def test_threads_that_attach_again_and_again():
    """A thread that attaches once is none of them."""
    with Threads(jdk("17")) as target, Tracer("-e", "thread", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("churn 8 13", "keyed 67", "churn 1 401")
        final = tracer.stop()[target.pid]
    assert_no_losses(final)
    # The second time, and each second time after that, as a daemon.
    assert {f["function"]: f["count"] for f in final["findings"]} == {"AttachCurrentThread": 8 * 6 + 200,
                                                                      "AttachCurrentThreadAsDaemon": 8 * 6 + 200}
    for f in final["findings"]:
        assert (f["kind"], f["severity"]) == ("attach-churn", "warning")
        assert f["per_s"] > 0 and f["cost_ms_per_s"] > 0
        assert [x["symbol"] for x in f["stack"]][:3] == ["attach", "churn", "run"]


def test_who_detaches_is_proven():
    """A caller that left no frame is not accused, nor is the library that called it."""
    with Threads(jdk("17")) as target, Tracer("-e", "thread", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("keyed 7", "passed 11", "borrowed 5", "foreign 3")
        target.wait_ended()
        final = tracer.stop()[target.pid]
    assert_no_losses(final)
    assert_family(final, "thread", 26, 26)
    assert [(f["kind"], f["count"]) for f in final["findings"]] == [("foreign-detach", 3)]


# A process that is no java: one thread makes the VM, attaches itself again, and ends; another was never attached, a
# third is, and ends so.
HOST = """
import ctypes, os, sys, threading, time
from ctypes import byref, c_int32, c_uint8, c_void_p
class Args(ctypes.Structure):
    _fields_ = [("version", c_int32), ("options", c_int32), ("option", c_void_p), ("ignore", c_uint8)]
vm, env = c_void_p(), c_void_p()
def call(slot, *args):
    table = ctypes.cast(vm, ctypes.POINTER(ctypes.POINTER(c_void_p)))[0]
    return ctypes.CFUNCTYPE(c_int32, c_void_p, *[c_void_p] * len(args))(table[slot])(vm, *args)
made, go = threading.Event(), threading.Event()
def make():
    assert not ctypes.CDLL(sys.argv[1]).JNI_CreateJavaVM(byref(vm), byref(env), byref(Args(0x10008, 0, None, 0)))
    made.set()
    go.wait()
    for slot in 4, 7, 4:
        assert not call(slot, byref(env), None)
def run(f, *args):
    t = threading.Thread(target=f, args=args)
    t.start()
    return t
def end(t):
    t.join()
    while os.path.exists(f"/proc/self/task/{t.native_id}"):
        time.sleep(0.01)
maker = run(make)
made.wait()
print("ready", flush=True)
sys.stdin.readline()
go.set()
end(maker)
end(run(call, 5))
end(run(call, 4, byref(env), None))
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("kind", ["17", "17-stripped"])
def test_the_thread_that_made_the_vm_is_not_attached(kind):
    with subprocess.Popen([sys.executable, "-c", HOST, jdk(kind).libjvm], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          bufsize=0, env=harness.ENV) as host:
        try:
            assert harness.read_line(host.stdout) == "ready\n"
            with Tracer("-e", "thread", pids=[host.pid]) as tracer:
                tracer.wait_tracing()
                host.stdin.write(b"\n")
                assert harness.read_line(host.stdout) == "done\n"
                final = tracer.stop()[host.pid]
        finally:
            host.kill()
    assert_no_losses(final)
    assert_family(final, "thread", 1, 0)
    assert [(f["kind"], f["count"]) for f in final["findings"]] == [("attached-at-end", 1)]
    assert final["calls"]["AttachCurrentThread"] == 3 and final["calls"]["AttachCurrentThreadAsDaemon"] == 1


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


def test_a_critical_section_from_before():
    """No probe saw it begin: who is inside, the VM itself says; what begins and ends later is not mistaken for it."""
    with Threads(jdk("17")) as target:
        target.do("critical 1")
        with Tracer("-e", "critical", "--hold", "1s", "-i", "0.5", pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            report = tracer.wait_report(lambda r: r["findings"])
            [f] = report["findings"]
            [now] = f["held_now"]
            assert (f["kind"], f["count"], f["function"], f["stack"]) == ("held-critical", 1, None, None)
            assert Path(f"/proc/{target.pid}/task/{now['tid']}/comm").read_text() == "Thread-native\n"
            assert 1000 <= now["ms"] <= report["elapsed_s"] * 1000 + 1  # both are rounded
            assert f"Thread-native (TID {now['tid']}) has been inside for" in f["text"]
            target.do("letgo")
            final = tracer.stop()[target.pid]
    [f] = final["findings"]
    assert f["kind"] == "held-critical" and f["held_now"] == [] and "was inside for" in f["text"]


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
