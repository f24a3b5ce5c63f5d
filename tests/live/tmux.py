# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The tool in a real terminal emulator: tmux, of a server of its own, whose screen is text."""

import difflib
import os
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from harness import ENV, JNITRACE, SLOW, TOP

CONFIG = "set -g status off\nset -g remain-on-exit on\nset -g default-terminal tmux-256color\nset -sg escape-time 0\nset -g mouse on\n"
GOLDEN = TOP / "tests/golden/screen"


class Tmux:
    def __init__(self, columns, rows, *args, env=None, program=JNITRACE):
        self.folder = tempfile.TemporaryDirectory(prefix="jnitrace-tmux-")
        config = Path(self.folder.name, "conf")
        config.write_text(CONFIG)
        self.server = ["tmux", "-S", f"{self.folder.name}/socket", "-f", str(config)]
        settings = {**{k: v for k, v in ENV.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "NO_COLOR")}, "LC_ALL": "C.UTF-8", **(env or {})}
        command = shlex.join(["env", "-u", "COLUMNS", "-u", "LINES", *(f"{k}={v}" for k, v in settings.items()), str(program), *map(str, args)])
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), command)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self.server, "kill-server"], capture_output=True, check=False)
        self.folder.cleanup()

    def tmux(self, *args):
        done = subprocess.run([*self.server, *args], capture_output=True, text=True, timeout=SLOW, check=False)
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout

    def keys(self, *keys):
        """By their names in tmux: Up, Enter, C-c, or characters."""
        for key in keys:
            self.tmux("send-keys", "--", key)

    def type(self, text):
        self.tmux("send-keys", "-l", "--", text)

    def type_bytes(self, text):
        """As the terminal would send them, whatever tmux makes of them."""
        self.tmux("send-keys", "-H", *(f"{byte:02x}" for byte in text))

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def until(self, wanted, *options):
        """The first screen that has this, or of which this is true."""
        end, what = time.monotonic() + SLOW, wanted if callable(wanted) else lambda screen: wanted in screen
        while not what(screen := self.screen(*options)):
            assert time.monotonic() < end, f"not {wanted!r}:\n{screen}"
            time.sleep(0.05)
        return screen

    def still(self):
        """The screen, once all of it is drawn: tmux may be asked between two parts of it."""
        end, before = time.monotonic() + SLOW, None
        while (now := self.screen()) != before:
            assert time.monotonic() < end, f"it never stays as it is:\n{now}"
            before = now
            time.sleep(0.2)
        return now

    def chosen(self):
        """The row that is marked."""
        [row] = [line for line in self.screen().splitlines() if line.startswith(">")]
        return row

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def pid(self):
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))

    def exit_code(self):
        """
        Of the tool, once it has ended, and tmux has heard of it; of a signal its negative number. Now and then tmux
        misses that a child of it has ended, and leaves it a zombie: it is told again.
        """
        end = time.monotonic() + 3 * SLOW  # the kernel takes probes away in its own time
        while not (code := self.tmux("display-message", "-p", "#{?pane_dead,#{pane_dead_status}#{?pane_dead_signal,-#{pane_dead_signal},},}").strip()):
            assert time.monotonic() < end, f"it goes on:\n{self.screen()}"
            os.kill(int(self.tmux("display-message", "-p", "#{pid}")), signal.SIGCHLD)
            time.sleep(0.05)
        return int(code)

    def expect(self, name):
        """The screen becomes tests/golden/screen/NAME.txt; UPDATE_GOLDEN=1 writes it, once it stays as it is."""
        file, end = GOLDEN / f"{name}.txt", time.monotonic() + SLOW
        if os.environ.get("UPDATE_GOLDEN"):
            before = None
            while (now := self.screen()) != before:
                before = now
                time.sleep(0.5)
            file.write_text(now)
            return
        want = file.read_text()
        while (screen := self.screen()) != want:
            diff = "".join(difflib.unified_diff(want.splitlines(True), screen.splitlines(True), "wanted", "got"))
            assert time.monotonic() < end, f"{name}:\n{diff}"
            time.sleep(0.05)
