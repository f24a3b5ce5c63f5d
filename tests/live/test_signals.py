# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A signal is obeyed within 200 ms wherever the tool is. Only the tool's own time counts: neither it, nor a helper it waits for,
nor this test can help it when the machine gives the CPU to others, and the kernel says how long that was (schedstat).
"""

import contextlib
import fcntl
import itertools
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from fuse import device
from harness import (ENV, FIXTURES, JNITRACE, SLOW, TOP, WARM_UP, Program, assert_exact, bpf_ids, bpf_objects, jdk, read_line,
                     wait_until)

MAKE = TOP / "tests/fixtures/hostile/make.py"
LIMIT_S = 0.2
SITES = 400


def waited_ns(task):
    """How long it was ready to run without a CPU."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return int(Path(f"/proc/{task}/schedstat").read_text().split()[1])
    return 0


class Watch:
    """A process from a signal to its end, and how much of that it merely waited for a CPU; so, too, a helper it waits for."""

    def __init__(self, pid, sig=signal.SIGINT):
        self.pid = pid
        self.before = self.look()
        self.began_ns = self.alive_ns = time.time_ns()
        self.samples, seen, end = [], {}, time.monotonic() + SLOW
        os.kill(pid, sig)
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] != "Z":
            assert time.monotonic() < end, "it did not end"
            self.alive_ns = time.time_ns()
            seen.update(self.look())
            self.samples.append((self.alive_ns, sum(max(0, ns - self.before.get(task, 0)) for task, ns in seen.items())))
            time.sleep(0.002)
        seen.update(self.look())
        self.samples.append((time.time_ns(), sum(max(0, ns - self.before.get(task, 0)) for task, ns in seen.items())))

    def look(self):
        tasks = [f"{self.pid}/task/{self.pid}"]
        with contextlib.suppress(FileNotFoundError):
            tasks += Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {task: waited_ns(task) for task in tasks}

    def until_s(self, when_ns):
        return (when_ns - self.began_ns - next(waits for at, waits in self.samples if at >= when_ns)) / 1e9

    def end_s(self):
        return self.until_s(self.alive_ns)

    def written_s(self, path):
        """Until its output was whole."""
        return self.until_s(Path(path).stat().st_mtime_ns)


def start(*args, stdout=subprocess.DEVNULL):
    return subprocess.Popen([str(JNITRACE), *map(str, args)], env=ENV, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                            bufsize=0)


def fastest_s(limit_s, go):
    """Of three goes at most: what else a machine does can only make one longer."""
    least_s = float("inf")
    for _ in range(3):
        least_s = min(least_s, go())
        if least_s < limit_s:
            break
    return least_s


def leak(program, path, n=SITES):
    program.tell(f"{path} {n}")
    assert program.answer() == f"{n}\n"


@pytest.fixture(name="victim", scope="module")
def _victim():
    with Program(jdk("17"), "Hostile", "libhostile.so") as program:
        assert program.answer() == "ready\n"
        yield program


@pytest.fixture(name="make")
def _make(tmp_path):
    made = itertools.count()

    def make(kind):
        path = tmp_path / f"lib{kind}{next(made)}.so"  # a new one each time: what has been named is not named again
        subprocess.run([sys.executable, "-B", str(MAKE), kind, str(FIXTURES / "libvictim.so"), str(path)], check=True, timeout=SLOW)
        return path
    return make


@pytest.mark.parametrize("kind", ["plain", "functions", "entries"])
def test_naming(victim, make, tmp_path, kind):
    """The last report is out, with all that is known by then, though 400 sites have no name yet and names take seconds."""
    def go():
        path, out = make(kind), tmp_path / "out"
        proc = start("-p", victim.pid, "--json", "-o", out)
        assert read_line(proc.stderr).startswith("jnitrace: tracing")
        leak(victim, path)
        watch = Watch(proc.pid)
        assert proc.wait() in (0, 5), proc.stderr.read()
        [final] = [r for r in map(json.loads, out.read_text().splitlines()) if r["final"]]
        assert sum(s["acquired"] for s in final["sites"] if s["stack"] and s["stack"][0]["module"] == path.name) == SITES
        return watch.written_s(out)
    assert fastest_s(LIMIT_S, go) < LIMIT_S


