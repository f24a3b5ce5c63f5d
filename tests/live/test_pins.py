# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Pinned strings and arrays, and critical sections: every number equals what the program did, exactly."""

import json

import jsonschema
import pytest

from harness import TOP, Oracle, Tracer, assert_no_losses, jdk

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
FAMILIES = "string,array,critical"
TYPES = ["Boolean", "Byte", "Char", "Short", "Int", "Long", "Float", "Double"]
FUNCTION = {f"got_{t}": f"Get{t}ArrayElements" for t in TYPES} | {
    "got_chars": "GetStringChars", "got_utf": "GetStringUTFChars", "got_critical": "GetPrimitiveArrayCritical",
    "got_inner": "GetPrimitiveArrayCritical", "got_string_critical": "GetStringCritical", "got_held": "GetByteArrayElements"}
COMMIT, ABORT = 1, 2


class Pins(Oracle):
    def main(self, fixtures):
        return "Pins", str(fixtures / "libpins.so")


def family_of(function):
    return "critical" if "Critical" in function else "string" if "String" in function else "array"


def difference(before, after):
    """By call site: what was done between."""
    return {name: {k: n - before["sites"][name][k] for k, n in counts.items()} for name, counts in after["sites"].items()}


def expected_calls(done):
    calls = {}
    for name, n in done.items():
        if name in FUNCTION:
            get = FUNCTION[name]
            calls[get] = calls.get(get, 0) + n["got"]
            release = get.replace("Get", "Release", 1)
            calls[release] = calls.get(release, 0) + n["released"] + (n["committed"] if family_of(get) == "array" else 0)
    return calls


def caller(site):
    """The frame that called, behind those of -Xcheck:jni."""
    return next(f for f in site["stack"] if f["type"] != "vm")


def own_sites(report):
    return [site for site in report["sites"] if caller(site)["module"] == "libpins.so"]


def others(report):
    """What the JDK's own native code did: {function: (got, released)}; it releases all it gets."""
    found = {}
    for site in report["sites"]:
        if caller(site)["module"] != "libpins.so":
            assert site["outstanding"] == 0 and site["acquired"] == site["released"], site
            found[site["function"]] = found.get(site["function"], 0) + site["acquired"]
    return found


def by_caller(report):
    """Sites by the name of the native function that called, summed."""
    found = {}
    for site in own_sites(report):
        name = caller(site)["symbol"]
        assert caller(site)["file"].endswith("pins.c") and name in FUNCTION, site
        assert site["function"] == FUNCTION[name] and site["family"] == family_of(site["function"])
        assert any(f["symbol"] and f["symbol"].startswith("Pins.") for f in site["stack"]), site
        sums = found.setdefault(name, {"got": 0, "released": 0, "outstanding": 0, "bytes": 0, "copied": 0, "committed": 0,
                                       "aborted": 0, "unknown": 0, "holds": 0, "histogram": 0, "max_hold_ms": 0, "held_ms": 0})
        for key, value in (("got", site["acquired"]), ("released", site["released"]), ("outstanding", site["outstanding"]),
                           ("bytes", site["outstanding_bytes"]), ("copied", site["pins"]["copied"]),
                           ("committed", site["pins"]["committed"]), ("aborted", site["pins"]["aborted"]),
                           ("unknown", site["pins"]["copy_unknown"]), ("holds", site["pins"]["holds"]),
                           ("histogram", sum(h["holds"] for h in site["pins"]["histogram"])),
                           ("held_ms", site["pins"]["held_ms"] or 0)):
            sums[key] += value
        sums["max_hold_ms"] = max(sums["max_hold_ms"], site["pins"]["max_hold_ms"] or 0)
    return found


