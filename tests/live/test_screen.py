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

from harness import ENV, JNITRACE, SLOW, WARM_UP, bpf_ids, bpf_objects, wait_until

ENTER, LEAVE, HOME = b"\033[?1049h", b"\033[?1049l", b"\033[H"
ESCAPE = re.compile(rb"\033\[[?0-9;]*[A-Za-z]")


class Terminal:
    """jnitrace as the foreground of a terminal of its own."""

    def __init__(self, *args, rows=24, columns=80, exit_code=0):
        self.exit_code, self.seen, self.mark = exit_code, b"", 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
            os.execve(str(JNITRACE), ["jnitrace", *map(str, args)], dict(ENV, TERM="xterm"))
        self.before = termios.tcgetattr(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

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

    def frame(self):
        """The lines of the next drawing that is complete, and its footer."""
        self.wait(HOME)
        text, footer = self.wait(b"q quit"), self.wait(b"\r")
        # Behind a line as wide as the screen it would erase the last character.
        assert not re.search(rb"[^\nH]\033\[[KJ]", text), text
        lines = ESCAPE.sub(b"", text).decode().replace("\r", "").split("\n")
        at = re.search(rb"\033\[(\d+);1H\033\[K$", text)
        return lines if lines[-1] else lines[:-1], int(at.group(1)), (b"q quit" + footer).decode()

    def until(self, wanted):
        """The first drawing whose footer has this."""
        end = time.monotonic() + SLOW
        while time.monotonic() < end:
            frame = self.frame()
            if wanted in frame[2]:
                return frame
        raise AssertionError(f"no {wanted}")

    def key(self, key):
        os.write(self.fd, key.encode())

    def end(self):
        while self.read(SLOW):
            pass
        _, status = os.waitpid(self.pid, 0)
        assert os.waitstatus_to_exitcode(status) == self.exit_code, self.seen[-2000:]
        assert termios.tcgetattr(self.fd) == self.before
        return self.seen[self.mark:]


@pytest.mark.parametrize("rows, columns", [(24, 80), (12, 80), (50, 200), (24, 40), (8, 60)])
def test_every_drawing_fits(oracle, rows, columns):
    oracle.do(*WARM_UP)
    oracle.do("spin 1")
    with Terminal("-p", oracle.pid, "-i", "0.2", "-e", "all", rows=rows, columns=columns) as terminal:
        for _ in range(5):
            lines, footer_at, footer = terminal.frame()
            assert lines[0].startswith(f"jnitrace - PID {oracle.pid} "), lines
            assert len(lines) < rows and footer_at == rows, lines
            assert max(map(len, lines)) <= columns and len(footer) <= columns, lines
            whole = "q quit  space pause  s sort: verdict  t stacks: top"
            assert footer == whole if columns >= 80 else footer.startswith(whole[:columns - 1]), footer
            if rows >= 24:
                [head] = [i for i, line in enumerate(lines) if line.startswith("OUTSTANDING ")]
                assert sum(not line.startswith("   ") or line.strip()[0].isdigit() for line in lines[head + 1:]) >= 3, lines
        terminal.key("q")
        terminal.wait(LEAVE)
        rest = terminal.end()
        assert ENTER not in rest and HOME not in rest
        assert b"final (detached)" in rest and b"churn_global" in rest and b"churn_weak" in rest
        assert terminal.seen.count(ENTER) == terminal.seen.count(LEAVE) == 1
    oracle.do("stop")


def test_keys(oracle):
    oracle.do(*WARM_UP)
    with Terminal("-p", oracle.pid, "-i", "0.1") as terminal:
        terminal.frame()
        assert not termios.tcgetattr(terminal.fd)[3] & (termios.ICANON | termios.ECHO)
        terminal.key("s")
        terminal.until("sort: outstanding")
        terminal.key("s")
        terminal.until("sort: rate")
        terminal.key("t")
        terminal.until("stacks: whole")
        terminal.key(" ")
        terminal.until("PAUSED")
        while terminal.read(0.5) and HOME in terminal.seen[terminal.mark:]:  # what was on its way
            terminal.mark = len(terminal.seen)
        oracle.do("run 1 7 7 0 0")
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            terminal.read(0.1)
        assert terminal.mark == len(terminal.seen), "drawn although paused"
        terminal.key(" ")
        terminal.until("pause")
        terminal.wait(b"global: +14 -7 = 7 outstanding")
        terminal.key("q")
        terminal.wait(LEAVE)
        assert b"global: +14 -7 = 7 outstanding" in terminal.end()


def test_the_terminal_is_given_back(oracle):
    """After Ctrl-C, and while it is stopped by Ctrl-Z. (Nobody could wake it here: so the kernel does not let it stop.)"""
    oracle.do(*WARM_UP)
    with Terminal("-p", oracle.pid, "-i", "0.1") as terminal:
        terminal.frame()
        os.kill(terminal.pid, signal.SIGTSTP)
        terminal.wait(LEAVE)
        terminal.wait(ENTER)
        terminal.frame()
        terminal.key("\x03")
        terminal.wait(LEAVE)
        rest = terminal.end()
        assert b"final (detached)" in rest and HOME not in rest
        assert terminal.seen.count(ENTER) == terminal.seen.count(LEAVE) == 2


def test_signals_of_all_kinds(oracle):
    """What ends it gives the terminal back; the probes go with it; what asks it to end gets its last report."""
    oracle.do(*WARM_UP)
    for sig, exit_code in ((signal.SIGHUP, 0), (signal.SIGTERM, 0), (signal.SIGQUIT, -signal.SIGQUIT),
                           (signal.SIGUSR1, -signal.SIGUSR1), (signal.SIGABRT, -signal.SIGABRT)):
        with Terminal("-p", oracle.pid, "-i", "0.1", exit_code=exit_code) as terminal:
            terminal.frame()
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
    terminal.frame()
    held = bpf_objects(terminal.pid)
    os.close(terminal.fd)
    end = time.monotonic() + SLOW
    while not (ended := os.waitpid(terminal.pid, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.02)
    assert ended[0] == terminal.pid and os.waitstatus_to_exitcode(ended[1]) in (0, 1), ended
    wait_until(lambda: not held & bpf_ids())
    assert oracle.do("run 1 2 1 2 1")
