# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What `--budget` promises, by the target's own clock: CPU time of its work, traced and left alone, in turns."""

import json
import statistics
import tempfile
import time
from dataclasses import dataclass

from target import Tracer

SHARE = 0.01
RATES = {"no calls": 0, "1 k calls/s": 1000, "100 k calls/s": 100_000, "5 M calls/s": 5_000_000}
UNITS_PER_S = 100  # of work, see Bench.units()


def uncertainty(values):
    """Of their median: twice its standard error, by the quartiles."""
    low, _, high = statistics.quantiles(values, n=4)
    return 2 * 1.2533 * (high - low) / 1.349 / len(values) ** 0.5


@dataclass
class Budget:
    """The CPU time that a JVM takes more because it is traced with a budget, of a CPU: attaching and leaving it are in it."""

    key: str
    title: str

    def traced(self, bench, rate, seconds):
        """Of a unit of work, from before the tool starts until it has ended; and its last report."""
        with tempfile.NamedTemporaryFile() as out:
            command = [str(c) for c in (bench.tool, "-p", bench.target.pid, "-e", "global", "--budget", f"{SHARE * 100}%", "-i", "60",
                                        "-d", seconds - 2, "--json", "-o", out.name)]
            bench.target.ask(f"units {rate // 2} {seconds * UNITS_PER_S}")
            time.sleep(0.5)
            with Tracer(command, "line", bench.target) as tracer:
                if tracer.failed:
                    raise SystemExit(tracer.failed)
                took = float(bench.target.answer())
            return took, json.loads(out.read().splitlines()[-1])

    def measure(self, bench):
        turns, seconds = (2, 5) if bench.args.quick else (7, 12)
        rows = {}
        bench.target.do(f"units {max(RATES.values()) // 2} {UNITS_PER_S}")  # what is slow only the first time
        for _ in range(turns):
            for name, rate in RATES.items():
                row = rows.setdefault(name, {"alone_us": [], "traced_us": [], "stated_pct": [], "ends": []})
                row["alone_us"].append(float(bench.target.do(f"units {rate // 2} {seconds * UNITS_PER_S}")))
                took, last = self.traced(bench, rate, seconds)
                row["traced_us"].append(took)
                stated = last["overhead"]["target_cpu_pct"]
                row["stated_pct"].append(None if stated is None or last["overhead"]["probe_cost_ns_per_event"] is None and rate
                                         else stated * last["elapsed_s"] / seconds)
                row["ends"].append(last["end_reason"])
        for row in rows.values():
            more = [(t - a) * UNITS_PER_S / 1e4 for t, a in zip(row["traced_us"], row["alone_us"])]
            row.update(added_pct=statistics.median(more), uncertain_pct=uncertainty(more), turns=turns, seconds=seconds)
        return rows

    def show(self, rows):
        lines = [f"{row['turns']} turns of {row['seconds']} s"
                 for row in list(rows.values())[:1]]
        for name, row in rows.items():
            alone, traced = (statistics.median(row[k]) for k in ("alone_us", "traced_us"))
            known = [s for s in row["stated_pct"] if s is not None]
            stated = f"{statistics.median(known):.2f}" if known else "nothing, as it was left before a call's cost was known"
            ends = ", ".join(f"{end} {row['ends'].count(end)}" for end in sorted(set(row["ends"])))
            lines.append(f"  {name:14} a unit of work {alone:7.1f} us alone, {traced:7.1f} traced: {row['added_pct']:5.2f} % of a CPU more "
                         f"(+-{row['uncertain_pct']:.2f}), stated {stated}; {ends}")
        return "\n".join(lines)


def beyond(name):
    """By how much a row's time is surely beyond what it may be."""

    def value(facts):
        row = facts["costs"].get("budget", {}).get(name)
        return None if row is None else row["added_pct"] - row["uncertain_pct"]

    return value