@pytest.mark.parametrize("delay_ms", range(0, 320, 40))
def test_attaching(victim, delay_ms):
    """Whenever it comes: before there is something to report, and in the moment when it is attached."""
    def go():
        proc = start("-p", victim.pid, "-e", "all", "--check")
        time.sleep(delay_ms / 1e3)
        watch = Watch(proc.pid)
        assert proc.wait() in (0, -signal.SIGINT), proc.stderr.read()
        return watch.end_s()
    assert fastest_s(LIMIT_S, go) < LIMIT_S


def stalled(pid):
    """It waits for whoever reads its output: for longer than for its own reader of memory and files, which answers at once."""
    def polls():
        time.sleep(0.02)
        return Path(f"/proc/{pid}/wchan").read_text() in ("do_poll", "do_sys_poll", "poll_schedule_timeout.constprop.0")

    return all(polls() for _ in range(5))


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_reader_that_takes_nothing(victim, make, kind):
    """What is in a pipe waits there for its reader, that of a socket is lost, and said to be."""
    def go():
        path = make("plain")
        reader, writer = os.pipe() if kind == "pipe" else (s.detach() for s in socket.socketpair())
        proc = start("-p", victim.pid, "--json", "-i", "0.05", stdout=writer)
        os.close(writer)
        assert read_line(proc.stderr).startswith("jnitrace: tracing")
        leak(victim, path, 100)  # of which a report is less than the megabyte that any pipe may have
        wait_until(lambda: stalled(proc.pid))
        watch = Watch(proc.pid)
        code, said = proc.wait(), proc.stderr.read()
        with open(reader, "rb") as f:
            lines = f.read().split(b"\n")
        if kind == "pipe":
            assert code == 0, said
            assert json.loads(lines[-2])["final"] and not lines[-1]
        else:
            assert code == 1 and b"interrupted, and nobody reads it" in said
        return watch.end_s()
    limit_s = LIMIT_S + (0 if kind == "pipe" else 0.1)
    assert fastest_s(limit_s, go) < limit_s


def test_reader_that_takes_nothing_of_the_last_report(victim, make):
    """The report is made, and its reader is given 100 ms."""
    def go():
        path = make("plain")
        reader, writer = (s.detach() for s in socket.socketpair())
        proc = start("-p", victim.pid, "--json", "-i", "1000", stdout=writer)
        os.close(writer)
        assert read_line(proc.stderr).startswith("jnitrace: tracing")
        leak(victim, path)
        watch = Watch(proc.pid)
        code, said = proc.wait(), proc.stderr.read()
        os.close(reader)
        assert code == 1 and b"interrupted, and nobody reads it" in said
        return watch.end_s()
    assert fastest_s(2 * LIMIT_S, go) < 2 * LIMIT_S


