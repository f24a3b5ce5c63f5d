# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a call site, a library, a class and a pointer are called after: never after what only hands a call on."""

import contextlib
import csv
import io
import json
import re
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest

from harness import ENV, JNITRACE, Oracle, Tracer, jdk
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


class Plugins(Oracle):
    """Global references to classes and objects, also of many loaders."""

    def main(self, fixtures):
        return "Census", str(fixtures / "libcensus.so")


LOADER = "Census$Loader"


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_a_class_that_leaks_is_called_by_name_and_loaders(kind):
    with Plugins(jdk(kind)) as target:
        target.do("hold otherclass 2 2", "hold inner 2 1")
        json_text, table, rows = seen_as(target, ("json", "table", "csv"), "hold otherclass 63 63", "hold class 60 60",
                                         "hold inner 5 5", "weak otherclass 1 1", args=("-g", "class"))
        census = subprocess.run([JNITRACE, "census", "--classes", "-p", str(target.pid)], env=ENV, capture_output=True, text=True,
                                check=True).stdout
    final = json.loads(json_text.splitlines()[-1])
    jsonschema.validate(final, SCHEMA)
    sites = [s for s in final["sites"] if s["stack"][0]["module"] == "libcensus.so"]
    classes = {s["function"]: {c["name"]: c for c in s["classes"]} for s in sites}
    assert classes["NewGlobalRef"]["Census$Inner"] == {"name": "Census$Inner", "outstanding": 5, "of": None}
    mirrors = classes["NewGlobalRef"]["java.lang.Class"]
    assert mirrors["outstanding"] == 123 and mirrors["of"][0] == {
        "name": "Census$Inner", "loader": LOADER, "loader_id": None, "loaders": 63, "count": 63}
    others = {of["name"]: (of["count"], of["loaders"], of["loader"]) for of in mirrors["of"][1:]}
    app = others.pop("Census")
    assert app[:2] == (10, 1) and app[2].endswith("AppClassLoader")
    assert others.pop("Census$Inner[]")[:2] == (10, 1)
    assert others == {"java.lang.String": (10, 1, None), "byte[]": (10, 1, None), "int": (10, None, None), "void": (10, None, None)}
    [weak] = classes["NewWeakGlobalRef"]["java.lang.Class"]["of"]
    assert weak["loader"] == LOADER and weak["loader_id"] and weak["loaders"] == weak["count"] == 1

    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert any(line.startswith("63 1 NewGlobalRef java.lang.Class of Census$Inner in 63 loader") for line in lines), table
    assert "10 1 NewGlobalRef java.lang.Class of java.lang.String" in lines and "5 1 NewGlobalRef Census$Inner" in lines, table
    [row] = [r for r in csv.DictReader(io.StringIO(rows)) if r["module"] == "libcensus.so" and r["family"] == "global"]
    assert (row["class"], row["class_of"]) == ("java.lang.Class", f"Census$Inner in 63 loaders ({LOADER})")
    assert any(line.split()[:6] == ["65", "of", "Census$Inner", "in", "65", "loaders"] for line in census.splitlines()), census
