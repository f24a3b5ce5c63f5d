# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Families that are switched off and on while a JVM is traced: what counts is exact, what does not is told."""

import json
import re

from harness import WARM_UP, Oracle, jdk, run_tool
from tmux import Tmux


def switch(t, *letters):
    t.keys("e")
    t.until("Families: space")
    t.keys(*letters)
    t.until("with Enter")
    t.keys("Enter")


def test_off_and_on_again(oracle, tmp_path):
    """Exact before, nothing meanwhile, exact again; what was held is let go, and no release of it is wrong."""
    file = tmp_path / "switched.jtr"
    oracle.do(*WARM_UP)
    with Tmux(140, 40, "-p", oracle.pid, "-i", "0.2", "--record", file) as t:
        t.until("q quit")
        oracle.do("run 1 5 7 3 4")
        t.until(lambda screen: re.search("leak_weak", screen))
        switch(t, "w")
        t.until("weak off")
        oracle.do("run 1 6 2 30 60")  # of weak ones nothing is seen
        t.until(lambda screen: re.search(r" 9 .*leak_global", screen))
        t.keys("e")
        assert re.search(r"\[ \] weak +off since \d\d:\d\d:\d\d; 4 held then are followed no more", t.until("off since"))
        t.keys("Escape")
        switch(t, "w")
        t.until(lambda screen: "weak off" not in screen and "Families" not in screen)
        oracle.do("run 1 0 0 2 5")
        t.until(lambda screen: re.search(r" 5 .*leak_weak", screen))
        t.keys("q")
        assert t.exit_code() == 0
        screen = t.screen("-S", "-", "-J")
        assert "global: +20 -11 = 9 outstanding" in screen and "drops 0" in screen and "warning" not in screen, screen
        assert re.search(r"weak: \+14 -5 = 5 outstanding \(off [\d.]+s to [\d.]+s, let go 4, VM total", screen), screen
        [line] = re.findall(r"tracked 5 \+ before attach (\d+) = (\d+) of (\d+)", screen)
        assert int(line[0]) >= 64 and line[1] == line[2], screen
    done = run_tool("report", file, "--format", "json")
    assert done.returncode == 0, done.stderr
    weak = json.loads(done.stdout.splitlines()[-1])["families"]["weak"]
    assert (weak["acquired"], weak["released"], weak["outstanding"]) == (14, 5, 5)
    assert weak["switched"]["on"] and weak["switched"]["let_go"] == 4 and 0 < weak["switched"]["off_s"] < weak["switched"]["on_s"]


def test_what_is_released_later(oracle):
    """
    A reference that was let go is released as one from before; so is one whose handle was released while the family was
    traced, and came again unseen: neither is a wrong release. The rest goes on meanwhile.
    """
    oracle.do(*WARM_UP)
    with Tmux(140, 40, "-p", oracle.pid, "-i", "0.2") as t:
        t.until("q quit")
        oracle.do("pre 3", "predrop", "pre 6", "run 1 0 0 0 2")
        t.until(lambda screen: re.search(r" 6 .*pre", screen))
        switch(t, "g")
        t.until("global off")
        oracle.do("predrop", "pre 3", "run 1 0 0 0 3")
        t.until(lambda screen: re.search(r" 5 .*leak_weak", screen))
        switch(t, "g")
        t.until(lambda screen: "global off" not in screen and "Families" not in screen)
        oracle.do("predrop", "pre 2", "predrop", "run 1 0 1 0 0")
        t.until(lambda screen: re.search(r" 1 .*leak_global", screen))
        t.keys("q")
        assert t.exit_code() == 0
        screen = t.screen("-S", "-", "-J")
        [untracked] = re.findall(r"global: \+12 -5 = 1 outstanding \(released untracked (\d+), off [\d.]+s to [\d.]+s, let go 6, VM total", screen)
        [warm_up] = re.findall(r"weak: \+19 -14 = 5 outstanding \(released untracked (\d+), VM total", screen)
        assert int(untracked) == int(warm_up) + 3 and "drops 0" in screen, screen
        assert "error:" not in screen and "warning:" not in screen, screen


def test_all_of_several(oracle):
    """Every family that can be switched, of two JVMs that work meanwhile: on, off, on; nothing is lost, nothing is wrong."""
    with Oracle(jdk("17")) as other:
        for o in (oracle, other):
            o.do(*WARM_UP)
            o.do("spin 2")
        with Tmux(140, 40, "-p", f"{oracle.pid},{other.pid}", "-i", "0.3", "-e", "global") as t:
            t.until(lambda screen: screen.count("Oracle") > 1 and "q quit" in screen)
            for _ in range(2):
                switch(t, "w", "l", "s", "a", "c")
                t.until(lambda screen: "Families" not in screen)
            t.keys("e")
            screen = t.until("Families: space")
            assert len(re.findall(r"\[ \] \w+ +off since", screen)) == 5 and "monitor" in screen, screen
            t.keys("m", "Escape")
            switch(t, "g", "a")
            t.until("global off")
            oracle.kill()
            t.until(lambda screen: "2 processes" not in screen)
            other.do("stop")
            t.keys("q")
            assert t.exit_code() == 0
            screen = t.screen("-S", "-", "-J")
            assert screen.count("drops 0") == 2 and "error:" not in screen and "array: " in screen, screen
