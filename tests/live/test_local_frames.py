# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Native frames and their local references: pushed and not popped, more than were asked for, used when they are gone."""

import json

import jsonschema
import pytest

from harness import TOP, Oracle, Tracer, assert_no_losses, direct_caller, jdk

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
JDKS = ["17", "17-stripped", "sid-8", "sid-25"]
CHECK = ("-e", "local", "--check")


class Pushes(Oracle):
    def main(self, fixtures):
        return "Pushes", str(fixtures / "libpushes.so")


def of_kind(report, kind):
    """{called by: finding}"""
    return {direct_caller({"stack": f["stack"]}): f for f in report["findings"] if f["kind"] == kind}


def counts(report, kind):
    return {(by, f["count"], f["local_refs"]) for by, f in of_kind(report, kind).items()}


def traced(target, *commands, args=CHECK, until=None, code=0):
    """The last report; until: of one while the program goes on."""
    with Tracer(*args, pids=[target.pid], interval="0.2") as tracer:
        tracer.wait_tracing()
        target.do(*commands)
        if until:
            tracer.wait_report(until)
        final = tracer.stop(code)[target.pid]
        for report in tracer.reports():
            jsonschema.validate(report, SCHEMA)
    assert_no_losses(final)
    return final


@pytest.mark.asan
@pytest.mark.parametrize("kind", JDKS)
def test_frames_that_are_not_popped(kind):
    """In one native call: 97 of 101 with a reference each, and a frame that was popped in between each time."""
    with Pushes(jdk(kind)) as target:
        final = traced(target, "left 101 25", "nest 20", "recurse 200", until=lambda r: r["findings"])
        # 101 were pushed, 5 popped; in the innermost that was left nothing stays
        assert counts(final, "unpopped-frame") == {("push", 96, 95)}, final["findings"]
        assert len(final["findings"]) == 1
        final = traced(target, "nest 20", "recurse 200", "left 101 1", "in-thread left 11 1")
        assert not final["findings"]


def test_frames_of_calls_from_the_same_java_frame():
    with Pushes(jdk("17")) as target:
        final = traced(target, "again 53", "again-empty 31", until=lambda r: r["findings"])
        [finding] = final["findings"]
        # each with a reference lies below the next, but the last one's is gone when its method returns
        assert (finding["kind"], finding["count"], finding["local_refs"]) == ("unpopped-frame", 84, 0), finding


def test_frames_of_threads_that_end():
    with Pushes(jdk("17")) as target:
        final = traced(target, "own-detached 7", "own-detached 5", "in-thread left 3", until=lambda r: sum(
            f["count"] for f in r["findings"]) == 15)
        assert {k for k, _, n in counts(final, "unpopped-frame")} == {"push"} and not any(f["local_refs"] for f in final["findings"])


def test_frames_that_pile_up_in_a_native_call_that_goes_on():
    with Pushes(jdk("17")) as target:
        final = traced(target, "own-left 41 1", "end", "own-left 31")  # no more than nesting may take
        assert not final["findings"]
        target.do("end")
        final = traced(target, "own-left 1500", until=lambda r: r["findings"])
        assert counts(final, "unpopped-frame") == {("push", 1499, 1498)}
        target.do("end")


@pytest.mark.asan
@pytest.mark.parametrize("kind", JDKS)
def test_more_references_than_were_asked_for(kind):
    with Pushes(jdk(kind)) as target:
        final = traced(target, "fill 4001", "fill-ensured 513 16", "fill-ensured 512 512")
        assert sorted((f["kind"], f["count"], f["local_refs"]) for f in final["findings"]) == [
            ("local-overflow", 1, 513), ("local-overflow", 1, 4001)]
        assert all("2" in f["text"] and f["severity"] == "warning" for f in final["findings"])
        final = traced(target, "fill 512", "fill-ensured 4001 4001", "fill-pushed 4001 4001", "fill-deleting 4001",
                       "fill-deleting-inside 4001", *["fill 300"] * 3)
        assert not final["findings"]
        final = traced(target, "fill 17", "fill-ensured 40 40", args=(*CHECK, "--local-capacity", "16"))
        assert [f["local_refs"] for f in of_kind(final, "local-overflow").values()] == [17]


@pytest.mark.waits
def test_overflow_is_told_while_it_goes_on_with_its_pace():
    with Pushes(jdk("17")) as target:
        with Tracer("-e", "local", "--local-capacity", "20", pids=[target.pid], interval="1") as tracer:
            tracer.wait_tracing()
            target.do("own-slowly 1 50")
            report = tracer.wait_report(lambda r: r["findings"] and "more each second" in r["findings"][0]["text"])
            report = tracer.wait_report(lambda r: any(s["verdict"]["kind"] == "growing" for s in r["sites"]), seconds=90)
            [overflow] = of_kind(report, "local-overflow").values()
            assert "It goes on" in overflow["text"] and "in an hour" in overflow["text"], overflow["text"]
            assert [f["function"] for f in report["findings"] if f["kind"] == "leak"] == ["NewLocalRef"]
            target.do("end")
            tracer.wait_report(lambda r: "It has returned." in of_kind(r, "local-overflow")["make"]["text"])


@pytest.mark.parametrize("memo", ["on", "off"])
def test_the_peak_does_not_depend_on_when_classes_are_unloaded(memo):
    with Pushes(jdk("17")) as target, Tracer("-e", "local", "--memo", memo, "--allow-loss", pids=[target.pid]) as tracer:
        tracer.wait_tracing()
        target.do("fill-unloading 211 4")
        final = tracer.stop()[target.pid]
    # some Java frames have lost their names: see drops
    assert not any(n for drop, n in final["drops"].items() if drop != "java_unnamed")
    made = [s for s in final["sites"] if direct_caller(s) == "make"]
    assert (sum(s["acquired"] for s in made), max(s["peak_per_call"] for s in made)) == (5 * 211, 5 * 211)


@pytest.mark.asan
@pytest.mark.parametrize("kind", [k for k in JDKS if k != "sid-8"])
def test_use_after_pop(kind):
    with Pushes(jdk(kind)) as target:
        final = traced(target, "popped 1", "popped 8", "popped 300")
        assert {by: (f["kind"], f["count"]) for by, f in of_kind(final, "stale-use").items()} == {
            "use": ("stale-use", 3), "delete": ("stale-use", 3)}
        assert len(final["findings"]) == 2
        final = traced(target, "popped 1 1", "popped 300 1", "recurse 20")
        assert not final["findings"]


@pytest.mark.parametrize("kind", JDKS)
def test_default_view_says_that_local_references_pile_up(kind):
    with Pushes(jdk(kind)) as target:
        target.do("own-fill 511")
        final = traced(target, args=(), until=lambda r: r["elapsed_s"] > 1)
        assert final["local_pile"] is None
        target.do("end", "own-fill 19471")
        final = traced(target, args=(), until=lambda r: r["local_pile"])
        pile = final["local_pile"]
        assert (pile["local_refs"], pile["frames"], pile["at_least"], pile["now"]) == (19471, 1, False, True)
        assert pile["thread"] and pile["tid"] and pile["events"] == "global,weak,local"
        target.do("end", "own-left 77")
        final = traced(target, args=("-e", "global"), until=lambda r: r["local_pile"])
        assert (final["local_pile"]["frames"], final["local_pile"]["events"]) == (78, "global,local")
