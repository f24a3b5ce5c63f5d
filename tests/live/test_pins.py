# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Pinned strings and arrays, and critical sections: every number equals what the program did, exactly."""

import glob
import json
import time

import jsonschema
import pytest

import harness
from harness import TOP, Oracle, Program, Tracer, assert_no_losses, entries_in_map, jdk, wait_until

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
FAMILIES = "string,array,critical"
TYPES = ["Boolean", "Byte", "Char", "Short", "Int", "Long", "Float", "Double"]
FUNCTION = {f"got_{t}": f"Get{t}ArrayElements" for t in TYPES} | {
    "got_chars": "GetStringChars", "got_utf": "GetStringUTFChars", "got_critical": "GetPrimitiveArrayCritical",
    "got_inner": "GetPrimitiveArrayCritical", "got_string_critical": "GetStringCritical", "got_held": "GetByteArrayElements"}
ABORT = 2


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
    assert {f["kind"] for f in final["findings"]} <= {"held-critical"}, "a busy machine may stop a thread inside one"


def found(report, *kinds):
    """{(kind, function, called in, acquired in, released first in): count} of what was found, of these kinds or all"""
    def name(stack):
        return stack and caller({"stack": stack})["symbol"]

    keys = {}
    for f in report["findings"]:
        if kinds and f["kind"] not in kinds:
            continue
        assert f["doubt"] is None, f
        key = (f["kind"], f["function"], name(f["stack"]), name(f["acquire_stack"]), name(f["release_stack"]))
        keys[key] = keys.get(key, 0) + f["count"]
    return keys


def traced(pins, *commands, args=("-e", "all"), before=("utf 1 7 0 3 0",), end_it=False):
    pins.do(*before)
    with Tracer(*args, pids=[pins.pid]) as tracer:
        tracer.wait_tracing()
        pins.do(*commands)
        pins.wait_ended()
        if end_it:
            seen = len(tracer.reports())
            tracer.wait_report(lambda _: len(tracer.reports()) > seen + 1)  # frames are named while it lives
            pins.kill()  # not by itself: it would load classes for that, whose frames nobody could name
            final = tracer.end()[pins.pid]
        else:
            final = tracer.stop()[pins.pid]
        for report in tracer.reports():
            jsonschema.validate(report, SCHEMA)
    assert_no_losses(final)
    return final


UNMATCHED, AT_END = "unmatched-release", "critical-held-at-end"


@pytest.mark.parametrize("kind, jvm_args", [("17", ["-XX:+UseG1GC"]), ("17", ["-XX:+UseParallelGC"]), ("sid-25", ["-XX:+UseG1GC"])],
                         ids=lambda v: v if isinstance(v, str) else "".join(v).replace("-XX:", ""))
@pytest.mark.parametrize("check", [False, True])
def test_unmatched_releases(kind, jvm_args, check):
    with Pins(jdk(kind), *jvm_args) as pins:
        final = traced(pins, "misuse 1 0 101 211 0", "misuse 1 1 103 64 0", "misuse 1 2 107 23 29", "misuse 1 3 109 11 0",
                       "misuse 1 4 13 17 0", "misuse 1 5 113 31 0", "misuse 1 10 127 0 0",
                       args=["-e", FAMILIES] + ["--check"] * check, end_it=True)
    release = "ReleaseByteArrayElements"
    first = {} if check else {(UNMATCHED, release, "released_again", "got_twice", None): 1}
    again = {(UNMATCHED, release, "released_again", "got_twice", "released_first"): 101 if check else 100}
    assert found(final) == first | again | {
        (UNMATCHED, "ReleaseStringChars", "got_mixed", "got_mixed", None): 103,
        (UNMATCHED, "ReleaseIntArrayElements", "got_mixed", "got_mixed", None): 103,
        (UNMATCHED, release, "got_for_other", "got_for_other", None): 107,
        (UNMATCHED, release, "never_got", None, None): 109,
        (UNMATCHED, release, None, "got_committed", None): 13,
    }
    assert final["families"]["array"]["outstanding"] == 13
    assert final["families"]["array"]["released_untracked"] == 101


