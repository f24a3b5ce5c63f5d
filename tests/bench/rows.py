# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is measured, as tables: the work, the tracers, the rows of the result, other costs, and the gates."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

from budget import RATES, SHARE, Budget, beyond
from target import Terminal, Tracer, probes

FAMILIES = ("weak", "string", "array", "critical", "local", "monitor", "thread")


# --- what the target does ---------------------------------------------------------------------------


@dataclass
class Work:
    command: str  # of Bench.java; the number of pairs is added
    n: int = 10000
    before: tuple = ()
    after: tuple = ()


WORK = {
    "depth 5": Work("compiled global 5"),
    "hot": Work("compiled global 20"),
    "depth 50": Work("compiled global 50"),
    "plain": Work("compiled plain 20"),
    "interpreted": Work("interpreted global 20"),
    "sites": Work("compiled sites 20"),
    "random": Work("compiled random 4"),
    "threads": Work("threads sites 20", 5000),
    "live": Work("compiled global 20", before=("keep 100000 1",), after=("letgo",)),
    "thread": Work("compiled thread 20", 300),
    "handles": Work("compiled handle 20"),
}
WORK.update({f: Work(f"compiled {f} 20") for f in FAMILIES if f not in WORK})


# --- who traces it ----------------------------------------------------------------------------------


@dataclass
class Traced:
    title: str
    command: object  # of tool, build, pid, library, sites
    live: object = "line"
    families: tuple = ("global",)  # whose sites the command needs, or that must be known to the tool
    needs: str = None  # a program


def ours(*options):
    return lambda tool, build, pid, library, sites: [tool, "-p", pid, "-i", "60", "--json", "-o", "/dev/null", *options]


def floor(only=None, at_entry=()):
    """An empty program at the sites the tool chooses; of some functions at their very entry."""

    def command(tool, build, pid, library, sites):
        if at_entry:
            entries = probes(tool, pid, "global", "--strategy", "symtab")
            sites = [s for s in sites if s["function"] not in at_entry] + [s for s in entries if s["function"] in at_entry]
        places = {("r" if s["cost"] == "uretprobe" else "") + s["offset"]: None
                  for s in sites if only is None or s["function"] in only}
        return [build / "bench/floor", build / "bench/floor.bpf.o", pid, library, *places]

    return command


def bpftrace(script):
    return lambda tool, build, pid, library, sites: ["bpftrace", "-p", pid, "-e", script.replace("LIB", library)]


HANDLES = "handle=libbench:bench_take(ret)/bench_leave(arg0)"
DELETE = "uprobe:LIB:jni_DeleteGlobalRef { delete(@live[arg1]); }"
TRACERS = {
    "none": Traced("nothing", None, families=()),
    "floor": Traced("two empty probes", floor(("NewGlobalRef", "DeleteGlobalRef"))),
    # what was measured when the gate for VMs without USDT probes was set
    "floor entry": Traced("USDT return and entry, empty", floor(("NewGlobalRef", "DeleteGlobalRef"), ("DeleteGlobalRef",))),
    "floor new": Traced("one empty probe", floor(("NewGlobalRef",))),
    "pair": Traced("jnitrace", ours("-e", "global")),
    "count": Traced("jnitrace --count-only", ours("-e", "global", "--count-only")),
    "walk": Traced("jnitrace --memo off", ours("-e", "global", "--memo", "off")),
    "perf": Traced("jnitrace --attach perf", ours("-e", "global", "--attach", "perf")),
    "no usdt": Traced("jnitrace --strategy symtab", ours("-e", "global", "--strategy", "symtab")),
    "bpftrace count": Traced("bpftrace count", bpftrace("uprobe:LIB:jni_NewGlobalRef { @[ustack] = count(); }"),
                             "slower", needs="bpftrace"),
    "bpftrace leak": Traced("bpftrace leak, uretprobe", bpftrace(
        "uretprobe:LIB:jni_NewGlobalRef { @live[retval] = ustack; } " + DELETE), "slower", needs="bpftrace"),
    "bpftrace usdt": Traced("bpftrace leak, USDT", bpftrace(
        "usdt:LIB:hotspot_jni:NewGlobalRef__return { @live[arg0] = ustack; } " + DELETE), "slower", needs="bpftrace"),
    "followed": Traced("jnitrace --pair", ours("--pair", HANDLES), families=()),
    "sampled": Traced("jnitrace --pair --sample 100", ours("--pair", HANDLES, "--sample", "100"), families=()),
    "census": Traced("jnitrace census", lambda tool, build, pid, library, sites:
                     [tool, "census", "-p", pid, "-i", "0.05", "--json", "-o", "/dev/null"], 0.5),
}
for f in FAMILIES:
    TRACERS[f] = Traced(f"jnitrace -e {f}", ours("-e", f), families=(f,))
    TRACERS[f"floor {f}"] = Traced(f"empty probes, {f}", floor(), families=(f,))