def test_fifo_without_reader(victim, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def go():
        proc = start("-p", victim.pid, "-o", fifo)
        wait_until(lambda: stalled(proc.pid))
        watch = Watch(proc.pid)
        assert proc.wait() in (1, -signal.SIGINT)
        return watch.end_s()
    assert fastest_s(LIMIT_S, go) < LIMIT_S


class Disk:
    """A file system of its own. While it is frozen, the kernel keeps whoever writes to it in the middle of that."""

    def __init__(self, folder):
        self.path = folder / "disk"
        self.path.mkdir()
        image = folder / "image"
        with image.open("wb") as f:
            f.truncate(64 << 20)
        self.run("mkfs.ext4", "-q", image)
        device("/dev/loop-control", stat.S_IFCHR, 10, 237)
        for number in range(8):
            device(f"/dev/loop{number}", stat.S_IFBLK, 7, number)
        self.run("mount", "-o", "loop", image, self.path)

    @staticmethod
    def run(*args):
        subprocess.run(args, check=True, timeout=SLOW)

    @contextlib.contextmanager
    def frozen(self):
        self.run("fsfreeze", "--freeze", self.path)
        try:
            yield
        finally:
            self.run("fsfreeze", "--unfreeze", self.path)


@pytest.fixture(name="disk")
def _disk(tmp_path):
    disk = Disk(tmp_path)
    yield disk
    disk.run("umount", disk.path)


def heard_or_ended(pid):
    return all(int(mask, 16) == 0 for mask in re.findall(r"^S[hi][dg]Pnd:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.M))


@pytest.mark.parametrize("to, signals", [("--output", 1), ("--record", 2)])
def test_disk_that_does_not_answer(oracle, disk, to, signals):
    """The process runs on meanwhile, and is counted. When the disk answers, the last report is whole, or, after a second signal, none is."""
    path = disk.path / "it"
    oracle.do(*WARM_UP)
    proc = start("-p", oracle.pid, "--json", "-i", "0.1", to, path)
    assert read_line(proc.stderr).startswith("jnitrace: tracing")
    held, before = bpf_objects(proc.pid), oracle.now
    with disk.frozen():
        wait_until(lambda: Path(f"/proc/{proc.pid}/stat").read_text().rpartition(")")[2].split()[0] == "D")
        after = oracle.do("run 2 101 7 53 5")
        proc.send_signal(signal.SIGINT)
        wait_until(lambda: heard_or_ended(proc.pid))
        if signals > 1:  # as often as it takes: one that follows at once is the same
            def ends():
                proc.send_signal(signal.SIGINT)
                return len(os.listdir(f"/proc/{proc.pid}/task")) == 1
            wait_until(ends)
        assert proc.poll() is None
    code = proc.wait(SLOW)
    assert code == (0 if signals == 1 else -signal.SIGINT), proc.stderr.read()
    if signals == 1 and to == "--output":
        final = json.loads(path.read_text().splitlines()[-1])
        assert final["final"]
        assert_exact(final, before, after)
    wait_until(lambda: not held & bpf_ids())
    assert oracle.do("run 1 2 1 2 1")


@pytest.mark.parametrize("args", [["census", "--classes", "-p"], ["census", "--watch", "-p"], ["probes", "-p"]], ids=" ".join)
def test_commands(oracle, args):
    """A million references are read."""
    oracle.do("hold 1000003")
    for i in range(4):
        def go(delay_s=0.05 * i):
            proc = start(*args, oracle.pid)
            time.sleep(delay_s)
            watch = Watch(proc.pid)
            assert proc.wait() in (0, -signal.SIGINT)
            return watch.end_s()
        assert fastest_s(LIMIT_S, go) < LIMIT_S, i


def test_screen(victim):
    def go():
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
            os.execve(str(JNITRACE), ["jnitrace", "-p", str(victim.pid), "-i", "0.2"], dict(ENV, TERM="xterm"))
        seen, end = b"", time.monotonic() + SLOW
        while b"q quit" not in seen:
            assert time.monotonic() < end and select.select([fd], [], [], SLOW)[0]
            seen += os.read(fd, 65536)
        watch = Watch(pid)
        _, status = os.waitpid(pid, 0)
        os.close(fd)
        assert os.waitstatus_to_exitcode(status) == 0
        return watch.end_s()
    assert fastest_s(LIMIT_S, go) < LIMIT_S


def test_second_signal(victim):
    """It ends the tool while nobody takes the last report, which is given up a little later by itself."""
    def go():
        reader, writer = (s.detach() for s in socket.socketpair())
        proc = start("-p", victim.pid, "--json", "-i", "0.05", stdout=writer)
        os.close(writer)
        assert read_line(proc.stderr).startswith("jnitrace: tracing")
        wait_until(lambda: stalled(proc.pid))
        proc.send_signal(signal.SIGTERM)
        time.sleep(0.25)
        took_s = 0
        if proc.poll() is None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                took_s = Watch(proc.pid).end_s()
        assert proc.wait() in (1, -signal.SIGINT)
        os.close(reader)
        return took_s
    assert fastest_s(LIMIT_S, go) < LIMIT_S
