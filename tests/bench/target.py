# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The JVM that is measured, and the tracers that are attached to it."""

import fcntl
import json
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

JAVA = next(Path("/usr/lib/jvm").glob("java-17-openjdk-*/bin/java"))
OPTIONS = ["-Xms64m", "-Xmx256m", "-XX:+UseG1GC", "-XX:CompileCommand=quiet", "-XX:CompileCommand=dontinline,Bench.*",
           "-XX:CompileCommand=exclude,Bench.interpreted"]


class Target:
    def __init__(self, build):
        self.proc = subprocess.Popen([JAVA, *OPTIONS, "-cp", build / "bench", "Bench", build / "bench/libbench.so"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.proc.pid
        self.answer()
        version = subprocess.run([JAVA, "-version"], capture_output=True, text=True, check=True).stderr
        self.version = version.splitlines()[0]

    def ask(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def answer(self):
        line = self.proc.stdout.readline().strip()
        if not line:
            raise SystemExit("the target of the benchmark is gone")
        return line

    def do(self, line):
        self.ask(line)
        return self.answer()

    def end(self):
        self.proc.stdin.close()
        self.proc.wait()


def probes(tool, pid, family, *options):
    """What the tool would probe of a family: the lines of `jnitrace probes --json`, or why there are none."""
    done = subprocess.run([tool, "probes", "-p", str(pid), "-e", family, "--json", *options], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout:
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no probes"
    return [json.loads(line) for line in done.stdout.splitlines()]


class Tracer:
    """A tracer of the target, from when it is live until the with block ends.

    live: how to know. "line": it says `tracing`; "slower": the target's calls take longer; else seconds to wait.
    """

    LIMIT_S = 30
    SETTLE_S = 1  # from the first probe to the last of one that attaches them one by one
    STEADY_S = 0.3  # right after an attach the target may be some per cent slower

    def __init__(self, command, live, target):
        self.command, self.live, self.target = command, live, target
        self.proc = self.failed = self.start_ms = self.stop_ms = None

    def __enter__(self):
        alone = min(float(self.target.do("compiled plain 20 2000")) for _ in range(3)) if self.live == "slower" else 0
        start = time.monotonic()
        self.proc = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if self.live == "line":
            line = ""
            for line in self.proc.stderr:
                if "tracing" in line:
                    break
            else:
                self.failed = line.strip() or f"{self.command[0]} did not start"
        elif self.live == "slower":
            while float(self.target.do("compiled plain 20 2000")) < alone + 250:
                if self.proc.poll() is not None or time.monotonic() - start > self.LIMIT_S:
                    self.failed = f"{self.command[0]} did not start"
                    break
            time.sleep(self.SETTLE_S)
        else:
            time.sleep(self.live)
        self.start_ms = (time.monotonic() - start) * 1000 - (self.SETTLE_S * 1000 if self.live == "slower" else 0)
        if self.live == "line":
            time.sleep(self.STEADY_S)
        return self

    def __exit__(self, *_):
        start = time.monotonic()
        self.proc.send_signal(signal.SIGTERM)  # not SIGINT: who runs in the background is given it ignored
        try:
            self.proc.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.communicate()
        self.stop_ms = (time.monotonic() - start) * 1000

    def rss_mb(self):
        return resident_mb(self.proc.pid)

    def cpu_s(self):
        """Of its main thread, which does the work, by the scheduler's own clock."""
        return int(Path(f"/proc/{self.proc.pid}/schedstat").read_text(encoding="utf-8").split()[0]) / 1e9


class Terminal(Tracer):
    """A tracer on a terminal of its own, which takes whatever it is sent."""

    def __init__(self, command, size, target):
        super().__init__(command, "screen", target)
        self.size, self.fd = size, None

    def __enter__(self):
        self.fd, tty = pty.openpty()
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("4H", *self.size, 0, 0))
        self.proc = subprocess.Popen(self.command, stdin=tty, stdout=tty, stderr=tty, start_new_session=True,
                                     env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"})
        os.close(tty)
        seen = b""
        while b"q quit" not in seen:
            seen += os.read(self.fd, 65536)
        return self

    def __exit__(self, *_):
        self.proc.send_signal(signal.SIGTERM)
        while self.proc.poll() is None:
            self.drain(0.1)
        os.close(self.fd)

    def wait(self, wanted):
        """For this to be drawn."""
        seen = b""
        while wanted not in seen:
            if not select.select([self.fd], [], [], self.LIMIT_S)[0]:
                raise SystemExit("the screen answers no key")
            seen = seen[-len(wanted):] + os.read(self.fd, 65536)

    def drain(self, seconds):
        """All that is drawn for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                try:
                    os.read(self.fd, 65536)
                except OSError:  # it has gone
                    time.sleep(left)


def resident_mb(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6
