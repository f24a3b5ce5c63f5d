#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tool takes for many small JVMs of one library under --all: memory, descriptors, CPU time.

Runs in a pid namespace of its own, so that it sees no other JVM and no other test sees these.
Each JVM makes references from 50 call sites and some threads once, and a few of them every second.

Usage: many.py [BUILD] [--jvms N] [--seconds S] [--json] [-- options of jnitrace]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

JAVA = next(Path("/usr/lib/jvm").glob("java-17-openjdk-*/bin/java"))
SMALL = ["-Xmx16m", "-Xss256k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
SETTLE_S = 3
START_S = 120


class Jvm:
    def __init__(self, fixtures):
        argv = [JAVA, *SMALL, "-cp", fixtures, "Oracle", fixtures / "liboracle.so"]
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, command=None):
        if command:
            self.proc.stdin.write(command + "\n")
            self.proc.stdin.flush()
        line = self.proc.stdout.readline()
        if not line:
            raise SystemExit("a JVM of the benchmark is gone")
        return json.loads(line)


def status(pid):
    """Memory in MB, by kind."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    kb = {k: int(v.split()[0]) for k, v in (line.split(":", 1) for line in lines) if k in ("VmRSS", "RssAnon", "RssFile", "RssShmem", "VmHWM")}
    return {k: round(v / 1024, 1) for k, v in kb.items()}


def descriptors(pid):
    """How many, by kind."""
    kinds = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kind = os.readlink(fd)
        except FileNotFoundError:
            continue
        kind = "pidfd" if kind.startswith(("anon_inode:[pidfd]", "pidfd:")) else kind if kind.startswith("anon_inode:") else \
            "directory" if os.path.isdir(fd) else "file"
        kinds[kind] = kinds.get(kind, 0) + 1
    return dict(sorted(kinds.items(), key=lambda k: -k[1]))


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(build, args):
    jvms = [Jvm(build / "fixtures") for _ in range(args.jvms)]
    for jvm in jvms:
        jvm.do()
        jvm.do("run 2 3 2 3 2")
    time.sleep(SETTLE_S)
    start = time.monotonic()
    tool = subprocess.Popen([build / "jnitrace", "-a", "-b", "-i", "1", "-d", str(START_S + args.seconds), *args.options],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in tool.stderr:
        if "tracing" in line:
            break
        print(line, end="", file=sys.stderr)
    if tool.poll() is not None:
        raise SystemExit("jnitrace did not start")
    out = {"jvms": args.jvms, "start_s": round(time.monotonic() - start, 2), "start_cpu_s": cpu_s(tool.pid)}
    for jvm in jvms:
        jvm.do("sites 41")
        jvm.do("threads 3 2 1")
    time.sleep(SETTLE_S)
    before = cpu_s(tool.pid)
    end = time.monotonic() + args.seconds
    out["memory_mb_first"] = status(tool.pid)
    while time.monotonic() < end:
        for _ in range(args.churn):
            jvms.pop(0).proc.kill()
            jvms.append(Jvm(build / "fixtures"))
            jvms[-1].do()
        for jvm in jvms:
            jvm.do("run 2 17 2 5 1")
        time.sleep(max(0, min(1, end - time.monotonic())))
    out["cpu_pct"] = round(100 * (cpu_s(tool.pid) - before) / args.seconds, 2)
    out["memory_mb"] = status(tool.pid)
    kinds = descriptors(tool.pid)
    out["descriptors"] = {"all": sum(kinds.values()), **kinds}
    if args.smaps:
        Path(args.smaps).write_text(Path(f"/proc/{tool.pid}/smaps").read_text(encoding="utf-8"), encoding="utf-8")
    tool.terminate()
    tool.communicate()
    out["exit_code"] = tool.returncode
    for jvm in jvms:
        jvm.proc.kill()
    for jvm in jvms:
        jvm.proc.wait()
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", nargs="?", default="build", type=Path)
    parser.add_argument("--jvms", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--churn", type=int, default=0, metavar="N", help="JVMs that end and are replaced in a round of a second or more")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smaps", help="keep the tool's smaps in this file")
    parser.add_argument("options", nargs="*", help="of jnitrace, behind --")
    args = parser.parse_args()
    if os.environ.get("JNITRACE_MANY") != "inside":
        env = dict(os.environ, JNITRACE_MANY="inside")
        os.execvpe("unshare", ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-B", *sys.argv], env)
    out = measure(args.build.resolve(), args)
    if args.json:
        print(json.dumps(out))
        return
    for name, value in out.items():
        print(f"{name:12} {value if not isinstance(value, dict) else ', '.join(f'{k} {v}' for k, v in value.items())}")


if __name__ == "__main__":
    main()