@pytest.mark.parametrize("kind, jvm_args", [("17", []), ("17", ["-Xcheck:jni"]), ("sid-25", ["-XX:+UseSerialGC"])],
                         ids=lambda v: v if isinstance(v, str) else "".join(v).replace("-XX:", ""))
def test_freed_by_somebody_else(kind, jvm_args):
    """free() of what a Get function gave, always or on one path, beside others that release what they get."""
    freed = [] if "-Xcheck:jni" in jvm_args else ["misuse 1 8 101 61 0", "misuse 1 9 202 41 0"]  # which -Xcheck:jni does not survive
    with Pins(jdk(kind), *jvm_args) as pins:
        final = traced(pins, "utf 1 61 0 503 0", "elements 1 1 61 503 0 0 0", *freed, "chars 1 41 0 503 0", args=["-e", FAMILIES])
    counts = {}
    for (*what, site, _), n in found(final).items():
        counts[*what, site] = counts.get((*what, site), 0) + n
    # the last of each stays outstanding until its memory is given away again
    last = {name: s["outstanding"] for s in final["sites"] for name in [caller(s)["symbol"]] if "freed" in name and s["outstanding"]}
    assert sum(last.values()) <= 3 and len(freed) == len({site for *_, site in counts}), (counts, last)
    if freed:
        wrong = {(function, site): n for (kind, function, _, site), n in counts.items() if kind == "wrong-deallocator"}
        assert wrong.keys() == {("GetStringUTFChars", "got_freed"), ("GetByteArrayElements", "got_freed"),
                                ("GetStringChars", "got_sometimes_freed")} and len(counts) == 3, counts
        assert sum(wrong.values()) + sum(last.values()) == 2 * 101 + 101, (wrong, last)


@pytest.mark.parametrize("how, release, caller_of_both, count", [
    ("misuse 1 2 107 23 29", "ReleaseByteArrayElements", "got_for_other", 107),  # one type, two lengths
    ("othertype 109 23", "ReleaseByteArrayElements", "got_for_other", 109),
    ("misuse 1 7 113 1009 1009", "ReleasePrimitiveArrayCritical", "got_critical_for_other", 113)])  # only its place tells
def test_released_for_another(how, release, caller_of_both, count):
    with Pins(jdk("17"), "-XX:+UseSerialGC") as pins:
        final = traced(pins, how, args=["-e", FAMILIES])
    assert found(final, UNMATCHED) == {(UNMATCHED, release, caller_of_both, caller_of_both, None): count}


@pytest.mark.parametrize("kind, jvm_args", [("17", ["-XX:+UseG1GC"]), ("17-stripped", []), ("sid-8", []), ("sid-25", ["-XX:+UseParallelGC"])],
                         ids=lambda v: v if isinstance(v, str) else "".join(v).replace("-XX:", ""))
def test_released_for_another_of_its_kind(kind, jvm_args):
    """Two arrays of one type and length are told apart as long as no collection can have moved them."""
    with Pins(jdk(kind), *jvm_args) as pins:
        final = traced(pins, "misuse 1 2 107 23 23", args=["-e", FAMILIES, "--check"])
        right = traced(pins, "misuse 1 5 1013 11 0", args=["-e", FAMILIES, "--check"])
    [(what, n)] = found(final, UNMATCHED).items()
    assert what == (UNMATCHED, "ReleaseByteArrayElements", "got_for_other", "got_for_other", None)
    assert 107 - 5 <= n <= 107, "one for each collection meanwhile may be missing"
    assert found(right, UNMATCHED) == {}


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_critical_section_ended_twice(kind):
    with Pins(jdk(kind), "-XX:+UseG1GC") as pins:
        final = traced(pins, "misuse 3 6 1 1009 0")
    twice = found(final, UNMATCHED)
    assert {key[:4] for key in twice} == {(UNMATCHED, "ReleasePrimitiveArrayCritical", "got_critical_twice", "got_critical_twice")}
    assert sum(twice.values()) == 3
    assert found(final, "held-critical", AT_END) == {(AT_END, None, None, "got_back", None): 3}


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_a_thread_that_ends_inside_a_section(kind):
    """It is told, and nothing stays of it that a later thread of its number could be taken for."""
    with Pins(jdk(kind), "-XX:+UseG1GC") as pins, Tracer("-e", "critical", "--hold", "60", pids=[pins.pid]) as tracer:
        tracer.wait_tracing()
        pins.do("critical 3 1 1009 7 0 2 0 1", "critical 8 1 1009 11 0 2 0 0", "scritical 5 67 0 13 0 1")
        pins.wait_ended()
        assert entries_in_map(tracer.proc.pid, "criticals") == 0
        final = tracer.stop()[pins.pid]
    jsonschema.validate(final, SCHEMA)
    assert_no_losses(final)
    assert found(final) == {(AT_END, None, None, "got_critical", None): 3, (AT_END, None, None, "got_string_critical", None): 5}
    assert final["families"]["critical"]["outstanding"] == 3 + 5


