# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The tool on a terminal of its own, whose bytes are looked at. (What they make of a screen: tmux.py.)"""

import fcntl
import os
import pty
import resource
import select
import signal
import struct
import termios
import time
from pathlib import Path

from harness import ENV, JNITRACE, SLOW

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


def waited_ns(pid):
    """What its main thread could run and did not."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])


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
        if self.status is None:
            assert select.select([self.told], [], [], SLOW)[0], "it does not end"
            self.status = int(self.told.readline())
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

    def answer_ms(self, key, wanted):
        """
        From a key to what it has to show, without what the tool and this test wait for a CPU that others have: it is no
        longer on a busy machine.
        """
        began = time.monotonic_ns() - waited_ns(self.pid) - waited_ns(os.getpid())
        self.key(key)
        self.wait(wanted)
        return (time.monotonic_ns() - waited_ns(self.pid) - waited_ns(os.getpid()) - began) / 1e6

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
