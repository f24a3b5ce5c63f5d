#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What tracing costs, all measured in one run on one JVM, as ratios to the floor: the same probes with an
empty program.

In each round every tracer is attached once and does all its work, so that a noisy neighbour disturbs all
alike; a ratio is taken within a round, and its median over the rounds is what is printed. Times are CPU time
of the thread that calls, the least of some short batches; start and stop are by the clock, the least of the rounds.

Usage: run.py [BUILD] [--quick] [--rounds N] [--only WORD] [--json FILE|-] [--gates]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
from pathlib import Path

from rows import COSTS, GATES, ROWS, TRACERS, WORK
from target import Target, Tracer, probes


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


class Bench:
    """The times of all work below all tracers, by round."""

    def __init__(self, build, args):
        self.build = build
        self.args = args
        self.tool = build / "jnitrace"
        self.target = Target(build)
        self.sites = {}  # by family
        self.library = None
        self.times = {}  # (tracer, work) -> ns of each round
        self.starts, self.stops, self.memory = {}, {}, {}
        self.left_out = {}  # tracer -> why

    def wanted(self, row):
        return not self.args.only or self.args.only in f"{row.name} {row.tracer} {row.work}"

    def plan(self):
        """Tracer -> the work to be done below it. Every row needs its floor and the untraced target too."""
        plan = {}
        for row in ROWS:
            if not self.wanted(row):
                continue
            tracers = ["none", row.tracer] + ([row.floor] if row.floor else [])
            for name in tracers:
                works = plan.setdefault(name, [])
                if row.work not in works:
                    works.append(row.work)
        for name in list(plan):
            why = self.unusable(name)
            if why:
                self.left_out[name] = why
                del plan[name]
        return plan

    def unusable(self, name):
        t = TRACERS[name]
        if t.needs and self.args.quick:
            return "not by --quick"
        if t.needs and not shutil.which(t.needs):
            return f"{t.needs} is not installed"
        for family in t.families:
            if family not in self.sites:
                listed = probes(self.tool, self.target.pid, family)
                if isinstance(listed, str):
                    return listed
                self.sites[family] = listed
                self.library = listed[0]["target"]["library"]
        return None

    def command(self, name):
        t = TRACERS[name]
        sites = [s for f in t.families for s in self.sites[f]]
        return [str(c) for c in t.command(self.tool, self.build, self.target.pid, self.library, sites)]

    def work_command(self, work):
        w = WORK[work]
        return f"{w.command} {max(w.n // (4 if self.args.quick else 1), 50)}"

    def measure(self, work, batches):
        w, command = WORK[work], self.work_command(work)
        for line in w.before:
            self.target.do(line)
        self.target.do(command)  # what is slow only the first time
        best = min(float(self.target.do(command)) for _ in range(batches))
        for line in w.after:
            self.target.do(line)
        return best

    def run_tracer(self, name, works):
        batches = 3 if self.args.quick else 6
        if name == "none":
            for work in works:
                self.times.setdefault((name, work), []).append(self.measure(work, batches))
            return
        with Tracer(self.command(name), TRACERS[name].live, self.target) as tracer:
            if tracer.failed:
                self.left_out[name] = tracer.failed
                return
            for work in works:
                self.times.setdefault((name, work), []).append(self.measure(work, batches))
            rss = tracer.rss_mb()
        self.starts.setdefault(name, []).append(tracer.start_ms)
        self.stops.setdefault(name, []).append(tracer.stop_ms)
        self.memory.setdefault(name, []).append(rss)

    def warm_up(self, works):
        for work in works:
            for _ in range(3):
                self.target.do(f"{WORK[work].command} {WORK[work].n}")

    def run(self):
        plan = self.plan()
        self.warm_up(plan.get("none", []))
        for r in range(self.args.rounds):
            for name, works in plan.items():
                if name not in self.left_out:
                    self.run_tracer(name, works)
            if sys.stderr.isatty():
                print(f"\rround {r + 1} of {self.args.rounds}", end="", file=sys.stderr)
        if sys.stderr.isatty():
            print("\r" + " " * 30 + "\r", end="", file=sys.stderr)

    def added(self, tracer, work):
        """Nanoseconds a pair takes longer, by round."""
        times, base = self.times.get((tracer, work), []), self.times.get(("none", work), [])
        return [t - b for t, b in zip(times, base)]

    def result(self, row):
        base, ours = median(self.times.get(("none", row.work), [])), self.added(row.tracer, row.work)
        r = {"row": row.name, "tracer": row.tracer, "work": row.work, "ratio_to": row.floor or "none",
             "untraced_ns": base, "added_ns": median(ours), "floor_ns": None, "ratio": None, "ratio_quartiles": None,
             "left_out": self.left_out.get(row.tracer) or self.left_out.get(row.floor)}
        if not ours:
            return r
        if row.floor:
            floors = self.added(row.floor, row.work)
            r["floor_ns"] = median(floors)
            ratios = [o / f for o, f in zip(ours, floors) if f > 0]
        else:  # as it is, to the target left alone
            ratios = [t / b for t, b in zip(self.times[row.tracer, row.work], self.times["none", row.work])]
        if ratios:
            r["ratio"] = median(ratios)
            r["ratio_quartiles"] = statistics.quantiles(ratios, n=4)[::2] if len(ratios) > 1 else ratios * 2
        return r