@pytest.mark.parametrize("kind, jvm_args, args", [
    ("17", ["-XX:+UseG1GC"], ["--check"]), ("17", ["-XX:+UseParallelGC"], []), ("17-stripped", [], []),
    ("sid-25", ["-XX:+UseG1GC"], []), ("sid-25", ["-XX:+UseZGC"], [])],
                         ids=lambda v: v if isinstance(v, str) else "".join(v).replace("-XX:", ""))
def test_no_false_alarm(kind, jvm_args, args):
    """Pointers that come again at full speed, in eight threads, with the collector at work; held since before attach."""
    with Pins(jdk(kind), "-Xmx96m", *jvm_args) as pins:
        final = traced(pins, "letgo", "elements 8 1 127 20011 1 0 0", "utf 8 61 1 20021 0", "chars 8 67 0 10007 0", "gc",
                       "misuse 8 5 5003 1031 0", "elements 8 4 0 10009 0 0 0", "critical 8 1 4099 5003 0 2 0 0", "gc",
                       "hold 211 31", "gc", "letgo", before=("hold 101 37",), args=["-e", FAMILIES, *args])
    assert found(final, UNMATCHED, "call-in-critical") == {}
    assert final["families"]["array"]["outstanding"] == 0 and final["families"]["array"]["released_untracked"] == 101


def test_no_false_alarm_at_attach():
    """Threads that go in and out of critical sections all the time, while a tracer comes: what began before is unknown."""
    with Pins(jdk("17")) as pins:
        pins.send("calls 16 1000000 100")
        for _ in range(10):
            with Tracer("-e", "critical", pids=[pins.pid]) as tracer:
                tracer.wait_tracing()
                final = tracer.stop()[pins.pid]
                assert found(final, UNMATCHED) == {}


def test_one_array_and_many_threads():
    """They share the pointer, and whose pin it is only the thread tells; also when one has ended and left its pin."""
    with Pins(jdk("17"), "-XX:+UseSerialGC") as pins:
        final = traced(pins, "onearray 8 5003 2", args=["-e", "critical"])
        assert found(final, UNMATCHED) == {}
        family = final["families"]["critical"]
        assert (family["acquired"], family["released"]) == (8 * 5003 * 3,) * 2
        sums = {name: sum(s["pins"][name] for s in own_sites(final)) for name in ("holds", "nested")}
        assert sums == {"holds": 8 * 5003, "nested": 2 * 8 * 5003}
        final = traced(pins, "oneends", args=["-e", "critical"])
    assert found(final, UNMATCHED, AT_END) == {
        (UNMATCHED, "ReleasePrimitiveArrayCritical", "got_critical_twice", "got_critical_twice", None): 1,
        (AT_END, None, None, "got_critical", None): 1, (AT_END, None, None, "got_back", None): 1}


