# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Weak references that pile up, and those that only wait for their objects to be collected."""

import json
import time

import jsonschema
import pytest

from harness import TOP, Program, Tracer, jdk

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())


def verdicts(report):
    found = {}
    for site in report["sites"]:
        for frame in site["stack"]:
            if frame["type"] == "native" and (frame["symbol"] or "").startswith("Java_Weak_"):
                found[frame["symbol"].removeprefix("Java_Weak_")] = site["verdict"]
    return found


def growing(report):
    return {kind for kind, verdict in verdicts(report).items() if verdict["kind"] == "growing"}


def waiting(report):
    return {kind for kind, verdict in verdicts(report).items() if "no collection" in (verdict["not_known"] or "")}


def go_on(target, tracer, until, collect=False):
    """Make more of each kind, as steadily as it goes, until a report says so. All reports."""
    end = time.monotonic() + 120
    while not (reports := tracer.reports()) or not until(reports[-1]):
        assert time.monotonic() < end, reports and verdicts(reports[-1])
        if collect:
            target.tell("collect")
            target.answer()
        for _ in range(5):
            target.tell("make 50")
            target.answer()
            time.sleep(0.2)
    return reports


@pytest.mark.waits
def test_weak_references_wait_for_the_collector():
    """
    Each kind is made 250 times a second. Before the heap is collected only those to one object are known to pile up. After
    that, those whose objects are gone, and, when it was collected twice, those whose objects outlasted it. Those
    that are released with their objects never are.
    """
    with Program(jdk("17"), "Weak", "libweak.so", "-XX:+UsePerfData") as target:  # which has counters of collections
        assert target.answer() == "ready\n"
        with Tracer("-e", "weak", pids=[target.pid], interval="1") as tracer:
            tracer.wait_tracing()
            go_on(target, tracer, lambda r: growing(r) == {"same"} and waiting(r) == {"own", "lost", "kept"})
            reports = go_on(target, tracer, lambda r: growing(r) == {"lost", "kept", "same"}, collect=True)
            final = tracer.stop()[target.pid]
    jsonschema.validate(final, SCHEMA)
    assert not any("own" in growing(r) for r in reports)
    assert {f["function"] for f in final["findings"] if f["kind"] == "leak"} == {"NewWeakGlobalRef"}
    assert len(final["findings"]) == 3