def assert_exact(report, done):
    assert_no_losses(report)
    calls, foreign = expected_calls(done), others(report)
    for function, n in foreign.items():
        calls[function] += n
        calls[function.replace("Get", "Release", 1)] += n
    calls = {f: n for f, n in calls.items() if n}
    assert {f: n for f, n in report["calls"].items() if n} == calls
    found = by_caller(report)
    assert set(found) == {name for name, n in done.items() if n["got"]}
    for name, got in found.items():
        want = done[name]
        for key in ("got", "released", "bytes", "copied", "committed", "aborted"):
            assert got[key] == want[key], (name, key, got, want)
        assert got["outstanding"] == want["got"] - want["released"]
    for family in ("string", "array", "critical"):
        mine = [n for name, n in done.items() if name in FUNCTION and family_of(FUNCTION[name]) == family]
        theirs = sum(n for function, n in foreign.items() if family_of(function) == family)
        acquired, released = sum(n["got"] for n in mine) + theirs, sum(n["released"] for n in mine) + theirs
        want = {"acquired": acquired, "released": released, "outstanding": acquired - released, "released_untracked": 0}
        assert report["families"][family].items() >= want.items()


# One command of each kind, with numbers of its own: primes, so that no sum fits by chance.
ELEMENTS = [f"elements 1 {t} {length} {times} {commits} {mode} {leak}" for t, length, times, commits, mode, leak in [
    (0, 11, 101, 0, 0, 2), (1, 1013, 103, 1, 0, 3), (2, 17, 107, 0, ABORT, 5), (3, 19, 109, 2, ABORT, 7),
    (4, 23, 113, 3, 0, 11), (5, 29, 127, 0, 0, 13), (6, 31, 131, 1, ABORT, 17), (7, 37, 137, 0, 0, 19)]]
STRINGS = ["chars 1 41 0 139 23", "chars 1 43 2 149 29", "utf 1 47 0 151 31", "utf 1 53 1 157 37", "utf 1 59 2 163 41",
           "utf 1 3001 0 2 3", "utf 1 1023 0 2 5", "utf 1 1024 0 2 7"]
CRITICAL = ["critical 1 1 1019 167 0 0 0 0", "critical 1 5 61 173 0 3 0 0", "critical 1 4 7 11 0 0 2 0",
            "critical 1 3 13 5 0 0 1 0", "scritical 1 67 0 179 0 0", "scritical 1 71 2 181 0 0"]
THREADS = ["elements 8 1 127 1009 0 0 1", "utf 8 73 0 503 1", "critical 8 4 79 499 0 2 0 0", "scritical 8 83 1 251 0 0"]
EMPTY = ["elements 8 4 0 211 0 0 0", "elements 1 1 0 5 1 0 0"]


@pytest.mark.asan
@pytest.mark.parametrize("attach, kind, jvm_args", [
    ("multi", "17", ["-XX:+UseG1GC"]),
    ("perf", "17", ["-XX:+UseParallelGC"]),
    ("multi", "17", ["-Xcheck:jni", "-XX:+UseG1GC"]),
    ("multi", "17", ["-XX:-UseCompressedOops", "-XX:-UseCompressedClassPointers", "-XX:+UseSerialGC"]),
    ("multi", "sid-17", ["-XX:+UseG1GC"]),
    ("multi", "sid-25", ["-XX:+UseG1GC"]),
    ("perf", "sid-25", ["-XX:+UseParallelGC"]),
    ("multi", "sid-25", ["-XX:+UseCompactObjectHeaders", "-XX:+UseG1GC"]),
], ids=lambda v: v if isinstance(v, str) else "".join(v).replace("-XX:", ""))
def test_exact(attach, kind, jvm_args):
    with Pins(jdk(kind), *jvm_args) as pins:
        before = pins.do(*ELEMENTS[:2])
        with Tracer("--attach", attach, "-e", FAMILIES, pids=[pins.pid]) as tracer:
            tracer.wait_tracing()
            after = pins.do(*ELEMENTS, *STRINGS, *CRITICAL, *THREADS, *EMPTY, "hold 103 131", "letgo", "hold 89 137")
            final = tracer.stop()[pins.pid]
            for report in tracer.reports():
                jsonschema.validate(report, SCHEMA)
        assert pins.do("utf 1 5 0 5 0"), "the target runs on"
    assert_exact(final, difference(before, after))
