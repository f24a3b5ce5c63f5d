#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tracers for hours, on JVMs whose threads, libraries, mappings and children come and go: what do the tracers take more and more of?

Each row is so many tracers of one JVM, or one tracer of all JVMs of which one comes and goes after another, or an agent of such
JVMs, of which it traces each fifth for a moment. Rows run beside each other, each in a pid namespace of its own with a JDK of its own: no probe of theirs is in a file that others run. At the end every number of every tracer must equal what its JVM did, nothing
may be left behind, and what was sampled may not grow.

Usage: soak.py BUILD [--hours H] [--rows 1 2 5 all agent] [--out FOLDER]
"""

import argparse
import contextlib
import csv
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
ROUND_S = 2  # from one round of work of a JVM to the next
SAMPLE_S = 10
LIBRARIES = 97  # copies that are loaded in turn
STACKS = 97
FEW = 7  # of both, where each JVM is another one: the package of a library is kept by its path, for 4,096 at the most
WARM_UP_PART = 1 / 4  # of the time, and in rows of one JVM no fewer rounds than: what is learnt once is no growth
WARM_UP_ROUNDS = 3 * max(LIBRARIES, STACKS)  # when a library is opened the second time, it has another place, and so new stacks
LEAST_SAMPLES = 20
# What may differ between the ends of the fitted time, as the allocator rounds: kilobytes, or per cent of a CPU.
# Of the heap, what the names of functions and the packages of files take, which are kept once each: a file has only so many, but
# when one is met first is chance. It may grow by so many blocks, and is left out of the others.
LEARNT = "strset_add", "owners_tell"
# A stack without its native frames, as they are when a library was closed just before, may be met at some place for the first time
# after half an hour, when rounds and looks at the mappings fall into step: the sites of a round take so much, once.
NOISE = {"heap_bytes": 32 << 10, "heap_blocks": 32, "learnt_blocks": 100, "anon_kb": 256, "rss_kb": 1024, "cpu_pct": 0.5, "fds": 3, "helpers": 3}
AT_REST = "heap_bytes", "heap_blocks"  # what is in use is the least of so many samples: reports and helpers come and go in between
AT_REST_SAMPLES = 12
ROWS = ("1", "2", "5", "all", "agent")


def harness():
    """It reads JNITRACE_BUILD when it is loaded."""
    import harness as h  # pylint: disable=import-outside-toplevel
    return h


def heap():
    import heap as h  # pylint: disable=import-outside-toplevel
    return h


class SoakTracer:
    """jnitrace whose reports are read at once, and of which the last one of each target is kept."""
    form, begins = ("--json",), b"jnitrace: tracing "
    cpu_fields = slice(11, 15)  # of proc_pid_stat(5), with those of helpers that have ended

    def __init__(self, counts, *args):
        h = harness()
        self.counts = counts
        self.proc = subprocess.Popen(["env", *heap().counting(counts), str(h.JNITRACE), *self.form, *map(str, args)], env=h.ENV, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid, self.last, self.finals, self.stderr, self.held = self.proc.pid, {}, {}, [], set()
        self.tracing, self.learnt = threading.Event(), None
        self.least, self.lock = None, threading.Lock()
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self._read_reports, self._read_stderr)]
        for t in self.threads:
            t.start()

    def _read_reports(self):
        for line in self.proc.stdout:
            pid = int(re.search(rb'"target":\{"pid":(\d+)', line)[1])
            (self.finals if b'"final":true' in line else self.last)[pid] = line

    def _read_stderr(self):
        for line in self.proc.stderr:
            self.stderr.append(line.decode(errors="replace"))
            if line.startswith(self.begins):
                self.tracing.set()
        self.tracing.set()

    def stop(self):
        self.proc.send_signal(signal.SIGINT)
        code = self.proc.wait(harness().SLOW)
        for t in self.threads:
            t.join()
        if code:
            raise AssertionError(f"exit code {code}: {''.join(self.stderr)}")

    def _look(self):
        """Between two samples reports and helpers come and go: what counts is the least of their moments."""
        while self.proc.poll() is None:
            least = self.least
            if not least or heap().in_use(self.counts, self.pid)[1] < least[1]:
                state = heap().state(self.counts, self.pid, self.learnt)
                with self.lock:
                    self.least = min(self.least or state, state, key=lambda s: s[1])
            time.sleep(0.02)

    def at_rest(self):
        if not self.learnt:
            self.learnt = heap().functions(self.pid, LEARNT)
            assert len(self.learnt) == len(LEARNT), "its functions have other names by now"
            threading.Thread(target=self._look, daemon=True).start()
        with self.lock:
            least, self.least = self.least, None
        return least or heap().state(self.counts, self.pid, self.learnt)

    def sample(self):
        """(CPU seconds until now; what it takes)"""
        if self.proc.poll() is not None:
            raise AssertionError(f"a tracer ended with {self.proc.returncode}: {''.join(self.stderr)}")
        status = dict(re.findall(r"^(\w+):\s*(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.M))
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        held = harness().bpf_objects(self.pid)
        self.held |= held
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        used, blocks, learnt_bytes, learnt = self.at_rest()
        taken = {"heap_bytes": used - learnt_bytes, "heap_blocks": blocks - learnt, "learnt_blocks": learnt, "anon_kb": int(status["RssAnon"]), "rss_kb": int(status["VmRSS"]), "fds": len(os.listdir(f"/proc/{self.pid}/fd")),
                 "helpers": len(children)}
        for kind in ("prog", "map", "link"):
            taken[f"bpf_{kind}s"] = sum(k == kind for k, _ in held)
        return sum(map(int, fields[self.cpu_fields])) / os.sysconf("SC_CLK_TCK"), taken


class SoakAgent(SoakTracer):
    """jnitrace agent, which opens windows when it is told to."""
    form, begins = ("agent",), b"jnitrace: agent of all JVMs: "
    cpu_fields = slice(11, 13)  # windows are not its own

    def __init__(self, counts, folder):
        (folder / "token").write_text("open sesame\n")
        super().__init__(counts, "-i", "1", "--budget", "100%", "--listen", "127.0.0.1:0", "--token-file", folder / "token", "--allow-trigger")
        assert self.tracing.wait(harness().SLOW) and self.proc.poll() is None, self.stderr
        self.url = re.search(r"https?://[^/]+", self.stderr[-1])[0]

    def ask(self, path, method="GET"):
        """The agent closes what waits too long on a machine that is full: a question that changes nothing is asked again."""
        request = urllib.request.Request(self.url + path, method=method, headers={"Authorization": "Bearer open sesame"})
        for last in (False, False, True):
            try:
                with urllib.request.urlopen(request, timeout=harness().SLOW) as answer:
                    return answer.read().decode()
            except (ConnectionError, TimeoutError):
                if last or method != "GET":
                    raise

    def knows(self, pid):
        return f'pid="{pid}"' in self.ask("/metrics")

    def window(self, pid):
        """What the last one of this process has become; None: there was none."""
        [line] = [t for t in map(json.loads, self.ask("/api/v1/targets").splitlines()) if t["target"]["pid"] == pid]
        return line["window"] and line["window"]["state"]

    def forget_counts(self):
        """Of what it has started and is gone."""
        for file in Path(self.counts).iterdir():
            if not Path(f"/proc/{file.name}").exists():
                file.unlink(missing_ok=True)


def churn_jvm(on, jvm_args=("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")):
    h = harness()

    class Churn(h.Oracle):
        def main(self, fixtures):
            return "Churn", str(fixtures / "libchurn.so")
    return Churn(on, *jvm_args)


def work(k, folder):
    """Of a round: everything a JVM does seldom, a little of each."""
    yield "churn 1009"
    yield f"maps {harness().FIXTURES}/libleaf.so 7"
    yield "threads 7 7"
    yield "forks 1"
    yield f"paths {k % STACKS} 1"
    yield "letgo"
    yield f"close {folder} {k % LIBRARIES} 1"  # last: until its mappings are read no native frame is believed


def assert_sites(report, want):
    """All is there; without its native frames is only what came right after a library was closed, which its site says."""
    sums = harness().by_caller(report)
    rest = {name: (f, a - sums.get(name, (f, 0, 0))[1], r - sums.get(name, (f, 0, 0))[2]) for name, (f, a, r) in want.items()}
    unknown = {name: counts for name, counts in sums.items() if name not in want}
    assert all(name == "?" or name.startswith("[native frames missing: ") for name in unknown), unknown
    assert all(a >= 0 and r >= 0 for _, a, r in rest.values()), rest
    for column in (1, 2):
        assert sum(c[column] for c in rest.values()) == sum(c[column] for c in unknown.values()), (sums, want)
    return sum(a for _, a, _ in unknown.values())


def assert_exact(report, before, after):
    h = harness()
    want = h.Expected(before, after)
    h.assert_no_losses(report)
    assert {f: report["calls"][f] for f in want.calls} == want.calls, (report["calls"], want.calls)
    for family, counts in want.families.items():
        assert report["families"][family].items() >= counts.items(), (report["families"][family], counts)
    assert after["wrong"] == 0, after
    return assert_sites(report, want.sites)


class Samples:
    """Of one tracer, also kept in a file."""

    def __init__(self, tracer, path):
        self.tracer, self.rows, self.began, self.warm_s = tracer, [], time.monotonic(), math.inf
        self.file = open(path, "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.writer, self.cpu = None, (time.monotonic(), tracer.sample()[0])

    def add(self):
        now, (cpu, taken) = time.monotonic(), self.tracer.sample()
        row = {"s": round(now - self.began, 1), **taken, "cpu_pct": round(100 * (cpu - self.cpu[1]) / (now - self.cpu[0]), 2)}
        self.cpu = now, cpu
        self.rows.append(row)
        if not self.writer:
            self.writer = csv.DictWriter(self.file, row.keys())
            self.writer.writeheader()
        self.writer.writerow(row)
        self.file.flush()


def theil_sen(points):
    """The median slope of all pairs, and the slopes between which the true one is with 95 % (Sen 1968)."""
    points = points[::math.ceil(len(points) / 400)]
    slopes = sorted((y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1:])
    n = len(points)
    half = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2
    middle = len(slopes) / 2
    return statistics.median(slopes), slopes[max(0, int(middle - half))], slopes[min(len(slopes) - 1, math.ceil(middle + half))]


def fit(rows, warm_s):
    """{what: (first, last, slope per hour, low, high, does it grow?)} of what was sampled behind the warm-up."""
    end = rows[-1]["s"]
    kept = [r for r in rows if r["s"] >= max(end * WARM_UP_PART, warm_s)]
    if len(kept) < LEAST_SAMPLES:
        raise AssertionError(f"{len(kept)} samples are too few")
    hours = (kept[-1]["s"] - kept[0]["s"]) / 3600
    fits = {}
    for name in kept[0]:
        if name == "s":
            continue
        points = [(r["s"] / 3600, r[name]) for r in kept]
        if name in AT_REST:
            parts = [points[i:i + AT_REST_SAMPLES] for i in range(0, len(points) - AT_REST_SAMPLES + 1, AT_REST_SAMPLES)]
            points = [min(part, key=lambda p: p[1]) for part in parts] if len(parts) > 3 else points
        slope, low, high = theil_sen(points)
        fits[name] = (points[0][1], points[-1][1], slope, low, high, low > 0 and slope * hours > NOISE.get(name, 0))
    return fits


def left_behind(tracers):
    h = harness()
    ours = set().union(*(t.held for t in tracers))
    with contextlib.suppress(AssertionError):
        h.wait_until(lambda: not ours & h.bpf_ids())
    return ours & h.bpf_ids()


def sample_until(end, samples, warm_up_rounds, do):
    """Rounds of work, and samples, until then."""
    k, next_sample = 0, time.monotonic() + SAMPLE_S
    while time.monotonic() < end:
        began = time.monotonic()
        do(k)
        k += 1
        if k == warm_up_rounds:
            for s in samples:
                s.warm_s = time.monotonic() - s.began
        if time.monotonic() >= next_sample:
            for s in samples:
                s.add()
            next_sample += SAMPLE_S
        time.sleep(max(0, began + ROUND_S - time.monotonic()))


def copy_libraries(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(LIBRARIES):
        shutil.copy(harness().FIXTURES / "libleaf.so", folder / f"libleaf{i}.so")


def row_of_tracers(n, on, seconds, out, counts):
    """n tracers of one JVM."""
    folder = out / f"libraries-{n}"
    copy_libraries(folder)
    with churn_jvm(on) as jvm:
        jvm.do(*work(0, folder), "letgo")  # what is older than a tracer is released, for it, untracked
        tracers = [SoakTracer(counts, "-p", jvm.pid, "-i", SAMPLE_S) for _ in range(n)]
        for t in tracers:
            assert t.tracing.wait(harness().SLOW)
        before = jvm.do("totals")
        samples = [Samples(t, out / f"{n}-{i}.csv") for i, t in enumerate(tracers)]
        sample_until(time.monotonic() + seconds, samples, WARM_UP_ROUNDS, lambda k: jvm.do(*work(k, folder)))
        after = jvm.do("totals")
        jvm.wait_ended()
        for t in tracers:
            t.stop()
        assert jvm.do("churn 3")["wrong"] == 0
    shutil.rmtree(folder)
    return tracers, samples, [(json.loads(t.finals[jvm.pid]), before, after) for t in tracers]


def row_of_all(on, seconds, out, counts):
    """One tracer of all JVMs: one stays, of the others one comes and goes after another."""
    h = harness()
    folder, ended = out / "libraries-all", []
    copy_libraries(folder)
    with churn_jvm(on) as stays:
        tracer = SoakTracer(counts, "-a", "-i", "1")
        assert tracer.tracing.wait(h.SLOW)
        first = stays.do("totals")

        def come_and_go(k):
            stays.do("churn 101")
            with churn_jvm(on) as jvm:
                tracer.last.pop(jvm.pid, None)
                h.wait_until(lambda: jvm.pid in tracer.last)
                before = jvm.do("totals")
                after = jvm.do(*work(k % FEW, folder))
                jvm.wait_ended()
                time.sleep(0.5)  # it looks for new stacks ten times a second
                assert jvm.proc.poll() is None
                jvm.proc.stdin.close()
                assert jvm.proc.wait(h.SLOW) == 0
                h.wait_until(lambda: jvm.pid in tracer.finals)
                final = json.loads(tracer.finals.pop(jvm.pid))
                want = h.Expected(before, after).sites  # its start and its end make calls, too
                h.assert_no_losses(final)
                want.pop("leaf_global")  # which is known by name if it was read in time
                assert h.by_caller(final, of=want) == want and after["wrong"] == 0, (h.by_caller(final), want)
                ended.append(jvm.pid)
                jvm.proc.stdin = open(os.devnull, "wb")  # pylint: disable=consider-using-with

        samples = [Samples(tracer, out / "all-0.csv")]
        sample_until(time.monotonic() + seconds, samples, 1, come_and_go)  # what is learnt of a JVM goes with it
        last = stays.do("totals")
        tracer.stop()
    print(f"all: {len(ended)} JVMs came and went, each exact")
    shutil.rmtree(folder)
    return [tracer], samples, [(json.loads(tracer.finals[stays.pid]), first, last)]


def row_of_agent(on, seconds, out, counts):
    """One JVM comes and goes after another; each fifth is traced, and what its window counted is exact."""
    h, rounds = harness(), []
    agent = SoakAgent(counts, out)
    exact = 0

    def come_and_go(k):
        nonlocal exact
        with churn_jvm(on) as jvm:
            h.wait_until(lambda: agent.knows(jvm.pid))
            if k % 5 == 0:
                agent.ask(f"/api/v1/windows?pid={jvm.pid}&seconds=600", "POST")
                h.wait_until(lambda: agent.window(jvm.pid) == "open")
            before = jvm.do("totals")
            after = jvm.do("churn 1009")
            jvm.wait_ended()
            if k % 5 == 0:
                agent.ask(f"/api/v1/windows?pid={jvm.pid}&seconds=0", "POST")
                h.wait_until(lambda: agent.window(jvm.pid) == "done")
                sites = [s["site"] for s in map(json.loads, agent.ask("/api/v1/sites").splitlines()) if s["target"]["pid"] == jvm.pid]
                want = sorted(h.Expected(before, after).sites.values())  # names may be late, on a busy machine
                assert sorted((s["function"], s["acquired"], s["released"]) for s in sites) == want, (sites, want)
                exact += 1
        h.wait_until(lambda: not agent.knows(jvm.pid))
        agent.forget_counts()
        rounds.append(k)

    samples = [Samples(agent, out / "agent-0.csv")]
    sample_until(time.monotonic() + seconds, samples, 5, come_and_go)
    agent.stop()
    print(f"agent: {len(rounds)} JVMs came and went, {exact} of them traced, each exact")
    return [agent], samples, []


def run_row(name, seconds, out):
    """In a pid namespace of its own. Prints the fits; false when one grows or a number is wrong."""
    jdk = out / f"jdk-{name}"
    shutil.rmtree(jdk, ignore_errors=True)
    on = harness().copy_jdk17(jdk)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as counts:
        rest = (on, seconds, out, counts)
        row = {"all": row_of_all, "agent": row_of_agent}.get(name)
        tracers, samples, results = row(*rest) if row else row_of_tracers(int(name), *rest)
    shutil.rmtree(jdk)
    unnamed = [assert_exact(*result) for result in results]
    good = True
    for i, s in enumerate(samples):
        for what, (a, b, slope, low, high, grows) in fit(s.rows, s.warm_s).items():
            print(f"{name}\t{i + 1}\t{what}\t{a}\t{b}\t{slope:+.2f}\t{low:+.2f} to {high:+.2f}\t{'GROWS' if grows else 'zero'}", flush=True)
            good &= not grows
    rest = left_behind(tracers)
    if results:
        print(f"{name}: {sum(results[0][0]['calls'].values()):,} calls counted exactly by each tracer, of which without native frames {unnamed}")
    print(f"{name}: left behind: {sorted(rest) or 'nothing'}")
    return good and not rest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--inside", choices=ROWS)
    args = parser.parse_args()
    build = args.build.resolve()
    os.environ["JNITRACE_BUILD"] = str(build)
    out = (args.out or build / "soak").resolve()
    out.mkdir(parents=True, exist_ok=True)
    if args.inside:  # the first process of its namespace: whatever it started ends with it
        sys.exit(0 if run_row(args.inside, args.hours * 3600, out) else 1)
    print("row\ttracer\twhat\tfirst\tlast\tslope per hour\t95 %\tverdict", flush=True)
    own = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-B", __file__, str(build), "--out", str(out)]
    rows = [subprocess.Popen([*own, "--hours", str(args.hours), "--inside", row]) for row in args.rows]
    codes = [row.wait() for row in rows]
    sys.stdout.flush()
    print("soak: " + ("all rows are well" if not any(codes) else f"FAILED: {[r for r, c in zip(args.rows, codes) if c]}"))
    sys.exit(any(codes))


if __name__ == "__main__":
    main()