# --- the rows ---------------------------------------------------------------------------------------


@dataclass
class Row:
    name: str
    tracer: str
    work: str
    floor: str = "floor"  # None: the target left alone


ROWS = [
    Row("count New, depth 20 + 4 native frames", "count", "hot", "floor new"),
    Row("pair, depth 20 + 4 native (one hot call site)", "pair", "hot"),
    Row("pair, depth 5 + 4 native", "pair", "depth 5"),
    Row("pair, depth 50 + 4 native", "pair", "depth 50"),
    Row("pair, depth 20, only the native method", "pair", "plain"),
    Row("pair, depth 20 + 4 native, interpreted", "pair", "interpreted"),
    Row("pair, 64 call sites at random", "pair", "sites"),
    Row("pair, depth at random 1..32", "pair", "random"),
    Row("pair, 64 call sites, 4 threads", "pair", "threads"),
    Row("pair, 100,000 references live", "pair", "live"),
    Row("pair, no USDT: entry and return probe", "no usdt", "hot", "floor entry"),
    Row("pair, one perf link a probe", "perf", "hot"),
    Row("first visit (no memo), depth 5 + 4 native", "walk", "depth 5"),
    Row("first visit (no memo), depth 20 + 4 native", "walk", "hot"),
    Row("first visit (no memo), depth 50 + 4 native", "walk", "depth 50"),
    Row("first visit (no memo), depth 20, only the method", "walk", "plain"),
    *[Row(f"pair, -e {f}", f, f, f"floor {f}") for f in FAMILIES],
    Row("--pair, depth 20 + 4 native (to the untraced target)", "followed", "handles", None),
    Row("--pair --sample 100 (to --pair)", "sampled", "handles", "followed"),
    Row("census every 50 ms (to the untraced target)", "census", "plain", None),
    Row("bpftrace @[ustack]=count() on New", "bpftrace count", "hot", "floor new"),
    Row("bpftrace leak script, uretprobe", "bpftrace leak", "hot"),
    Row("bpftrace leak script, USDT", "bpftrace usdt", "hot"),
]


# --- what the tool itself takes ---------------------------------------------------------------------


@dataclass
class Cost:
    """CPU and memory of the tool while the target works at a steady rate."""

    key: str
    title: str
    work: str
    live: int = 0
    RATE = 10000

    def measure(self, bench):
        seconds = 2 if bench.args.quick else 5
        command = [str(c) for c in (bench.tool, "-p", bench.target.pid, "-e", "global", "-i", "1", "-o", "/dev/null")]
        with Tracer(command, "line", bench.target) as tracer:
            if self.live:
                bench.target.do(f"keep {self.live} 1")
            bench.target.do(f"pace {self.work} {self.RATE} 1")
            cpu, start = tracer.cpu_s(), time.monotonic()
            bench.target.do(f"pace {self.work} {self.RATE} {seconds}")
            pct = (tracer.cpu_s() - cpu) / (time.monotonic() - start) * 100
            rss = tracer.rss_mb()
            if self.live:
                bench.target.do("letgo")
        return {"cpu_pct": pct, "rss_mb": rss}

    def show(self, r):
        return f"{r['cpu_pct']:.1f} % of one CPU, {r['rss_mb']:.0f} MB"


@dataclass
class Screen:
    """The screen at 1 Hz: CPU of the tool, and how long it takes until a key is answered, at any moment of the second."""

    key: str
    title: str
    stacks: int  # that the live references are of, all told in figures
    work: str
    LIVE, RATE, SIZE = 102400, 5000, (40, 120)
    STEP_S = 0.083  # from key to key: no part of a second, so that all its moments are seen
    KEYS = ((b"/", b"\x1b[?25h"), (b"\r", b"\x1b[?25l"))  # a filter is typed, and not: the cursor is seen, and not

    def press(self, terminal, seconds):
        """Keys until the time is over. Milliseconds until each was answered, and not by what is drawn anyway."""
        took, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            terminal.drain(self.STEP_S)
            key, shown = self.KEYS[len(took) % 2]
            start = time.monotonic()
            os.write(terminal.fd, key)
            terminal.wait(shown)
            took.append((time.monotonic() - start) * 1000)
        return took

    def measure(self, bench):
        seconds = 5 if bench.args.quick else 20
        with Terminal([str(c) for c in (bench.tool, "-p", bench.target.pid, "-e", "global", "-i", "1")], self.SIZE, bench.target) as terminal:
            bench.target.do(f"keep {self.LIVE} {self.stacks}")
            bench.target.ask(f"pace {self.work} {self.RATE} {2 * seconds + 16}")
            terminal.drain(15)  # all sites, named, and once more where the JVM has compiled their code meanwhile
            cpu, start = terminal.cpu_s(), time.monotonic()
            terminal.drain(seconds)
            pct = (terminal.cpu_s() - cpu) / (time.monotonic() - start) * 100
            took = self.press(terminal, seconds)
            bench.target.answer()
            bench.target.do("letgo")
        return {"cpu_pct": pct, "key_ms": statistics.quantiles(took, n=20)[-1], "slowest_ms": max(took), "median_ms": statistics.median(took)}

    def show(self, r):
        return (f"{r['cpu_pct']:.2f} % of one CPU; a key is answered in {r['median_ms']:.1f} ms, 95 % of them in {r['key_ms']:.1f} ms, "
                f"all in {r['slowest_ms']:.1f} ms")


