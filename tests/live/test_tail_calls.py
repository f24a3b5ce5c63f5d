# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A native method whose last act is a JNI call leaves no frame: the VM knows which function it was, and whose."""

import signal
import time

import jsonschema
import pytest

from harness import Oracle, Tracer, assert_no_losses, jdk, other_jdks
from test_findings import SCHEMA

CALLS = {"leak": 10007, "use": 5003, "registered": 1009, "inside": 503, "copied": 211, "itself": 101}


class Tail(Oracle):
    """The fixture of such methods. Of 10,007 calls the first are interpreted, the last compiled."""

    def main(self, fixtures):
        return "Tail", str(fixtures)


def innermost(site):
    """(module, function, tail call) of the frames before the one in Tail itself, the VM's left out, and of the Java method."""
    frames = [f for f in site["stack"] if f["type"] != "vm"]
    at = [f["symbol"] for f in frames].index("Tail.command")
    return tuple((f["module"], f["symbol"], f["tail_call"]) for f in frames[:at])


def java(method):
    return None, method, False


WANT = {
    (("libtaila.so", "Java_TailA_make", True), java("TailA.make")): 10007,
    (("libtailb.so", "Java_TailB_make", True), java("TailB.make")): 5003,
    (("libtailc.so", None, True), java("TailC.make")): 1009,  # a stripped library
    # What cannot be proven: no function begins there, no library lies there, no library's at all.
    (java("TailC.inside"),): 503,
    (java("TailC.copied"),): 211,
    (java("TailC.itself"),): 101,
}
CASES = [("17", []), ("17", ["-Xint"]), ("17", ["-Xcheck:jni"]), ("sid-25", []), ("sid-25", ["-Xcheck:jni"]), ("sid-21", []),
         ("sid-8", ["-XX:+UsePerfData"]), *((kind, []) for kind in other_jdks())]


@pytest.mark.asan
@pytest.mark.parametrize("kind, jvm_args", CASES, ids=lambda v: v if isinstance(v, str) else "+".join(v) or "plain")
def test_the_function_that_left_no_frame_is_named(kind, jvm_args):
    with Tail(jdk(kind), *jvm_args) as target:
        target.do(*(f"{name} 1" for name in CALLS))
        with Tracer(pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            target.do(*(f"{name} {n}" for name, n in CALLS.items()))
            final = tracer.stop()[target.pid]
    jsonschema.validate(final, SCHEMA)
    assert_no_losses(final)
    assert {innermost(site): site["acquired"] for site in final["sites"]} == WANT
    for site in final["sites"]:
        assert site["truncated"] is None, site
        for frame in (f for f in site["stack"] if f["tail_call"]):
            assert frame["line"] is None and frame["file"] is None and frame["build_id"], frame
            assert frame["module"] != "libtailc.so" or int(frame["offset"], 16) == target.now["where"], frame
    # "itself" is a function of the VM's own
    assert {lib["module"]: lib["sites"] for lib in final["libraries"]} == {
        "libtaila.so": 1, "libtailb.so": 1, "libtailc.so": 1, "libjvm.so": 1, None: 2}


@pytest.mark.parametrize("in_time", [True, False], ids=["named", "not-named-yet"])
@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_compiled_calls_of_a_function_that_is_replaced(kind, in_time):
    """
    RegisterNatives has the code that calls it made anew: the old code's calls keep the name they had; if they had
    none yet they get none, above all not the new one. All is compiled, the way into a native method at once.
    """
    with Tail(jdk(kind), "-Xcomp", "-XX:CompileCommand=quiet", "-XX:CompileCommand=compileonly,Tail*::*") as target:
        target.do("use 2", "registered 2")
        with Tracer(pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            if not in_time:
                tracer.proc.send_signal(signal.SIGSTOP)
            target.do("leak 1009")
            if in_time:
                tracer.wait_report(lambda r: r["sites"])
            target.do("take-over 1", "leak 503")
            tracer.proc.send_signal(signal.SIGCONT)
            final = tracer.stop()[target.pid]
    assert_no_losses(final)
    assert {innermost(site): site["acquired"] for site in final["sites"]} == {
        (*[("libtaila.so", "Java_TailA_make", True)] * in_time, java("TailA.make")): 1009,
        (("libtailc.so", None, True), java("TailA.make")): 503,
    }


@pytest.mark.waits
def test_the_leaking_library_is_called_so_and_not_the_clean_one():
    with Tail(jdk("17")) as old, Tail(jdk("sid-25")) as new:
        targets = old, new
        with Tracer(pids=[t.pid for t in targets], interval="1") as tracer:
            tracer.wait_tracing()
            start = time.monotonic()
            for second in range(1, 60):
                for target in targets:
                    target.do("leak 3", "use 101")
                time.sleep(max(0, start + second - time.monotonic()))
            finals = tracer.stop()
    for target in targets:
        final = finals[target.pid]
        assert {lib["module"]: lib["verdict"] for lib in final["libraries"]} == {"libtaila.so": "growing", "libtailb.so": "clean"}
        [finding] = final["findings"]
        assert finding["kind"] == "leak" and innermost(finding)[0] == ("libtaila.so", "Java_TailA_make", True)
