# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""--budget where handles can be sampled: fewer are followed before the probes are removed, and more again when there is room.

What a call costs is the machine's. So the load grows until the tool says that it is too much: then the traps alone are well
below the budget, as the stack takes long to walk, three quarters of all.
"""

import threading
import time

import pytest

from harness import SLOW, Tracer, assert_no_losses, assert_schema, wait_until
from test_runtime import Things
from test_sampling import ITEM, assert_near

WALKED = ("--memo", "off")  # each stack is walked
SHELF = 400  # so many are held, by any number of calls


class Load(threading.Thread):
    """So many things each 50 ms, by one deep stack, until it is told to end; a crowd: by four threads at once."""

    def __init__(self, things, how="deep"):
        super().__init__(daemon=True)
        self.things, self.how, self.at_once, self.made, self.ends = things, how, 40, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ends.wait(0.05):
            n = self.at_once // 4 * 4
            self.things.do(self.how, n)
            self.made += n

    def end(self):
        self.ends.set()
        self.join()


def last(tracer):
    reports = tracer.reports()
    return reports[-1] if reports else {"sample": None}


def now(tracer):
    sample = last(tracer)["sample"]
    return sample["one_in_now"] if sample else 1


def too_much(tracer, load, first=1):
    """More and more, until fewer are followed than at first."""
    end = time.monotonic() + SLOW
    while now(tracer) <= first:
        assert time.monotonic() < end and tracer.proc.poll() is None, tracer.stderr
        time.sleep(0.6)
        load.at_once = load.at_once * 6 // 5 + 1


def assert_true(report, made, n):
    """Calls are exact; the rest is as near as one handle in n makes it, at the site as in all."""
    assert report["calls"] == {"thing_new": made, "thing_free": made}
    site, = report["sites"]
    for of in (report["families"]["item"], site):
        assert_near(of["acquired"], made, n)
        assert_near(of["outstanding"], min(made, SHELF), n)
        assert of["acquired"] - of["released"] == of["outstanding"]
    assert report["findings"] == []


@pytest.mark.waits
def test_fewer_are_followed_and_then_all_again():
    with Things() as things, Tracer(*ITEM, *WALKED, "--budget", "3%", pids=[things.pid], interval="0.25") as tracer:
        tracer.wait_tracing()
        load = Load(things)
        too_much(tracer, load)
        time.sleep(2)
        assert tracer.proc.poll() is None, tracer.stderr  # it goes on
        load.end()
        sampled = last(tracer)["sample"]
        assert sampled["one_in"] in (2, 4, 8, 16, 32, 64) and sampled["families"] == ["item"]
        wait_until(lambda: any(f"one handle in {sampled['one_in']} is followed from now on" in line for line in tracer.stderr))
        wait_until(lambda: now(tracer) == 1, 90)
        things.do("deep", SHELF)  # all that is held then is followed
        report = tracer.stop()[things.pid]
    n = report["sample"]["one_in"]
    assert n >= sampled["one_in"] and report["sample"] == {"one_in": n, "one_in_now": 1, "families": ["item"], "confidence": 0.95}
    assert_no_losses(report)
    assert_schema(report)
    assert_true(report, load.made + SHELF, n)
    # each that was acquired at another rate is gone with what it stood for
    assert report["families"]["item"]["outstanding"] == SHELF == report["sites"][0]["outstanding"]
    assert report["end_reason"] == "detached"


@pytest.mark.parametrize("more", [("--group-by", "thread"), ("--sample", "3")], ids=["by thread", "of a sample"])
def test_what_is_told_while_fewer_are_followed(more):
    with Things() as things, Tracer(*ITEM, *WALKED, "--budget", "3%", *more, pids=[things.pid], interval="0.25") as tracer:
        tracer.wait_tracing()
        load, first = Load(things), 3 if "--sample" in more else 1
        too_much(tracer, load, first)
        load.end()
        report = tracer.stop()[things.pid]
    n = report["sample"]["one_in"]
    assert n // first in (2, 4, 8, 16, 32, 64) and n % first == 0
    assert_no_losses(report)
    assert_true(report, load.made, n)
    if "thread" in more:
        thread, = report["sites"][0]["threads"]
        assert thread["acquired"] == report["sites"][0]["acquired"] and thread["outstanding"] == report["sites"][0]["outstanding"]


@pytest.mark.waits
def test_threads_at_one_site_while_fewer_are_followed():
    """They acquire and release beside each other while the level changes; unit/bpf/books/test_level_sites.c has two that come first at once."""
    with Things() as things, Tracer(*ITEM, *WALKED, "--budget", "3%", pids=[things.pid], interval="0.25") as tracer:
        tracer.wait_tracing()
        load = Load(things, "crowd")
        too_much(tracer, load)
        too_much(tracer, load, now(tracer))  # once more
        load.end()
        report = tracer.stop()[things.pid]
    assert report["sample"]["one_in"] in (4, 8, 16, 32, 64)
    assert_no_losses(report)
    assert_schema(report)
    assert_true(report, load.made, report["sample"]["one_in"])
    assert report["end_reason"] == "detached"


def test_a_storm_is_left_alone_all_the_same():
    """The traps alone are too much: no sampling helps. How soon, test_budget tells."""
    with Things() as things, Tracer(*ITEM, "--budget", "1%", pids=[things.pid], interval="60") as tracer:
        tracer.wait_tracing()
        things.proc.stdin.write(b"come 1000000000\n")
        assert tracer.proc.wait(SLOW) is not None
        tracer._collect()
        [final] = tracer.reports()
    assert final["end_reason"] == "over-budget" and final["final"], final
    assert any("more than --budget allows, and were removed" in line for line in tracer.stderr)


def test_below_the_budget_all_is_exact():
    with Things() as things, Tracer(*ITEM, "--budget", "100%", pids=[things.pid]) as tracer:
        tracer.wait_tracing()
        for _ in range(20):
            things.do("come", 101)
        things.do("leak", 53)
        report = tracer.stop()[things.pid]
    assert report["sample"] is None
    family = report["families"]["item"]
    assert (family["acquired"], family["released"], family["outstanding"], family["released_untracked"]) == (20 * 101 + 53, 20 * 101, 53, 0)
    assert "acquired_error" not in family