def test_a_section_from_before_attach():
    with Pins(jdk("17")) as pins:
        pins.send("critical 1 1 1009 2 2000000 0 0 0")  # which it is inside when the tracer comes
        with Tracer("-e", "critical", pids=[pins.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            tracer.wait_report(lambda r: r["calls"]["ReleasePrimitiveArrayCritical"] > 0)
            final = tracer.stop()[pins.pid]
    assert found(final, UNMATCHED) == {}
    assert final["families"]["critical"]["released_untracked"] == 1


def test_what_is_older_than_the_tracer_is_not_released_twice():
    """Though much of another's that was released has a place where it would have one."""
    with Pins(jdk("17")) as pins:
        final = traced(pins, "hold 3989 31", "letgo 3989", "letgo 101", before=("hold 101 37",), args=["-e", "array"])
    assert found(final, UNMATCHED) == {}
    assert final["families"]["array"]["released_untracked"] == 101


@pytest.mark.parametrize("mutant, test", [
    ("pin-class", lambda: test_released_for_another("othertype 109 23", "ReleaseByteArrayElements", "got_for_other", 109)),
    ("pin-length", lambda: test_released_for_another("misuse 1 2 107 23 29", "ReleaseByteArrayElements", "got_for_other", 107)),
    ("pin-place", lambda: test_released_for_another("misuse 1 7 113 1009 1009", "ReleasePrimitiveArrayCritical",
                                                    "got_critical_for_other", 113)),
    ("pin-owner", test_one_array_and_many_threads), ("pin-before", test_a_section_from_before_attach), ("pin-gate", test_no_false_alarm_at_attach),
    ("pin-grave", test_what_is_older_than_the_tracer_is_not_released_twice)])
def test_a_fault_in_the_judgement_is_seen(monkeypatch, mutant, test):
    """By the test that is there for it."""
    monkeypatch.setattr(harness, "JNITRACE", harness.TOOL_BUILD / "mutants" / mutant / "jnitrace")
    with pytest.raises(AssertionError, match=UNMATCHED):
        test()


def test_call_inside_a_critical_section():
    with Pins(jdk("17")) as pins:
        final = traced(pins, "inside 53", "inside 59")
    inside = "call-in-critical"
    assert found(final, inside) == {(inside, "NewGlobalRef", "called_inside", "got_inside", None): 112,
                                    (inside, "DeleteGlobalRef", "called_inside", "got_inside", None): 112}


def near(got, want):
    return abs(got - want) <= 0.05 * want


@pytest.mark.parametrize("kind, collector, waits", [
    ("17", "G1", "the-stalled"), ("17", "Parallel", "the-stalled"), ("sid-25", "Parallel", "the-stalled"),
    ("sid-25", "Serial", "the-stalled"), ("sid-25", "Z", "ZDriverM"), ("sid-25", "G1", None), ("17", "Z", "middle of a function")])
def test_held_critical(kind, collector, waits):
    with Pins(jdk(kind), "-Xmx64m", f"-XX:+Use{collector}GC") as pins:
        before = pins.do("stall 65536 1 1000")
        with Tracer("-e", "critical", pids=[pins.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            tracer.wait_report(lambda _: True)  # the first one takes long on a busy machine, perhaps as long as what follows
            after = pins.do("stall 65536 3 400000", "critical 1 1 1009 101 0 0 0 0")
            final = tracer.stop()[pins.pid]
            reports = tracer.reports()
    for report in reports:
        jsonschema.validate(report, SCHEMA)
    done = difference(before, after)["got_critical"]
    held = [f for f in final["findings"] if f["kind"] == "held-critical"]
    [finding] = [f for f in held if any(frame["symbol"] == "Pins.whileAllocating" for frame in f["stack"])]
    assert held == [finding] and finding["holds"] == 3 and caller(finding)["symbol"] == "got_critical"
    assert near(finding["max_hold_ms"], after["sites"]["got_critical"]["max_held_ns"] / 1e6)
    assert near(by_caller(final)["got_critical"]["held_ms"], done["held_ns"] / 1e6)
    assert sum(h["holds"] for h in finding["histogram"]) == 3 and finding["held_now"] == [] and finding["calls_inside"] == 0
    assert [h["from_us"] for h in finding["histogram"]] == [262144], "0.4 s"
    never, unseen = waits is None, (kind, collector) == ("17", "Z")
    assert finding["collector_waits"] is not never
    assert (f"{collector}: does not wait" if never else waits) in finding["text"].replace("this collector", f"{collector}:")
    if never:
        assert finding["stalled"] == [], "the collector works around what is pinned"
    elif unseen:
        assert finding["stalled"] is None and waits in finding["stalled_unknown"]
    elif collector == "Z":  # it works on until it has to move what is pinned
        assert {s["name"][:8] for s in finding["stalled"]} == {waits}
        assert 0.5 * 400 <= sum(s["ms"] for s in finding["stalled"]) <= 1.05 * 1200, finding["stalled"]
    else:
        [stalled] = finding["stalled"]
        assert stalled["name"] == "the-stalled" and stalled["times"] == 3, stalled
        assert 0.5 * 1200 <= stalled["ms"] <= 1.05 * 1200, "it needs a collection soon"
    # shown while it was held
    during = [f for r in reports for f in r["findings"] if f["kind"] == "held-critical" and f["held_now"]]
    assert any(f["held_now"][0]["ms"] >= 10 for f in during), during  # the reports of a busy machine may be seldom
    if waits and not unseen:
        assert any(s["name"].startswith(waits) for f in during for s in f["stalled"])


def test_who_waits_is_not_seen_without_symbols():
    with Pins(jdk("17-stripped"), "-Xmx64m", "-XX:+UseG1GC") as pins:
        final = traced(pins, "stall 65536 1 100000", args=["-e", "critical"])
    [finding] = final["findings"]
    assert finding["stalled"] is None and "only symbols" in finding["stalled_unknown"] and finding["stalled_unknown"] in finding["text"]
    assert finding["collector_waits"] is True


@pytest.mark.parametrize("inside", [0, 3])
def test_what_is_got_inside_a_section_is_part_of_it(inside):
    """One fault, one finding: of the outer one, though the time passes in the inner ones."""
    with Pins(jdk("17")) as pins:
        final = traced(pins, f"critical 1 1 1009 7 30000 {inside} 0 0", args=["-e", "critical"])
    [finding] = final["findings"]
    assert finding["kind"] == "held-critical" and caller(finding)["symbol"] == "got_critical"
    assert finding["holds"] == 7 and finding["nested"] == 7 * inside and ("is part of it" in finding["text"]) == (inside > 0)
    pins = {name: sum(s["pins"][name] for s in own_sites(final)) for name in ("holds", "nested")}
    assert pins == {"holds": 7, "nested": 7 * inside}


def test_a_busy_machine_is_no_fault():
    """Eight threads on one CPU: each holds its section for long because another runs."""
    with Pins(jdk("17"), prefix=("taskset", "-c", "0")) as pins:
        final = traced(pins, "critical 8 1 1009 101 2000 0 0 0", args=["-e", "critical"])
        [site] = own_sites(final)
        assert site["pins"]["max_hold_ms"] > 10, "not busy enough to tell"
        assert site["pins"]["cpu_wait_ms"] > 0.3 * site["pins"]["held_ms"]
        assert final["findings"] == [], final["findings"]
        # who is at work for long is told, on a busy machine, too
        final = traced(pins, "critical 8 1 1009 1 100000 0 0 0", args=["-e", "critical", "--hold", "0.005"])
        [finding] = final["findings"]
        assert finding["holds"] == 8 and finding["max_own_ms"] < finding["max_hold_ms"] / 2, finding
        assert "got no CPU" in finding["text"]


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_a_pause_of_the_vm_is_no_fault(kind):
    """Who gets a second array inside a section is stopped on the way into the VM, while it looks at all stacks."""
    with Pins(jdk(kind)) as pins:
        final = traced(pins, "pauses 100 900 17", args=["-e", "critical", "--hold", "0.005"], before=("pauses 1 1 1",))
        [site] = [s for s in own_sites(final) if caller(s)["symbol"] == "got_critical"]
        assert site["pins"]["max_hold_ms"] > 5, "no pause has met a section"
        assert final["findings"] == [], final["findings"]
        # whoever sleeps by itself inside is told, nested ones or not
        final = traced(pins, "critical 1 1 1009 7 -30000 1 0 0", args=["-e", "critical"])
        [finding] = final["findings"]
        assert finding["holds"] == 7 and finding["max_own_ms"] > 30, finding


def test_short_sections_are_no_finding():
    with Pins(jdk("17")) as pins:
        final = traced(pins, "critical 1 1 1009 1009 5 1 0 0", args=["-e", "critical", "--hold", "5"])
    assert final["findings"] == []
    assert by_caller(final)["got_critical"]["holds"] == by_caller(final)["got_critical"]["histogram"] == 1009


def test_that_a_thread_waits_for_a_moment_is_no_finding():
    with Pins(jdk("17"), "-Xmx64m", "-XX:+UseSerialGC") as pins:
        final = traced(pins, *["stall 65536 101 100"] * 5, args=["-e", "critical", "--hold", "0.1"])
    assert final["findings"] == []


def test_a_jvm_killed_inside_a_section_leaves_nothing():
    """Neither the thread that held it nor the one that waited: their numbers may be another's soon."""
    with Pins(jdk("17")) as other, Pins(jdk("17"), "-Xmx64m", "-XX:+UseSerialGC") as killed:
        with Tracer("-e", "critical", "--allow-loss", pids=[other.pid, killed.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            killed.send("stall 65536 1 60000000")
            tracer.wait_report(lambda r: any(f.get("stalled") for f in r["findings"]))
            assert entries_in_map(tracer.proc.pid, "criticals") == 1 and entries_in_map(tracer.proc.pid, "stalls") >= 1
            killed.proc.kill()
            tracer.wait_report(lambda r: r["final"] and r["target"]["pid"] == killed.pid)
            wait_until(lambda: entries_in_map(tracer.proc.pid, "criticals") == entries_in_map(tracer.proc.pid, "stalls") == 0)


class Zstd(Oracle):
    """Debian's zstd-jni at work."""

    def main(self, fixtures):
        jar = "/usr/share/java/zstd-jni.jar"
        return "-cp", f"{fixtures}:{jar}", "-Djava.library.path=" + ":".join(glob.glob("/usr/lib/*-linux-gnu")), "Zstd", "48", "12"


def test_a_library_that_holds_a_section():
    """What is told of it fits what the program itself measured; nothing here is made for this library."""
    with Zstd(jdk("17"), "-Xmx400m", "-XX:+UseG1GC") as zstd:
        with Tracer("-e", "critical", pids=[zstd.pid]) as tracer:
            tracer.wait_tracing()
            took_ms = zstd.do("compress")["ns"] / 1e6
            final = tracer.stop()[zstd.pid]
    assert_no_losses(final)
    held = [f for f in final["findings"] if f["max_hold_ms"] > took_ms / 2]
    assert {f["kind"] for f in final["findings"]} == {"held-critical"}
    [f] = held  # its two sections lie in each other
    assert f["nested"] >= 1
    assert near(f["max_hold_ms"], took_ms), (f["max_hold_ms"], took_ms)
    names = [frame["symbol"] for frame in f["stack"]]
    assert any(n and n.startswith("Java_com_github_luben_zstd_") for n in names), names
    assert "com.github.luben.zstd.Zstd.compress" in names and "Zstd.main" in names
    [stalled] = f["stalled"]
    assert stalled["name"] == "allocator-1" and 0.5 * took_ms < stalled["ms"] < 1.05 * took_ms, (stalled, took_ms)


@pytest.mark.parametrize("kind", ["sid-8", "17"])
def test_functions_that_jump_to_each_other_are_counted_once(kind):
    """Of two functions with equal code a compiler makes one that jumps to the other: its calls come to both."""
    with Program(jdk(kind), "Execs", "liboracle.so") as program:
        assert program.answer() == "ready\n"
        program.tell("3")
        assert program.answer() == "3\n"
        with Tracer("-e", "all", "--check", pids=[program.pid]) as tracer:
            tracer.wait_tracing()
            program.tell("13")
            assert program.answer() == "13\n"
            final = tracer.stop()[program.pid]
    array = final["families"]["array"]
    gets = sum(n for name, n in final["calls"].items() if name.startswith("Get") and name.endswith("ArrayElements"))
    releases = sum(n for name, n in final["calls"].items() if name.startswith("Release") and name.endswith("ArrayElements"))
    assert gets == releases >= 13 and (array["acquired"], array["released"]) == (gets, gets)
    assert [f for f in final["findings"] if f["kind"] in ("wrong-deallocator", UNMATCHED)] == []