@dataclass
class Recorded:
    """What `record` takes more of a CPU than `-b`, in turns, and how large its file gets in an hour if it goes on like that."""

    key: str
    title: str
    RATE = 5000  # pairs

    def used(self, bench, options, seconds, file=None):
        """CPU time in per cent; and what the file would be after an hour of this, MB."""
        command = [str(c) for c in (bench.tool, *options, "-p", bench.target.pid, "-e", "global", "-i", "1")]
        with Tracer(command, "line", bench.target) as tracer:
            bench.target.do(f"pace ways1024 {self.RATE} 3")  # all sites, named
            cpu, start, begin_bytes = tracer.cpu_s(), time.monotonic(), os.path.getsize(file or "/dev/null")
            bench.target.do(f"pace ways1024 {self.RATE} {seconds}")
            took_s, end_bytes = time.monotonic() - start, os.path.getsize(file or "/dev/null")
            hour_bytes = begin_bytes + (end_bytes - begin_bytes) / took_s * 3600
            return (tracer.cpu_s() - cpu) / took_s * 100, hour_bytes / 2**20

    def measure(self, bench):
        rounds, seconds = (2, 5) if bench.args.quick else (5, 15)
        plain, recorded, hours = [], [], []
        with tempfile.NamedTemporaryFile() as file:
            for _ in range(rounds):
                plain.append(self.used(bench, ["-b", "-o", "/dev/null"], seconds)[0])
                used, hour = self.used(bench, ["record", "-o", file.name], seconds, file.name)
                recorded.append(used)
                hours.append(hour)
        return {"batch_pct": statistics.median(plain), "record_pct": statistics.median(recorded),
                "more_pct": statistics.median(r - p for r, p in zip(recorded, plain)), "hour_mb": statistics.median(hours)}

    def show(self, r):
        return (f"{r['record_pct']:.2f} % of one CPU, {r['batch_pct']:.2f} % of `-b`; an hour would be {r['hour_mb']:.1f} MB, "
                "none of it left out")


@dataclass
class Hour:
    """A recording of an hour by chance, made up, as it is and as it would be without a limit."""

    key: str
    title: str

    def measure(self, bench):
        seconds = 600 if bench.args.quick else 3600
        lines = subprocess.run([bench.build / "bench/recording", str(seconds)], stdout=subprocess.PIPE, check=True, text=True).stdout
        limited, whole = map(json.loads, lines.splitlines())
        return {"mb": limited["mb"], "kept_pct": limited["kept"] / seconds * 100, "cpu_pct": whole["cpu_pct"], "seconds": seconds}

    def show(self, r):
        return (f"{r['mb']:.1f} MB in {r['seconds']} s with {r['kept_pct']:.0f} % of the intervals; "
                f"{r['cpu_pct']:.2f} % of one CPU if all are written")


