# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The live view on a terminal: what is drawn fits the screen, keys do what they say, and the terminal is given back."""

import os
import re
import signal
import time

import pytest

import recorded
from harness import WARM_UP, Oracle, bpf_ids, bpf_objects, jdk, run_tool, wait_until
from terminal import ENTER, LEAVE, Terminal
from tmux import Tmux


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
        terminal.until("IDLE  nothing acquired since attach; e switches other families on")  # all probes are live
        oracle.do("run 1 7 7 0 0")
        terminal.until(lambda screen: re.search("^>.*leak_global", screen, re.M))
        terminal.keys("Enter")
        terminal.until("Stack, innermost first")
        terminal.keys("Escape", "g")
        terminal.until("by function")
        terminal.keys("1")
        terminal.until("by site")
        terminal.keys("Space")
        terminal.until("PAUSED")
        paused = terminal.still()
        oracle.do("run 1 0 3 0 0")
        time.sleep(0.5)
        assert terminal.screen() == paused
        terminal.keys("Space")
        terminal.until(lambda screen: "PAUSED" not in screen and re.search(r"^>.* 10 .*leak_global", screen, re.M))
        terminal.keys("q")
        assert terminal.exit_code() == 0
        assert "global: +17 -7 = 10 outstanding" in terminal.screen("-S", "-")


def test_an_opened_process_ends(oracle):
    """It is told, and what is left has its own screen."""
    with Oracle(jdk("17")) as other:
        for o in (oracle, other):
            o.do(*WARM_UP)
        with Tmux(120, 40, "-p", f"{oracle.pid},{other.pid}", "-i", "0.2") as t:
            t.until(lambda screen: all(re.search(rf"^[> ].* {o.pid} ", screen, re.M) for o in (oracle, other)))
            t.keys("Enter")
            head = t.until(lambda screen: re.match(r"jnitrace \d+ ", screen)).split()[1]
            ended, left = (oracle, other) if head == str(oracle.pid) else (other, oracle)
            ended.kill()
            screen = t.until(f"PID {ended.pid} (")
            assert re.search(rf"^PID {ended.pid} \(.*\) exited$", screen, re.M) and screen.startswith(f"jnitrace {left.pid} "), screen
            t.keys("q")
            assert t.exit_code() == 0


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
        t.until(lambda screen: "PAUSED" in screen and "recording from" not in screen)
        paused = t.still()
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


@pytest.mark.parametrize("how", ["stopped", "unread"])
def test_a_terminal_that_takes_nothing(oracle, how):
    """Ctrl-S, or a connection that broke: a signal is obeyed all the same, and the probes go."""
    oracle.do(*WARM_UP)
    terminal = Terminal("-p", oracle.pid, "-i", "0.1", rows=100, columns=300)
    terminal.wait(ENTER)  # the rest of the first drawing may be under way
    held = bpf_objects(terminal.pid)
    terminal.key("\x13" if how == "stopped" else "?\x1b" * 500)  # each of these draws the whole screen
    time.sleep(2)  # until it writes no more, whether it waits in write() or before
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended() in (0, 1)
    os.close(terminal.fd)
    terminal.close()
    wait_until(lambda: not held & bpf_ids())
    assert oracle.do("run 1 2 1 2 1")
