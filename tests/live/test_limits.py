# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Full stores lose pairs and sites, which is said; totals stay exact."""

import pytest

from harness import WARM_UP, Expected, Tracer, assert_exact, lacking


def assert_totals(final, before, after):
    """Calls and references are all counted, whatever could not be paired."""
    want = Expected(before, after)
    assert {f: final["calls"][f] for f in want.calls} == want.calls
    for name, f in want.families.items():
        got = final["families"][name]
        assert got["acquired"] == f["acquired"]
        assert got["released"] + got["released_untracked"] == f["released"] + f["released_untracked"]


@pytest.mark.asan
@pytest.mark.parametrize("allow", [[], ["--allow-loss"]], ids=["", "allowed"])
def test_references_full(oracle, allow):
    before = oracle.do(*WARM_UP)
    with Tracer("--max-refs", "1000", *allow, pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do("hold 300007", "letgo", "run 2 1009 0 503 0")
        final = tracer.stop(code=0 if allow else 5)[oracle.pid]
    assert_totals(final, before, after)
    assert final["drops"]["refs_full"] > 0
    assert not any(n for name, n in final["drops"].items() if name != "refs_full")
    # Each reference that could not be paired is one drop, and one release that finds nothing.
    assert final["families"]["global"]["released_untracked"] == final["drops"]["refs_full"]


def test_references_fit_again_after_release(oracle):
    """A full store is not a broken one: what is released makes room."""
    before = oracle.do(*WARM_UP)
    with Tracer("--max-refs", "20000", pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        for _ in range(10):
            after = oracle.do("hold 10007", "letgo")
        final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)


@pytest.mark.asan
def test_stacks_full(oracle):
    before = oracle.do(*WARM_UP)
    with Tracer("--max-stacks", "16", pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do("sites 1009")
        final = tracer.stop(code=5)[oracle.pid]
    assert_totals(final, before, after)
    assert final["families"]["global"]["outstanding"] == 1009
    assert final["drops"]["stacks_full"] > 0
    assert sum(site["acquired"] for site in final["sites"]) == 1009, "those without a stack are in a site of their own"
    assert lacking(final) == {"not_kept": sum(s["acquired"] for s in final["sites"] if not s["stack"])}
    assert final["drops"]["stacks_full"] == final["stacks"]["incomplete"]
    assert not any(n for name, n in final["drops"].items() if name != "stacks_full")


def test_depth(oracle):
    """A stack cut short says so, and is counted; one that ends where its thread began is complete."""
    oracle.do(*WARM_UP)
    for depth, whole in ((2, False), (128, True)):
        with Tracer("--depth", depth, pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            oracle.do("run 2 1009 0 503 0")
            final = tracer.stop()[oracle.pid]
        made = final["families"]["global"]["acquired"] + final["families"]["weak"]["acquired"]
        assert made > 1009
        assert (final["stacks"]["complete"], final["stacks"]["incomplete"]) == ((made, 0) if whole else (0, made))
        assert lacking(final) == ({} if whole else {"depth_limit": made})


def test_a_million_outstanding(oracle):
    before = oracle.do(*WARM_UP)
    with Tracer(pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        held = oracle.do("hold 1000003")
        # Of the state at that time: a report that began after it.
        n = len(tracer.reports())
        full = tracer.wait_report(lambda r: r["families"]["global"]["outstanding"] == 1000003)
        assert n >= 0 and full["families"]["global"]["acquired"] == Expected(before, held).families["global"]["acquired"]
        after = oracle.do("letgo")
        final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)
    assert final["families"]["global"]["outstanding"] == 0
