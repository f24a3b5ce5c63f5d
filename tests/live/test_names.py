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

from harness import ENV, FIXTURES, JNITRACE, Oracle, Tracer, assert_no_losses, jdk
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
            tracer.wait_looks()
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
        with Tracer("-g", "class", pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            late = tracer.wait_report(lambda r: any(of["loaders"] == 63 + 2 for b in r["before_attach"] for of in b["of"] or ()))
            tracer.stop()
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

    [past] = [b for b in late["before_attach"] if (b["family"], b["class"]) == ("global", "java.lang.Class")]
    assert past["of"][0]["name"] == "Census$Inner" and past["of"][0]["loader"] == LOADER
    assert [b["of"] for b in late["before_attach"] if b["class"] == "Census$Inner"] == [None]
    assert ("java.lang.Class", "Census$Inner", 63 + 2) in [
        (g["class"], g["of"] and g["of"].split(" in ")[0], g["outstanding"]) for g in late["groups"] if g["before_attach"]]
    jsonschema.validate(late, SCHEMA)

    shown = {(line.split()[0], line.split("NewGlobalRef", 1)[1].strip()) for line in table.splitlines() if "NewGlobalRef" in line}
    assert ("63", f"java.lang.Class of Census$Inner in 63 loaders ({LOADER})") in shown, table
    assert {("10", "java.lang.Class of java.lang.String"), ("5", "Census$Inner")} <= shown, table
    [row] = [r for r in csv.DictReader(io.StringIO(rows)) if r["module"] == "libcensus.so" and r["family"] == "global"]
    assert (row["class"], row["class_of"]) == ("java.lang.Class", f"Census$Inner in 63 loaders ({LOADER})")
    assert any(line.split()[:6] == ["65", "of", "Census$Inner", "in", "65", "loaders"] for line in census.splitlines()), census


class Closed(Oracle):
    """Loads libraries that refuse to be loaded, so that they are closed within a millisecond."""

    def main(self, fixtures):
        return "Closed", str(fixtures)


def build_id(library):
    notes = subprocess.run(["readelf", "-n", FIXTURES / library], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", notes)[1]


@pytest.mark.parametrize("stopped", [False, True], ids=["", "stopped-meanwhile"])
@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_a_library_that_was_closed_is_named(kind, stopped):
    """Whatever the tracer sees of the mappings, and although two libraries lie at one address in turn."""
    n, ids = 11, {build_id(f"libclosed{name}.so"): name for name in ("one", "two", "stays")}
    with Closed(jdk(kind)) as target:
        target.do("copies 1", "refused 1")
        with Tracer(pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            if stopped:
                tracer.proc.send_signal(signal.SIGSTOP)
            target.do(f"copies {n}", "stays 1")
            tracer.proc.send_signal(signal.SIGCONT)
            tracer.wait_report(lambda r: r["calls"]["NewGlobalRef"] >= 5 * n + 5)
            target.do(f"refused {n}")
            final = tracer.stop()[target.pid]
    jsonschema.validate(final, SCHEMA)
    assert_no_losses(final)
    made, modules, symbols = {}, set(), set()
    for site in final["sites"]:
        frame = site["stack"][0]
        assert frame["type"] == "native" and frame["build_id"] in ids, site
        name = ids[frame["build_id"]]
        made[name] = made.get(name, 0) + site["acquired"]
        modules.add((name, re.sub("[0-9]+", "", frame["module"])))
        symbols.add((name, frame["symbol"]))
        assert any(f["type"] == "java" for f in site["stack"]), site
    assert made == {"one": 2 * 2 * n, "two": 2 * 3 * n, "stays": 5}
    # what has the same build is one site, whatever the file was called
    assert modules <= {("one", "copy-of-one.so"), ("two", "copy-of-two.so"), ("stays", "copy-that-stays.so"),
                       ("one", "libclosedone.so"), ("two", "libclosedtwo.so")}
    assert symbols <= {("one", "leak_of_one"), ("one", None), ("two", "leak_of_two"), ("two", None), ("stays", "leak_that_stays"),
                       ("stays", None)}


def test_a_library_that_was_closed_has_symbols_while_its_file_is_there():
    with Closed(jdk("17")) as target:
        target.do("copies 1")
        with Tracer(pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            target.do("stays 1")
            tracer.wait_report(lambda r: r["sites"])  # the VM's own symbols are read: that takes longest
            tracer.proc.send_signal(signal.SIGSTOP)
            target.do("refused 7")
            tracer.proc.send_signal(signal.SIGCONT)
            # a tracer that is told to stop reads no more symbols
            tracer.wait_report(lambda r: sum(s["acquired"] for s in r["sites"]) >= 5 + 7 * (2 + 3))
            final = tracer.stop()[target.pid]
    assert_no_losses(final)
    made = {}
    for site in final["sites"]:
        frame = site["stack"][0]
        key = frame["symbol"], re.sub("[0-9]+", "", frame["module"]), frame["file"]
        made[key] = made.get(key, 0) + site["acquired"]
    assert made.pop(("leak_that_stays", "copy-that-stays.so", "closed.c"), 5) == 5
    made = {key: n for key, n in made.items() if not key[1].startswith("copy-that-stays")}
    assert made == {("leak_of_one", "libclosedone.so", "closed.c"): 14, ("leak_of_two", "libclosedtwo.so", "closed.c"): 21}
    assert {lib["module"]: lib["outstanding"] for lib in final["libraries"] if lib["module"].startswith("libclosed")} == {"libclosedone.so": 14, "libclosedtwo.so": 21}


class Misuse(Oracle):
    def main(self, fixtures):
        return "Misuse", str(fixtures / "libmisuse.so")


@pytest.mark.parametrize("kind, args", [("17", ("-e", "local")), ("17", ("-e", "all", "--check")), ("sid-25", ("-e", "local")),
                                        ("sid-8", ("-e", "local"))], ids=lambda v: v if isinstance(v, str) else "".join(v))
def test_a_result_that_is_no_object_is_no_reference(kind, args):
    with Misuse(jdk(kind)) as target:
        target.do("object-as-object 3", "long-as-object 1")
        with Tracer(*args, pids=[target.pid]) as tracer:
            tracer.wait_tracing()
            target.do("object-as-object 101", "long-as-object 7")
            final = tracer.stop()[target.pid]
    jsonschema.validate(final, SCHEMA)
    assert_no_losses(final)
    # three results from three lines: wider than an address, between two slots, where nothing is
    assert [(f["kind"], f["severity"], f["function"], f["count"], f["stack"][0]["symbol"]) for f in final["findings"]] == 3 * [
        ("wrong-return-type", "error", "CallStaticObjectMethod", 7, "called_for_object")]
    assert final["calls"]["CallStaticObjectMethod"] == 101 + 3 * 7
    assert sum(s["acquired"] for s in final["sites"] if s["function"] == "CallStaticObjectMethod") == 101