def show(bench, rows):
    width = max(len(r["row"]) for r in rows) if rows else 0
    print(f"{'':{width}} {'untraced':>9} {'floor':>7} {'added':>8} {'ratio':>6}  (quartiles)")
    for r in rows:
        if r["left_out"]:
            print(f"{r['row']:{width}} left out: {r['left_out']}")
            continue
        floor = f"{r['floor_ns']:,.0f}" if r["floor_ns"] else "-"
        low, high = r["ratio_quartiles"] or (0, 0)
        print(f"{r['row']:{width}} {r['untraced_ns']:>9,.0f} {floor:>7} {r['added_ns']:>8,.0f} {r['ratio'] or 0:>6.2f}  "
              f"({low:.2f} to {high:.2f})")
    print(f"\n{'':{width}} {'start ms':>9} {'stop ms':>8} {'RSS MB':>7}")
    for name, t in TRACERS.items():
        if name in bench.starts:
            print(f"{t.title:{width}} {min(bench.starts[name]):>9.0f} {min(bench.stops[name]):>8.0f} "
                  f"{median(bench.memory[name]):>7.0f}")


def judge(facts):
    """Each gate with what it is held against; None where that was not measured."""
    out = []
    for g in GATES:
        value = g.value(facts)
        out.append({"gate": g.text, "limit": g.limit, "value": value, "holds": None if value is None else value <= g.limit})
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("build", nargs="?", default="build", type=Path)
    p.add_argument("--quick", action="store_true", help="half a minute: less of everything, and nobody else's tools")
    p.add_argument("--rounds", type=int, help="default 9, quick 3")
    p.add_argument("--only", metavar="WORD", help="only rows whose name, tracer or work has this in it")
    p.add_argument("--json", metavar="FILE", help="write the result there too; -: nothing but that, on stdout")
    p.add_argument("--gates", action="store_true", help="exit with 1 when a gate does not hold")
    args = p.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 9)
    bench = Bench(args.build.resolve(), args)
    bench.run()
    costs = {c.key: c.measure(bench) for c in COSTS if args.only in (None, c.key)}
    bench.target.end()
    rows = [bench.result(r) for r in ROWS if bench.wanted(r)]
    facts = {"rows": {(r["tracer"], r["work"]): r for r in rows}, "costs": costs,
             "starts": {n: min(v) for n, v in bench.starts.items()}}
    gates = judge(facts)
    machine = {"kernel": platform.release(), "arch": platform.machine(), "cpus": os.cpu_count(), "java": bench.target.version,
               "rounds": args.rounds, "load": os.getloadavg()[0]}
    out = {"machine": machine, "rows": rows, "costs": costs, "gates": gates,
           "tracers": {n: {"start_ms": min(bench.starts[n]), "stop_ms": min(bench.stops[n]), "rss_mb": median(bench.memory[n])}
                       for n in bench.starts}}
    if args.json == "-":
        print(json.dumps(out, indent=1))
    else:
        print(f"{machine['java']}, Linux {machine['kernel']} {machine['arch']}, {machine['cpus']} CPUs, {args.rounds} rounds. "
              "Nanoseconds of CPU time a pair of calls (New + Delete).")
        show(bench, rows)
        print()
        for c in COSTS:
            if c.key in costs:
                print(f"{c.title}: {c.show(costs[c.key])}")
        if costs:
            print()
        for g in gates:
            if args.only and g["holds"] is None:
                continue
            verdict = {True: "holds", False: "DOES NOT HOLD", None: "not measured"}[g["holds"]]
            value = "" if g["value"] is None else f"{g['value']:.2f}"
            print(f"{verdict:14} {value:>8} <= {g['limit']:<7g} {g['gate']}")
        if args.json:
            Path(args.json).write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    if args.gates and any(g["holds"] is False for g in gates):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
