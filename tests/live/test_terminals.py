# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
The screen where people use it: over ssh, in GNU screen, under sudo, in a shell with job control. All in tmux, which tells
what is on the terminal. (tmux itself, locales and descriptions of terminals: test_recording_screen.py.)
"""

import getpass
import os
import re
import shlex
import shutil
import signal
import subprocess

import pytest

import recorded
from harness import JNITRACE, WARM_UP
from tmux import Tmux


@pytest.fixture(scope="module")
def leak(tmp_path_factory):
    return recorded.leak(tmp_path_factory.mktemp("terminals") / "leak.jtr")


def on_alternate(t):
    """Is there something that goes away again, with what was there before below it?"""
    return t.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"


def use(t):
    """As one does: look, choose, open, make the window larger, go back, quit. What is left on the terminal."""
    t.until("moment 71 of 71")
    assert "LEAK" in t.screen()
    t.keys("Down", "Enter")
    t.until("line 1 of")
    t.resize(132, 60)
    t.until(lambda screen: max(map(len, screen.splitlines())) > 110)
    t.keys("Escape")
    t.until("2 of 6 by site")
    t.keys("q")
    screen = t.until("code-0-")
    assert "PID 26708" in screen and "moment" not in screen, screen
    return screen


def shell(file):
    """The tool as it is called by hand, with a prompt behind it."""
    return f"env -u NO_COLOR LC_ALL=C.UTF-8 {shlex.quote(str(JNITRACE))} report {shlex.quote(str(file))}; echo code-$?-; read end"


def test_over_ssh(leak, tmp_path):
    """By a server of its own that listens nowhere: the client starts it, as inetd did."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized")
    (tmp_path / "sshd").write_text(f"HostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\nStrictModes no\nUsePAM no\n"
                                   "PermitRootLogin yes\nPasswordAuthentication no\nPrintMotd no\nPrintLastLog no\nPidFile none\n")
    subprocess.run(["mkdir", "-p", "/run/sshd"], check=True)  # of the unprivileged part of the server
    server = f"/usr/sbin/sshd -i -f {shlex.quote(str(tmp_path / 'sshd'))}"
    with Tmux(80, 24, "-t", "-F", "/dev/null", "-i", tmp_path / "user", "-o", f"ProxyCommand={server}", "-o", "UserKnownHostsFile=/dev/null",
              "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", f"{getpass.getuser()}@jnitrace.invalid", shell(leak), program="ssh") as t:
        use(t)
        assert not on_alternate(t)
        t.keys("Enter")
        assert t.exit_code() == 0


def test_in_gnu_screen(leak, tmp_path):
    """It describes its terminal otherwise, and may have an alternate screen."""
    (tmp_path / "conf").write_text("startup_message off\naltscreen on\ndefutf8 on\n")
    (tmp_path / "sockets").mkdir(mode=0o700)
    with Tmux(80, 24, "-U", "-c", tmp_path / "conf", "-S", "jnitrace", "sh", "-c", shell(leak), program="screen",
              env={"SCREENDIR": tmp_path / "sockets"}) as t:
        use(t)
        t.keys("Enter")
        assert t.exit_code() == 0


def test_under_sudo(leak):
    with Tmux(80, 24, "-n", "sh", "-c", shell(leak), program="sudo") as t:
        use(t)
        assert not on_alternate(t)
        t.keys("Enter")
        assert t.exit_code() == 0


def test_in_a_shell(leak):
    """Ctrl-Z gives the terminal to the shell, fg draws all of it anew, as large as the terminal has become; so does bg and fg."""
    with Tmux(80, 24, "--norc", "--noprofile", "-i", program="bash", env={"PS1": "prompt-", "NO_COLOR": ""}) as t:
        t.until("prompt-")
        t.type(f"{JNITRACE} report {leak}")
        t.keys("Enter")
        t.until("moment 71 of 71")
        for once_more in ("fg", "bg"):
            t.keys("C-z")
            screen = t.until(lambda screen: "Stopped" in screen and screen.rstrip().endswith("prompt-"))
            assert "LEAK" not in screen and not on_alternate(t), screen
            t.type("echo typed-$((6 * 7))-")  # the shell's own settings of the terminal are back
            t.keys("Enter")
            t.until("typed-42-")
            t.resize(100, 30)
            if once_more == "bg":
                t.type("bg")
                t.keys("Enter")
                t.until(re.compile(r"\]\+ [^[]*&\s").search)  # a long path is on two lines
            t.type("fg")
            t.keys("Enter")
            screen = t.until(lambda screen: "LEAK" in screen and "1 of 6 by site" in screen)
            assert screen.startswith("jnitrace 26708 ") and "typed-42-" not in screen and on_alternate(t), screen
        t.keys("q")
        t.until(lambda screen: screen.rstrip().endswith("prompt-"))
        t.type("echo code-$?-")
        t.keys("Enter")
        t.until("code-0-")
        assert not on_alternate(t)


def test_the_target_is_killed(oracle):
    """The terminal is as it was before, and the last report below."""
    oracle.do(*WARM_UP)
    with Tmux(100, 30, "-p", oracle.pid, "-i", "0.1") as t:
        t.until("q quit")
        oracle.do("run 1 7 7 0 0")
        t.until(lambda screen: re.search("^>.*leak_global", screen, re.M))
        os.kill(oracle.pid, signal.SIGKILL)
        assert t.exit_code() == 0
        screen = t.screen("-S", "-")
        assert "final (exited)" in screen and "global: +14 -7 = 7 outstanding" in screen, screen
        assert not on_alternate(t)
