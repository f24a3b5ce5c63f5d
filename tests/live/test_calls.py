# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Native code called in every way there is: the Java frames above it are those that Java itself said, also where the stack is a remembered one."""

import collections

import pytest

from harness import Tracer, assert_no_losses, jdk
from test_java_stacks import Frames, assert_complete, difference, java_frames


class Calls(Frames):
    main, library = "Calls", "libcalls.so"


class Foreign(Frames):
    library = "libcalls.so"

    def __init__(self, on, *jvm_args):
        self.main = str(on.fixtures() / "Foreign.java")
        super().__init__(on, *jvm_args)


def noted(final):
    """{Java frames: how often}, of the references made where Java had said its stack."""
    stacks = collections.Counter()
    for site in final["sites"]:
        if java_frames(site):
            stacks[java_frames(site)] += site["acquired"]
    return stacks


def exact(target, command, *args):
    """The final report, whose stacks are those of the truth."""
    with target:
        with Tracer("-vv", *args, pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do(command)
            final = tracer.stop()[target.pid]
    got = noted(final)
    assert got == want, difference(want, got, final)
    assert_no_losses(final)
    return final


COUNTERS = "-XX:+UsePerfData"  # without these a VM that has no symbols is not walked
MODES = {"Xint": ("check", "-Xint"), "on": ("on",), "off": ("off",), "check": ("check",), "C1": ("check", "-XX:TieredStopAtLevel=1"),
         "Xcheck": ("check", "-Xcheck:jni"), "fp": ("check", "-XX:+PreserveFramePointer")}


@pytest.mark.parametrize("kind, mode", [*((k, m) for k in ("17", "sid-25") for m in MODES), ("17-stripped", "on"), ("sid-8", "on")])
def test_java_frames_are_right_however_native_code_was_called(kind, mode):
    memo, *jvm_args = MODES[mode]
    exact(Calls(jdk(kind), COUNTERS, *jvm_args), "run 200", "--memo", memo)


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_java_frames_are_right_where_the_vm_called_an_agent(kind):
    on = jdk(kind)
    exact(Calls(on, f"-agentpath:{on.fixtures()}/libcalls.so"), "agent 200", "--memo", "check")


@pytest.mark.parametrize("command", ["down 3000", "up 3000"])  # often enough to be compiled
def test_java_frames_are_right_without_jni(command):
    final = exact(Foreign(jdk("sid-25"), "--enable-native-access=ALL-UNNAMED"), command, "--memo", "check")
    assert_complete(final)
