#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What tracing costs, as ratios to the floor (the same probes with an empty program), all in one run.

The rows take turns, so that a noisy neighbour disturbs all alike; medians of the rounds.
Usage: run.py [BUILD] [--rounds N] [--json FILE]
"""

import argparse
import json
import resource
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
JAVA = next(Path("/usr/lib/jvm").glob("java-17-openjdk-*/bin/java"))


class Target:
    def __init__(self, build):
        self.proc = subprocess.Popen([JAVA, "-cp", build / "bench", "Bench", build / "bench/libbench.so"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.proc.stdout.readline()

    def do(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()
        return self.proc.stdout.readline().strip()

    def pairs_ns(self, n, depth=20):
        return min(float(self.do(f"pairs {depth} {n}")) for _ in range(3))


def tracer(command):
    """A tracer that has said it is live; its start in ms."""
    start = time.monotonic()
    proc = subprocess.Popen([str(c) for c in command], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True)
    for line in proc.stdout:
        if "tracing" in line or "Attaching" in line:
            return proc, (time.monotonic() - start) * 1000
    raise SystemExit(f"{command[0]} did not start")


def end(proc):
    start = time.monotonic()
    proc.send_signal(signal.SIGINT)
    proc.wait()
    return (time.monotonic() - start) * 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", nargs="?", default="build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    build = args.build.resolve()
    tool = build / "jnitrace"
    target = Target(build)
    pid = target.proc.pid
    sites = [json.loads(line) for line in subprocess.run([tool, "probes", "-p", str(pid), "--json"], check=True,
                                  capture_output=True, text=True).stdout.splitlines()]
    offsets = [s["offset"] for s in sites if s["function"] in ("NewGlobalRef", "DeleteGlobalRef")]
    library = sites[0]["target"]["library"]
    trace = [tool, "-p", pid, "--json", "-o", "/dev/null", "-i", "60"]
    rows = {
        "two empty probes (the floor)": [build / "bench/floor", build / "bench/floor.bpf.o", pid, library, *offsets],
        "pair, caller and frame pointers": trace,
        "the same, one perf link a site": [*trace, "--attach", "perf"],
        "the same, no USDT (uretprobe)": [*trace, "--strategy", "symtab"],
        "the same, 100,000 references live": trace,
    }
    if shutil.which("bpftrace"):
        release = f"uprobe:{library}:jni_DeleteGlobalRef"
        script = (f"uretprobe:{library}:jni_NewGlobalRef {{ @live[retval] = ustack; }} "
                  f"{release} {{ delete(@live[arg1]); }} END {{ clear(@live); }}")
        rows["bpftrace, leak script"] = ["bpftrace", "-p", pid, "-e", script]
    target.do("pairs 20 300000")
    times, starts, stops = {r: [] for r in rows}, {r: [] for r in rows}, {r: [] for r in rows}
    untraced = [target.pairs_ns(200000)]
    for _ in range(args.rounds):
        for row, command in rows.items():
            proc, start_ms = tracer(command)
            if "bpftrace" in row:
                time.sleep(2)  # it says so before it is live
            if "live" in row:
                target.do("keep 100000")
            times[row].append(target.pairs_ns(8000))
            if "live" in row:
                target.do("letgo")
            starts[row].append(start_ms)
            stops[row].append(end(proc))
        untraced.append(target.pairs_ns(200000))
    target.proc.stdin.close()
    floor = statistics.median(times["two empty probes (the floor)"]) - statistics.median(untraced)
    result = [{"row": r, "ns_per_pair": round(statistics.median(t)), "added_ns": round(statistics.median(t) - statistics.median(untraced)),
           "ratio_to_floor": round((statistics.median(t) - statistics.median(untraced)) / floor, 2),
           "start_ms": round(statistics.median(starts[r])), "stop_ms": round(statistics.median(stops[r]))} for r, t in times.items()]
    print(f"JDK 17, New + Delete in a loop at Java depth 20, {args.rounds} rounds; untraced {statistics.median(untraced):.0f} ns a pair")
    print(f"{'':36} {'ns added':>9} {'ratio':>6} {'start ms':>9} {'stop ms':>8}")
    for r in result:
        print(f"{r['row']:36} {r['added_ns']:>9,} {r['ratio_to_floor']:>6.2f} {r['start_ms']:>9} {r['stop_ms']:>8}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"largest RSS of a tracer: {peak / 1024:.0f} MB")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
