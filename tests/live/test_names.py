# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a call site, a library, a class and a pointer are called after: never after what only hands a call on."""

import contextlib
import csv
import io
import json
import re
import signal
from pathlib import Path

import jsonschema
import pytest

from harness import Oracle, Tracer, assert_no_losses, jdk
from test_findings import SCHEMA


class Wrapped(Oracle):
    """Three libraries in C++ with debug information, which call JNI by the methods of jni.h."""

    def main(self, fixtures):
        return "Wrapped", str(fixtures)


def seen_as(target, formats, *commands, args=("--check",)):
    """What a tracer for each of these formats prints at its end, all of the same calls."""
    with contextlib.ExitStack() as stack:
        tracers = [stack.enter_context(Tracer("--format", form, *args, pids=[target.pid], json_out=False, interval="60"))
                   for form in formats]
        for tracer in tracers:
            tracer.wait_tracing()
        target.do(*commands)
        for tracer in tracers:
            tracer.proc.send_signal(signal.SIGINT)
            assert tracer._collect() == 0, tracer.stderr
        return [Path(tracer.out.name).read_text() for tracer in tracers]


WRAPPED = ("whole 7", "inlined 11", "own 13", "whole-twice 3", "inlined-twice 5")


def test_a_site_is_named_after_the_caller_of_the_wrapper():
    with Wrapped(jdk("17")) as target:
        target.do(*(f"{c.split()[0]} 1" for c in WRAPPED[:3]))
        final, table, rows = seen_as(target, ("json", "table", "csv"), *WRAPPED)
    final = json.loads(final.splitlines()[-1])
    rows = list(csv.DictReader(io.StringIO(rows)))
    jsonschema.validate(final, SCHEMA)
    # the wrapper stays in the stack, where it was inlined and where it was not
    stacks = {s["acquired"]: [(f["symbol"], f["inlined"], f["module"]) for f in s["stack"]] for s in final["sites"]}
    assert stacks[7][:2] == [("JNIEnv_::NewGlobalRef", False, "libwrappedwhole.so"), ("Java_Wrapped_00024Whole_keep", False, "libwrappedwhole.so")]
    assert stacks[11][:2] == [("JNIEnv_::NewGlobalRef", True, "libwrappedinlined.so"),
                              ("Java_Wrapped_00024Inlined_keep", False, "libwrappedinlined.so")]
    assert {r["site"]: int(r["acquired"]) for r in rows if int(r["outstanding"])} == {
        "Java_Wrapped_00024Whole_keep": 7, "Java_Wrapped_00024Inlined_keep": 11, "jni::make": 13}
    assert all(r["location"].startswith("wrapped.cpp:") for r in rows if r["module"].startswith("libwrapped")), rows
    words = " ".join(table.split())
    assert sorted(re.findall(r"double-delete, .*? at (\S+)", words)) == [
        "Java_Wrapped_00024Inlined_twice", "Java_Wrapped_00024Whole_twice"], table
    assert "JNIEnv_::NewGlobalRef jni.h" in table, table
    sites = table[table.index("SITE"):table.index("error:")].splitlines()
    assert not any("JNIEnv_::" in line for line in sites if not line.startswith(" " * 4)), table
