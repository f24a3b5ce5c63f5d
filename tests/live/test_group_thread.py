# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""--group-by thread: which thread acquired what, exactly."""

import json
import re
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from harness import TOP, WARM_UP, Expected, Oracle, Tracer, assert_no_losses, direct_caller, jdk, run_tool
from tmux import Tmux

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
# pairs, leaks: each done by a new thread
WORK = [(1009, 7), (10007, 0), (503, 11), (2003, 101)]


def by_thread(report, caller):
    """{(tid, name): [acquired, released, outstanding]} of one calling function, lists of the threads in between."""
    sums = {}
    for site in report["sites"]:
        assert site["acquired"] == sum(t["acquired"] for t in site["threads"]), site
        assert site["released"] == sum(t["released"] for t in site["threads"]), site
        if direct_caller(site) == caller:
            for t in site["threads"]:
                assert t["outstanding"] == t["acquired"] - t["released"]
                row = sums.setdefault((t["tid"], t["name"]), [0, 0])
                row[0] += t["acquired"]
                row[1] += t["released"]
    return sums


@pytest.mark.parametrize("how", [[], ["--strategy", "symtab"]], ids=["usdt", "symtab"])
@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_exact_by_thread(kind, how):
    with Oracle(jdk(kind)) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer("-g", "thread", *how, pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            for pairs, leaks in WORK:
                oracle.do(f"run 1 {pairs} {leaks} 0 0")
            after = oracle.do("run 8 5003 13 0 0")
            final = tracer.stop()[oracle.pid]
            for report in tracer.reports():
                jsonschema.validate(report, SCHEMA)
    assert_no_losses(final)
    want = Expected(before, after)
    assert final["families"]["global"]["acquired"] == want.families["global"]["acquired"]
    churn, leak = by_thread(final, "churn_global"), by_thread(final, "leak_global")
    assert sorted(churn.values()) == sorted([[n, n] for n, _ in WORK] + 8 * [[5003, 5003]])
    assert sorted(leak.values()) == sorted([[n, 0] for _, n in WORK if n] + 8 * [[13, 0]])
    assert all(name.startswith("Thread-") and tid > oracle.pid for tid, name in churn), churn
    # the same thread did both
    leaks = {n: leaks for n, leaks in WORK}
    for who, (made, _) in churn.items():
        if made != 5003:
            assert leak.get(who, [0])[0] == leaks[made]


def test_a_thread_id_that_is_used_again_is_another_thread(oracle):
    oracle.do(*WARM_UP)
    with Tracer("-g", "thread", pids=[oracle.pid], interval="0.1") as tracer:
        tracer.wait_tracing()
        oracle.do("run 1 101 0 0 0")
        seen = tracer.wait_report(lambda r: r["calls"]["NewGlobalRef"] == 101 and not r["sites_pending"])
        [(tid, _)] = by_thread(seen, "churn_global")
        tids = [tid]
        for tries in range(1, 51):  # others may be given the number first
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(tid - 1))
            oracle.do("run 1 103 0 0 0")
            seen = tracer.wait_report(lambda r, n=tries: r["calls"]["NewGlobalRef"] == 101 + 103 * n and not r["sites_pending"])
            now = [t["tid"] for site in seen["sites"] if direct_caller(site) == "churn_global" for t in site["threads"]]
            [tid] = (Counter(now) - Counter(tids)).elements()
            tids = now
            if tids.count(tid) > 1:
                break
        final = tracer.stop()[oracle.pid]
    assert tids.count(tid) > 1, "the kernel gave the number to others each time"
    counts = [t["acquired"] for site in final["sites"] for t in site["threads"] if t["tid"] == tid]
    assert sorted(counts) in ([101, 103], [103, 103])


def test_the_screen_asks_for_threads_later(oracle):
    """What was acquired before the key stays, and is of no thread."""
    oracle.do(*WARM_UP)
    with Tmux(120, 30, "-p", oracle.pid) as t:
        t.until("q quit")
        oracle.do("run 1 503 7 0 0")
        t.until(" 7 new")
        t.keys("5")
        t.until("threads are told apart from now on")
        oracle.do("run 3 1009 11 0 0")
        screen = t.until(lambda screen: " 40 new" in screen and screen.count("Thread-") == 3)
        counts = [line.split()[-4:-2] for line in screen.splitlines() if "Thread-" in line]
        assert counts == 3 * [["1,020", "1,009"]], screen
        [line] = [line for line in screen.splitlines() if line.endswith("not told apart")]
        assert re.search(r" 7 +0/s .* 510 +503 +2 not", line), line  # it grows no more
        t.keys("g")
        t.until("LIBRARY")
        t.keys("5")
        t.until("Thread-")
        t.keys("q")
        assert t.exit_code() == 0


def test_table_and_other_groups(oracle):
    oracle.do(*WARM_UP)
    with Tracer("-g", "thread", "-b", "-d", "1", pids=[oracle.pid], json_out=False) as tracer:
        tracer.wait_tracing()
        oracle.do("run 1 0 1009 0 503")
        assert tracer.proc.wait(60) == 0
        lines = Path(tracer.out.name).read_text().splitlines()
    rows = [line.split() for line in lines if "Thread-" in line]
    assert rows and all(row[2] == "1,512" for row in rows), lines
    done = run_tool("-p", oracle.pid, "--json", "-n", "1", "-i", "0.1")
    assert all(site["threads"] is None for site in json.loads(done.stdout.splitlines()[0])["sites"])
