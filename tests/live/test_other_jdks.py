# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""JDKs beside those everything is tested with, as far as the archive has them: one smoke test of each part."""

import pytest

from harness import WARM_UP, WORK, Oracle, Tracer, assert_exact, assert_no_losses, jdk, other_jdks
from test_census import STEADY, Fixture, at_rest, classes_of, totals, what_was_made
from test_java_stacks import Frames, assert_complete, difference, reported

OTHERS = other_jdks()


@pytest.mark.parametrize("kind", OTHERS)
def test_counts_are_exact(kind):
    with Oracle(jdk(kind)) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do(*WORK)
            final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)


@pytest.mark.parametrize("kind", OTHERS)
def test_java_stacks_are_exact(kind):
    with Frames(jdk(kind)) as target:
        with Tracer(pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do("run 3")
            final = tracer.stop()[target.pid]
    got, alone = reported(final)
    assert got == want, difference(want, got)
    assert alone == 3 and sum(want.values()) > 60
    assert_no_losses(final)
    assert_complete(final)


@pytest.mark.parametrize("kind", OTHERS)
def test_census_equals_the_vm(kind):
    with Fixture(kind, *STEADY) as target:
        before, _ = at_rest(target, "--classes")
        target.do("hold string 1009 503", "hold inner 31 1", "weak object 7 7")
        after, vm = at_rest(target, "--classes")
    assert totals(after) == vm
    assert what_was_made(before, after) == {"java.lang.String": (1009, 503), "Census$Inner": (31, 1)}
    assert classes_of(after, "weak")["java.lang.Object"] == (7, 7)
    assert after["threads"] and not any(t["native_attached"] for t in after["threads"])
