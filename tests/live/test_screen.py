# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The live view on a terminal: what is drawn fits the screen, keys do what they say, and the terminal is given back."""

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import termios
import time

import pytest

import recorded
from harness import ENV, JNITRACE, SLOW, WARM_UP, bpf_ids, bpf_objects, run_tool, wait_until
from tmux import Tmux

ENTER, LEAVE = b"\033[?1049h", b"\033[?1049l"
ENDED = b"<the tool has ended>"


def lead(tell, args, env, rows, columns):
    """
    In a child that has a terminal for its own: run the tool in it, and stay. A session's leader that ends takes its
    terminal away, and what was written last with it. As a shell does, it passes on that the terminal has gone. It shares
    the tool's process group: nobody could wake it, so the kernel lets no Ctrl-Z stop it.
    """
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    if (pid := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.execve(str(JNITRACE), ["jnitrace", *map(str, args)], env)
    for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(sig, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, lambda *_: os.kill(pid, signal.SIGHUP))
    os.write(tell, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(tell, b"%d\n" % status)
    os.write(1, ENDED)  # behind all that the tool has written
    while True:
        signal.pause()


class Terminal:
    """jnitrace as the foreground of a terminal of its own, whose bytes are looked at."""

    def __init__(self, *args, rows=24, columns=80, exit_code=0, term="xterm"):
        self.exit_code, self.seen, self.mark, self.status = exit_code, b"", 0, None
        env = {**ENV, "LC_ALL": "C.UTF-8", "TERM": term or ""}
        if term is None:
            del env["TERM"]
        told, tell = os.pipe()
        self.leader, self.fd = pty.fork()
        if self.leader == 0:
            try:
                lead(tell, args, env, rows, columns)
            finally:
                os._exit(1)  # pylint: disable=protected-access
        os.close(tell)
        self.told = os.fdopen(told, "rb", 0)
        self.pid = int(self.told.readline())
        self.before = termios.tcgetattr(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        self.close()

    def close(self):
        """The leader goes, too."""
        os.kill(self.leader, signal.SIGKILL)
        os.waitpid(self.leader, 0)
        self.told.close()

    def ended(self):
        """Wait for the tool's end. Its exit code; of a signal its negative number."""
        self.status = self.status if self.status is not None else int(self.told.readline())
        return os.waitstatus_to_exitcode(self.status)

    def read(self, seconds):
        """More of the output; False at its end."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        try:
            got = os.read(self.fd, 65536) if ready else None
        except OSError:  # so Linux says that the other side is closed
            got = b""
        self.seen += got or b""
        return got != b""

    def wait(self, wanted):
        """Wait until this is written, behind what was waited for last. All between."""
        end = time.monotonic() + SLOW
        while (at := self.seen.find(wanted, self.mark)) < 0:
            assert time.monotonic() < end and self.read(0.1), f"no {wanted!r} in {self.seen[self.mark:]!r}"
        passed, self.mark = self.seen[self.mark:at], at + len(wanted)
        return passed

    def drawn(self):
        """It has entered the screen, and drawn all of it: the last line comes last."""
        self.wait(ENTER)
        self.wait(b"Enter")

    def key(self, key):
        os.write(self.fd, key.encode())

    def end(self):
        """What it has written to its very end, behind what was waited for last."""
        end = time.monotonic() + SLOW
        while ENDED not in self.seen:
            assert time.monotonic() < end and self.read(SLOW), f"it goes on: {self.seen[self.mark:]!r}"
        self.seen = self.seen[:self.seen.index(ENDED)]
        code = self.ended()
        assert code == self.exit_code or self.exit_code is None and code != 0, (code, self.seen[-2000:])
        assert termios.tcgetattr(self.fd) == self.before
        return self.seen[self.mark:]


@pytest.mark.parametrize("columns, rows", [(80, 24), (200, 50), (40, 8)])
def test_a_jvm(oracle, columns, rows):
    """Of every size; q leaves the final report on the terminal."""
    oracle.do(*WARM_UP)
    oracle.do("spin 1")
    with Tmux(columns, rows, "-p", oracle.pid, "-i", "0.2", "-e", "all") as terminal:
        screen = terminal.until(lambda screen: re.search(r"^>.*[a-z]", screen, re.M))
        assert screen.startswith(f"jnitrace {oracle.pid} ")
        terminal.until(lambda screen: "churn" in screen or columns < 60)
        terminal.keys("q")
        assert terminal.exit_code() == 0
        rest = terminal.screen("-S", "-", "-J")
        assert "final (detached)" in rest.replace("\n", "") and "churn_global" in rest and "churn_weak" in rest
    oracle.do("stop")


def test_keys(oracle):
    oracle.do(*WARM_UP)
    with Tmux(120, 40, "-p", oracle.pid, "-i", "0.1") as terminal:
        terminal.until("q quit")  # all probes are live
        oracle.do("run 1 7 7 0 0")
        terminal.until(lambda screen: re.search("^>.*leak_global", screen, re.M))
        terminal.keys("Enter")
        terminal.until("Stack, innermost first")
        terminal.keys("Escape", "g")
        terminal.until("by function")
        terminal.keys("1")
        terminal.until("by site")
        terminal.keys("Space")
        paused = terminal.until("PAUSED")
        oracle.do("run 1 0 3 0 0")
        time.sleep(0.5)
        assert terminal.screen() == paused
        terminal.keys("Space")
        terminal.until(lambda screen: "PAUSED" not in screen and re.search(r"^>.* 10 .*leak_global", screen, re.M))
        terminal.keys("q")
        assert terminal.exit_code() == 0
        assert "global: +17 -7 = 10 outstanding" in terminal.screen("-S", "-")


def test_record_from_now_on(oracle, tmp_path):
    """w begins a recording and ends it, beside what is shown; while the display is paused, too."""
    file, other = tmp_path / "now.jtr", tmp_path / "other.jtr"
    oracle.do(*WARM_UP)
    with Tmux(200, 40, "-p", oracle.pid, "-i", "0.1") as t:
        t.until("q quit")
        oracle.do("run 1 3 3 0 0")
        t.until(lambda screen: re.search("^>.*leak_global", screen, re.M))

        def asked(path, answer):
            t.keys("w")
            t.until("write to ")
            t.type(str(path))
            t.keys("Enter")
            t.until(answer)

        asked(file, f"recording from now on: {file}")
        t.keys("Space")
        paused = t.until(lambda screen: "PAUSED" in screen and "recording from" not in screen)
        oracle.do("run 1 4 0 0 0")
        for _ in range(2):
            size = file.stat().st_size
            wait_until(lambda size=size: file.stat().st_size > size)
        assert t.screen() == paused
        t.keys("?")  # what is drawn anew is what was paused
        t.until("Keys")
        t.keys("Escape")
        t.until(lambda screen: screen == paused)
        asked(other, f"not begun: {file} is being recorded")
        asked(file, f"recorded: {file}")
        asked(file, f"not recorded: {file}: File exists")
        t.keys("q")
        assert t.exit_code() == 0
    assert not other.exists()
    done = run_tool("report", file)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert "leak_global" in done.stdout


@pytest.mark.parametrize("term", ["dumb", None, "no-such-terminal"])
def test_a_terminal_that_places_nothing(tmp_path, term):
    """It gets plain tables, and is told why."""
    file = recorded.leak(tmp_path / "leak.jtr")
    with Terminal("report", file, term=term) as terminal:
        rest = terminal.end()
        assert b"plain tables, as with --batch" in rest and b"\033" not in rest
        assert b"jnitrace - PID 26708" in rest and (b"TERM is not set" if term is None else b"TERM is " + term.encode()) in rest


@pytest.mark.parametrize("sig", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGQUIT])
def test_a_crash(tmp_path, sig):
    """The terminal is given back, whatever ends the tool."""
    file = recorded.leak(tmp_path / "leak.jtr")
    with Terminal("report", file, exit_code=None) as terminal:
        terminal.drawn()
        os.kill(terminal.pid, sig)
        terminal.wait(LEAVE)
        terminal.end()
        assert terminal.seen.count(ENTER) == terminal.seen.count(LEAVE) == 1


def test_the_terminal_is_given_back(oracle):
    """After Ctrl-C, and while it is stopped by Ctrl-Z. (Nobody could wake it here: so the kernel does not let it stop.)"""
    oracle.do(*WARM_UP)
    with Terminal("-p", oracle.pid, "-i", "0.1") as terminal:
        terminal.drawn()
        os.kill(terminal.pid, signal.SIGTSTP)
        terminal.wait(LEAVE)
        terminal.drawn()
        terminal.key("\x03")
        terminal.wait(LEAVE)
        rest = terminal.end()
        assert b"final (detached)" in rest and ENTER not in rest
        assert terminal.seen.count(ENTER) == terminal.seen.count(LEAVE) == 2


def test_signals_of_all_kinds(oracle):
    """What ends it gives the terminal back; the probes go with it; what asks it to end gets its last report."""
    oracle.do(*WARM_UP)
    for sig, exit_code in ((signal.SIGHUP, 0), (signal.SIGTERM, 0), (signal.SIGQUIT, -signal.SIGQUIT),
                           (signal.SIGUSR1, -signal.SIGUSR1), (signal.SIGABRT, -signal.SIGABRT)):
        with Terminal("-p", oracle.pid, "-i", "0.1", exit_code=exit_code) as terminal:
            terminal.drawn()
            held = bpf_objects(terminal.pid)
            assert held
            os.kill(terminal.pid, sig)
            terminal.wait(LEAVE)
            assert (b"final (detached)" in terminal.end()) == (exit_code == 0), sig
            assert terminal.seen.count(ENTER) == terminal.seen.count(LEAVE) == 1
            wait_until(lambda held=held: not held & bpf_ids())
    assert oracle.do("run 1 2 1 2 1")


def test_the_terminal_goes_away(oracle):
    """Its window was closed: nobody is there to quit."""
    oracle.do(*WARM_UP)
    terminal = Terminal("-p", oracle.pid, "-i", "0.1")
    terminal.drawn()
    held = bpf_objects(terminal.pid)
    os.close(terminal.fd)
    assert terminal.ended() in (0, 1)
    terminal.close()
    wait_until(lambda: not held & bpf_ids())
    assert oracle.do("run 1 2 1 2 1")
