# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every number the tracer reports equals what the target did, exactly."""

import json
import os
import re
import signal
from pathlib import Path

import jsonschema
import pytest

from harness import NEW, TOP, WARM_UP, WORK, Expected, Oracle, Tracer, assert_exact, assert_no_losses, direct_caller, jdk

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())


@pytest.mark.asan
@pytest.mark.parametrize("attach", ["multi", "perf"])
@pytest.mark.parametrize("kind, jvm_args", [
    ("17", []),
    ("17", ["-Xcheck:jni"]),
    ("17-stripped", []),
    ("sid-8", []),  # neither symbols nor USDT
    ("sid-17", []),  # built with CET, in another root
    ("sid-21", []),
    ("sid-25", []),
    ("sid-25", ["-Xcheck:jni"]),
], ids=lambda v: v if isinstance(v, str) else "+".join(v) or "plain")
def test_exact(kind, jvm_args, attach):
    with Oracle(jdk(kind), *jvm_args) as oracle:
        before = oracle.do(*WARM_UP)
        with Tracer("--attach", attach, pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do(*WORK)
            final = tracer.stop()[oracle.pid]
            for report in tracer.reports():
                jsonschema.validate(report, SCHEMA)
        assert oracle.do("run 1 2 1 2 1"), "the target runs on"
    assert_exact(final, before, after)
    assert final["target"]["vm"] == "HotSpot"
    assert final["target"]["vm_version"].startswith(("1.8", "8", "25.4") if kind == "sid-8" else kind.replace("sid-", "")[:2])


@pytest.mark.parametrize("attach", ["multi", "perf"])
def test_exact_in_another_pid_namespace(attach):
    with Oracle(jdk("17"), prefix=["unshare", "--pid", "--fork", "--kill-child"], prefix_forks=True) as oracle:
        before = oracle.do(*WARM_UP)
        assert before["pid"] == 1 != oracle.pid
        with Tracer("--attach", attach, pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            after = oracle.do(*WORK)
            assert_exact(tracer.stop()[oracle.pid], before, after)


@pytest.mark.parametrize("attach", ["multi", "perf"])
def test_exact_from_within_a_pid_namespace(attach):
    """As in a privileged container: the pids the kernel tells its probes are not those the tracer sees."""
    # Not --mount-proc: in a plain chroot / is no mount, whose propagation could be changed.
    own_proc = 'mount --make-rprivate /proc && mount -t proc proc /proc && exec "$@"'
    unshare = ["unshare", "--pid", "--mount", "--propagation", "unchanged", "--fork", "--kill-child", "sh", "-c", own_proc, "sh"]
    with Oracle(jdk("17"), prefix=unshare, prefix_forks=True) as oracle:
        before = oracle.do(*WARM_UP)
        enter = ["nsenter", "--target", str(oracle.pid), "--pid", "--mount", "--root"]
        with Tracer("--attach", attach, pids=[1], prefix=enter) as tracer:
            tracer.wait_tracing()
            after = oracle.do(*WORK)
            [child] = Path(f"/proc/{tracer.proc.pid}/task/{tracer.proc.pid}/children").read_text().split()
            os.kill(int(child), signal.SIGINT)
            assert_exact(tracer.end()[1], before, after)


@pytest.mark.parametrize("attach", ["multi", "perf"])
def test_a_process_of_the_same_pid_in_a_namespace_beside(attach):
    """As in two containers: each JVM is process 1, and the tracer of one must neither count the other nor take it for its own."""
    own_proc = 'mount --make-rprivate /proc && mount -t proc proc /proc && exec "$@"'
    unshare = ["unshare", "--pid", "--mount", "--propagation", "unchanged", "--fork", "--kill-child", "sh", "-c", own_proc, "sh"]
    with Oracle(jdk("17"), prefix=unshare, prefix_forks=True) as oracle:
        before = oracle.do(*WARM_UP)
        enter = ["nsenter", "--target", str(oracle.pid), "--pid", "--mount", "--root"]
        with Tracer("--attach", attach, pids=[1], prefix=enter) as tracer:
            tracer.wait_tracing()
            with Oracle(jdk("17"), prefix=unshare, prefix_forks=True) as other:  # becomes java: an exec of process 1
                other.do(*WARM_UP, "run 2 1013 11 509 3")
                after = oracle.do(*WORK)
                [child] = Path(f"/proc/{tracer.proc.pid}/task/{tracer.proc.pid}/children").read_text().split()
                os.kill(int(child), signal.SIGINT)
                final = tracer.end()[1]
    assert final["end_reason"] == "detached"
    assert_exact(final, before, after)


@pytest.mark.parametrize("family, functions", [
    ("global", {"NewGlobalRef", "DeleteGlobalRef"}),
    ("weak", {"NewWeakGlobalRef", "DeleteWeakGlobalRef"}),
])
def test_only_the_chosen_family_is_probed(oracle, family, functions):
    before = oracle.do(*WARM_UP)
    with Tracer("-e", family, pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do("run 2 1009 7 503 5")
        final = tracer.stop()[oracle.pid]
    want = Expected(before, after)
    assert set(final["families"]) == {family} and final["families"][family].items() >= want.families[family].items()
    assert final["calls"] == {f: want.calls[f] for f in functions}
    assert final["overhead"]["probes"] == len(functions)


@pytest.mark.parametrize("how", [[], ["--strategy", "symtab"]], ids=["usdt", "symtab"])
def test_count_only(oracle, how):
    before = oracle.do(*WARM_UP)
    with Tracer("--count-only", *how, pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do(*WORK)
        final = tracer.stop()[oracle.pid]
    jsonschema.validate(final, SCHEMA)
    assert_no_losses(final)
    want = Expected(before, after)
    assert final["calls"] == {f: want.calls[f] for f in NEW.values()}
    for family, f in final["families"].items():
        assert f["acquired"] == want.families[family]["acquired"]
    for counts in (*final["families"].values(), *final["sites"]):
        assert counts["released"] is None and counts["outstanding"] is None
    sums = {}
    for site in final["sites"]:
        name = direct_caller(site)
        sums[name] = (site["function"], sums.get(name, (None, 0))[1] + site["acquired"])
    assert sums == {name: (function, made) for name, (function, made, _) in want.sites.items()}


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_reported_sites_have_file_and_line(kind):
    with Oracle(jdk(kind)) as oracle:
        oracle.do(*WARM_UP)
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            oracle.do("run 1 0 7 0 0")
            final = tracer.stop()[oracle.pid]
    source = (TOP / "tests/fixtures/oracle/oracle.c").read_text().splitlines()
    [site] = final["sites"]
    [frame] = [f for f in site["stack"] if f["symbol"] == "leak_global"]
    assert frame["module"] == "liboracle.so" and frame["type"] == "native"
    assert frame["file"].endswith("oracle.c")
    assert "NewGlobalRef" in source[frame["line"] - 1], frame


def refs_of_vm(target):
    """The VM's own count: (global, weak)."""
    text = target.jdk.run("jcmd", str(target.pid), "Thread.print")
    found = re.search(r"JNI global refs: (\d+), weak refs: (\d+)", text)
    assert found, text[-500:]
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_equals_what_the_vm_counts(kind):
    # Compiler threads that come and go hold references of their own.
    with Oracle(jdk(kind), "-XX:-UseDynamicNumberOfCompilerThreads") as oracle:
        oracle.do(*WARM_UP)
        refs_of_vm(oracle)
        vm_before = refs_of_vm(oracle)
        with Tracer(pids=[oracle.pid]) as tracer:
            tracer.wait_tracing()
            # Threads that never detach would be references of the VM's.
            oracle.do(*(c for c in WORK if c != "threads 11 2 0"))
            vm_after = refs_of_vm(oracle)
            final = tracer.stop()[oracle.pid]
    for family, before, after in zip(("global", "weak"), vm_before, vm_after):
        f = final["families"][family]
        assert after - before == f["acquired"] - f["released"] - f["released_untracked"], (vm_before, vm_after, f)
        assert f["vm_total"] == after, (vm_after, f)


@pytest.mark.asan
def test_program_without_leak(oracle):
    before = oracle.do(*WARM_UP)
    with Tracer(pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do("run 4 30011 0 10007 0", "reuse 4 10007", "hold 1009", "letgo")
        final = tracer.stop()[oracle.pid]
    assert_exact(final, before, after)
    for family in final["families"].values():
        assert family["outstanding"] == 0
    assert all(site["outstanding"] == 0 and site["oldest_s"] is None for site in final["sites"])


def test_counters_never_go_down(oracle):
    before = oracle.do(*WARM_UP)
    oracle.do("spin 4")
    with Tracer(pids=[oracle.pid], interval="0.1") as tracer:
        tracer.wait_report(lambda r: r["elapsed_s"] > 3 and len(tracer.reports()) > 10)
        final = tracer.stop()[oracle.pid]
        reports = tracer.reports()
    oracle.do("stop")
    for earlier, later in zip(reports, reports[1:]):
        assert all(later["calls"][f] >= n for f, n in earlier["calls"].items())
        for family, f in earlier["families"].items():
            assert all(later["families"][family][k] >= f[k] for k in ("acquired", "released", "released_untracked"))
    assert_no_losses(final)
    # Nothing is lost between the counters either: what was acquired is released or outstanding.
    for f in final["families"].values():
        assert f["outstanding"] == f["acquired"] - f["released"]
        assert f["outstanding"] <= 4, "at most one a thread is held when the probes go"
    assert Expected(before, oracle.now).calls["NewGlobalRef"] >= final["calls"]["NewGlobalRef"] > 10000


@pytest.mark.asan
def test_many_distinct_sites(oracle):
    oracle.do(*WARM_UP)
    with Tracer(pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        oracle.do("sites 4096")
        final = tracer.stop()[oracle.pid]
    names = [site["stack"][0]["symbol"] for site in final["sites"] if direct_caller(site) == "distinct"]
    assert len(names) == 4096 and len(set(names)) == 4096
    assert all(site["acquired"] == 1 for site in final["sites"])
    assert len({site["id"] for site in final["sites"]}) == 4096
    assert_no_losses(final)


def test_site_ids_are_equal_in_every_process():
    ids = []
    for _ in range(2):
        with Oracle(jdk("17")) as oracle:
            oracle.do(*WARM_UP)
            with Tracer(pids=[oracle.pid]) as tracer:
                tracer.wait_tracing()
                oracle.do("run 1 0 7 0 5")
                final = tracer.stop()[oracle.pid]
        ids.append({direct_caller(s): s["id"] for s in final["sites"]})
    assert ids[0] == ids[1] and set(ids[0]) == {"leak_global", "leak_weak"}