@dataclass
class Said:
    """What jnitrace itself says that an event costs, beside what it costs."""

    key: str
    title: str
    work: str

    def measure(self, bench):
        command = bench.work_command(self.work)
        alone = min(float(bench.target.do(command)) for _ in range(5))
        with tempfile.NamedTemporaryFile() as out:
            with Tracer([str(c) for c in (bench.tool, "-p", bench.target.pid, "-e", "global", "-i", "0.5", "--json", "-o", out.name)],
                        "line", bench.target):
                ns, end = [], time.monotonic() + 2
                while time.monotonic() < end:
                    ns.append(float(bench.target.do(command)))
            said = json.loads(out.read().splitlines()[-1])["overhead"]["probe_cost_ns_per_event"]
        return {"said_ns": said, "measured_ns": (sorted(ns)[len(ns) // 2] - alone) / 2}

    def show(self, r):
        return f"says {r['said_ns']:,.0f} ns, measured {r['measured_ns']:,.0f} ns"


COSTS = [
    Said("said", "Cost of an event", "hot"),
    Cost("own", "The tool itself at 10,000 pairs/s, 64 sites", "sites"),
    Cost("own sites", "the same with 4,096 sites", "ways"),
    Screen("screen", "The screen at 1 Hz, 1,024 sites, 100,000 references live, nearly all of one", 1, "ways1024"),
    Screen("screen held", "the same where each of 1,024 sites holds 100 of them", 1024, "sites"),
    Budget("budget", f"--budget {SHARE * 100:.0f}% by the target's own clock"),
    Recorded("recorded", "`record` at 10,000 events/s, 1,024 sites"),
    Hour("hour", "An hour that nothing can compress, 1,000 sites"),
    Cost("own live", "the same with 64 sites, 100,000 references live", "sites", 100000),
]


# --- what is asked for ------------------------------------------------------------------------------


@dataclass
class Gate:
    text: str
    value: object  # of the facts: a number, or None
    limit: float


def ratio(tracer, work):
    return lambda facts: facts["rows"].get((tracer, work), {}).get("ratio")


def added(facts, tracer, work):
    return facts["rows"].get((tracer, work), {}).get("added_ns")


def quotient(tracer, other, work="hot"):
    """What one adds to what another adds."""

    def value(facts):
        a, b = added(facts, tracer, work), added(facts, other, work)
        return a / b if a is not None and b else None

    return value


def difference(tracer, work, other):
    def value(facts):
        a, b = ratio(tracer, work)(facts), ratio(tracer, other)(facts)
        return a - b if a is not None and b is not None else None

    return value


def per_frame(less, more, frames):
    """Nanoseconds a frame, of a walk."""

    def value(facts):
        a, b = added(facts, "walk", less), added(facts, "walk", more)
        return (b - a) / frames if a is not None and b is not None else None

    return value


GATES = [
    Gate("pair, one hot call site, Java depth 20 + 4 native frames: to the floor", ratio("pair", "hot"), 1.4),
    Gate("pair, 64 call sites at random: to the floor", ratio("pair", "sites"), 1.5),
    Gate("pair, random depth: to the floor", ratio("pair", "random"), 1.5),
    Gate("pair, 4 threads: to the floor", ratio("pair", "threads"), 1.5),
    Gate("pair to bpftrace's leak script by USDT", quotient("pair", "bpftrace usdt"), 0.65),
    Gate("what 100,000 live references add to the ratio", difference("pair", "live", "hot"), 0.15),
    Gate("count New by complete stack: to one empty probe", ratio("count", "hot"), 1.6),
    Gate("count to bpftrace's @[ustack]=count()", quotient("count", "bpftrace count"), 0.6),
    Gate("no USDT: to two empty probes, USDT return and entry of Delete", ratio("no usdt", "hot"), 1.8),
    Gate("first visit: ns more a Java frame", per_frame("depth 5", "depth 50", 45), 15),
    Gate("first visit: ns more a native frame", per_frame("plain", "hot", 4), 60),
    Gate("start to `tracing`, ms", lambda facts: facts["starts"].get("pair"), 300),
    Gate("the screen at 1 Hz, 1,024 sites, 100,000 references live: % of one CPU",
         lambda facts: facts["costs"].get("screen", {}).get("cpu_pct"), 1),
    Gate("the same where each of 1,024 sites holds 100 of them: % of one CPU",
         lambda facts: facts["costs"].get("screen held", {}).get("cpu_pct"), 1),
    Gate("a key is answered in, ms, 95 of 100 of them", lambda facts: facts["costs"].get("screen", {}).get("key_ms"), 50),
    Gate("the same where each of 1,024 sites holds 100 references, ms", lambda facts: facts["costs"].get("screen held", {}).get("key_ms"), 50),
    Gate("`record` takes more of one CPU than `-b`, %", lambda facts: facts["costs"].get("recorded", {}).get("more_pct"), 0.5),
    Gate("an hour of `record` at 10,000 events/s, 1,024 sites, MB", lambda facts: facts["costs"].get("recorded", {}).get("hour_mb"), 20),
    Gate("an hour of `record` that nothing can compress, MB", lambda facts: facts["costs"].get("hour", {}).get("mb"), 20),
    *[Gate(f"--budget {SHARE * 100:.0f}%, {name}: % of a CPU more, less what is uncertain of it", beyond(name), SHARE * 100) for name in RATES],
    Gate("the target's speed beside a census every 50 ms", ratio("census", "plain"), 1.03),
]
