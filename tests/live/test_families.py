# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Families that are switched off and on while a process is traced: what counts is exact, what does not is told."""

import json
import re
import subprocess
from collections import Counter

from harness import JNITRACE, WARM_UP, Oracle, jdk, run_tool, wait_until
from test_node import Node
from test_pairs import RULES
from test_recording import OWN_PIDS
from test_runtime import Things
from test_threads import Threads
from tmux import Tmux


def begin(t):
    """Until there is a first report: what can be switched is known."""
    t.until(lambda screen: "q quit" in screen and "drops 0" in screen)


def switch(t, *keys):
    """Until the screen is as these keys want it."""
    t.keys("e")
    t.until("Families: space")
    t.keys(*keys)
    screen = t.until(lambda screen: screen.count("with Enter") >= sum(key != "Down" for key in keys))
    wanted = re.findall(r"\[.\] (\w+) .*-> (on|off) with Enter", screen)
    t.keys("Enter")
    t.until(lambda screen: "Families: space" not in screen and all((f"{family} off" in screen) == (to == "off") for family, to in wanted))
    return dict(wanted)


def last_families(file, pid=None):
    """Of a recording: {family: (acquired, released, outstanding, released untracked, let go)}, and its findings."""
    done = run_tool("report", file, "--format", "json", "--allow-loss")
    assert done.returncode == 0, done.stderr
    report = [r for r in map(json.loads, done.stdout.splitlines()) if pid in (None, r["target"]["pid"])][-1]
    assert not any(report["drops"].values()), report["drops"]
    keys = ("acquired", "released", "outstanding", "released_untracked")
    findings = Counter()
    for f in report["findings"]:
        findings[f["kind"]] += f["count"]
    return {name: (*(f[k] for k in keys), f.get("switched", {}).get("let_go", 0)) for name, f in report["families"].items()}, findings


def test_off_and_on_again(oracle, tmp_path):
    """Exact before, nothing meanwhile, exact again; what was held is let go, and no release of it is wrong."""
    file = tmp_path / "switched.jtr"
    oracle.do(*WARM_UP)
    with Tmux(140, 40, "-p", oracle.pid, "-i", "0.2", "--record", file) as t:
        begin(t)
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
        begin(t)
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
            for together in "mt":  # monitors need threads
                assert len(switch(t, "w", "l", "s", "a", "c", together)) == 7
            t.keys("e")
            screen = t.until("Families: space")
            assert len(re.findall(r"\[ \] \w+ +off since", screen)) == 7 and not re.search("not here.* global", screen), screen
            t.keys("Escape")
            switch(t, "g", "a")
            t.until("global off")
            oracle.kill()
            t.until(lambda screen: "2 processes" not in screen)
            other.do("stop")
            t.keys("q")
            assert t.exit_code() == 0
            screen = t.screen("-S", "-", "-J")
            assert screen.count("drops 0") == 2 and "error:" not in screen and "array: " in screen, screen


def test_monitors_and_threads(tmp_path):
    """Threads attach, and hold what they entered, while nobody looks; none of that is mistaken for something else later."""
    file = tmp_path / "switched.jtr"
    with Threads(jdk("17")) as target, Tmux(140, 40, "-p", target.pid, "-i", "0.3", "-e", "global,monitor,thread", "--record", file) as t:
        begin(t)
        target.do("churn 2 5", "stay 4", "hold 3")
        assert switch(t, "m") == {"monitor": "off"}
        target.do("unhold 2", "pairs 9", "letgo", "detachheld 2", "stay 5")
        assert switch(t, "m") == {"monitor": "on"}
        target.do("pairs 6", "unhold 1", "hold 2", "endheld 2", "letgo", "detachheld 3", "stay 6")
        t.keys("e")
        t.until("Families: space")
        t.keys("t")
        t.until("monitor goes off with it: monitor is not exact without thread")
        t.keys("Escape")
        assert switch(t, "t") == {"monitor": "off", "thread": "off"}
        target.do("pairs 2", "unhold 1", "letgo", "churn 1 3", "stay 2")
        assert switch(t, "t") == {"thread": "on"}
        target.do("letgo", "forget 2", "churn 2 2", "stay 3", "pairs 3")
        t.keys("q")
        assert t.exit_code() == 0
        found, findings = last_families(file)
    assert found["monitor"] == (3 + 2 * 6 + 2 + 2 + 3, 2 * 6, 0, 1, 3 + 2 + 2)
    assert found["thread"] == (2 * 5 + 4 + 2 + 5 + 3 + 6 + 2 + 2 * 2 + 3, 2 * 5 + 4 + 2 + 5 + 3 + 2 * 2, 2 + 3, 2, 6)
    assert findings == {"monitor-held-at-end": 2 + 3, "attached-at-end": 2}


def test_node(tmp_path):
    """Its families are its own: what is shared by several threads, what a finalizer gives back, and those of a JVM are not here."""
    file = tmp_path / "switched.jtr"
    with Node() as node, Tmux(140, 40, "-p", node.pid, "-i", "0.3", "--record", file) as t:
        begin(t)
        node.do(leak_strong=5, leak_tsfn=3, release_tsfn_half=2, leak_work=4)
        assert switch(t, "r", "t", "Down", "Down", "Space") == {"ref": "off", "tsfn": "off", "wrap": "on"}
        node.do(come_and_go=7, leak_tsfn=1, leak_work=2, wrap_with_reference=11, delete_old=3)
        assert switch(t, "r", "t", "w") == {"ref": "on", "tsfn": "on", "work": "off"}
        node.do(leak_strong=6, release_tsfn=2, leak_work=3, delete_old=8, wrap_and_remove=13)
        t.keys("7")
        assert re.search(r" VERDICT.* CALLER$", t.until("by caller"), re.M) and "JAVA" not in t.screen()
        t.keys("e")
        assert re.search("not here +global, .*monitor, thread.*: no process has functions of these", t.until("Families: space"))
        t.keys("Escape", "q")
        assert t.exit_code() == 0
        found, findings = last_families(file)
    assert found == {"ref": (5 + 6, 0, 6, 8, 5), "tsfn": (3 + 2 + 2, 2, 0, 0, 3 + 2), "work": (4 + 2, 0, 0, 0, 4 + 2),
                     "wrap": (11 + 13, 11 + 13, 0, 0, 0)}
    assert findings == {}


def test_rules(tmp_path):
    """Pairs of two libraries; a door is one handle that is held as often as it was opened."""
    file = tmp_path / "switched.jtr"
    with Things() as things, Tmux(140, 40, *RULES, "-p", things.pid, "-i", "0.3", "--record", file) as t:
        begin(t)
        for what, n in (("boxes", 3), ("counted", 11), ("desks", 4), ("replaced", 2)):
            things.do(what, n)
        screen = t.until(lambda screen: "door_open" in screen)  # no word of a VM, of Java or of classes
        assert not re.search(r"VM|[Jj]ava|CLASS|HotSpot", screen) and re.search(r"^live \d+  drops 0", screen, re.M) and " FUNCTION " in screen, screen
        t.keys("4")
        t.until("nothing of a JVM is traced: there are no classes")
        t.keys("7")
        t.until("no runtime here has methods that call libraries")
        assert switch(t, "b", "d") == {"box": "off", "door": "off"}
        for what, n in (("boxes", 5), ("counted", 7), ("desks", 6), ("replaced", 3), ("jumps", 2)):
            things.do(what, n)
        assert switch(t, "b", "d") == {"box": "on", "door": "on"}
        for what, n in (("boxes", 2), ("counted", 5), ("replaced", 4)):
            things.do(what, n)
        t.keys("q")
        assert t.exit_code() == 0
        found, findings = last_families(file)
    let_go = 5 * 3 + 2
    assert found == {"box": (12 * 5 + 2 + 3 * 6, 7 * 5 + 2 + 2 * 6, 5 * 2 + 4, 0, let_go),
                     "door": (3 * 16 - 8, 2 * 16 - 8, 5, 0, 11), "desk": (20, 15, 5, 0, 0)}
    assert findings == {}


def test_all_jvms(tmp_path):
    """One set of probes serves those that are there, and what comes later is traced by the families of then."""
    file = tmp_path / "switched.jtr"
    with Oracle(jdk("17"), prefix=OWN_PIDS, prefix_forks=True) as first:
        enter = ["nsenter", "--target", str(first.pid), "--pid", "--mount", "--root"]
        first.do(*WARM_UP)
        with Tmux(140, 40, *enter[1:], JNITRACE, "-a", "-i", "0.3", "-e", "global", "--record", file, program=enter[0]) as t, \
                Oracle(jdk("17"), prefix=enter, prefix_forks=True) as second:
            t.until(lambda screen: screen.count("Oracle") > 1 and "q quit" in screen)
            first.do("run 1 5 2 0 0")
            assert switch(t, "w", "g") == {"global": "off", "weak": "on"}
            pid = second.do("run 1 7 3 4 9")["pid"]
            first.do("run 1 7 3 4 6")
            assert switch(t, "g") == {"global": "on"}
            first.do("run 1 2 1 3 2")
            t.keys("q")
            assert t.exit_code() == 0
        one, two = last_families(file, 1)[0], last_families(file, pid)[0]
    assert one["global"] == (5 + 2 + 2 + 1, 5 + 2, 1, 0, 2) and one["weak"] == (4 + 6 + 3 + 2, 4 + 3, 6 + 2, 0, 0), one
    assert two["weak"] == (4 + 9, 4, 9, 0, 0), two


def test_a_jvm_by_rules(oracle, tmp_path):
    """What its runtime has can be switched on, too, though only a library's functions were asked for."""
    file = tmp_path / "switched.jtr"
    with Tmux(140, 40, "--pairs", "file", "-p", oracle.pid, "-i", "0.3", "--record", file) as t:
        begin(t)
        oracle.do("run 1 5 2 0 0")
        assert switch(t, "g") == {"global": "on"}
        oracle.do("run 1 7 3 0 0")
        t.keys("q")
        assert t.exit_code() == 0
    found, _ = last_families(file)
    assert set(found) == {"file", "global"} and found["global"] == (10, 7, 3, 0, 0), found


def test_a_sampled_family_stays_sampled(tmp_path):
    """While it is off, too: what was seen is an estimate, and what was let go."""
    n, leaked, file = 10, 1009, tmp_path / "sampled.jtr"
    with Things() as things, Tmux(140, 40, "--pair", "item=libthing.so:thing_new(ret)/thing_free(arg0)", *RULES[2:4], "--sample", n, "-p", things.pid,
                                  "-i", "0.3", "--record", file) as t:
        begin(t)
        things.do("leak", leaked)
        t.until("item sampled 1 in 10")
        on = last_item(file, lambda f: f["calls"] == leaked)
        switch(t, "i")
        off = last_item(file, lambda f: f.get("switched"))
        t.keys("q")
        assert t.exit_code() == 0
    assert on["acquired"] == off["acquired"] > 0 and on["acquired"] % n == 0
    assert on["released_untracked"] is None and off["released_untracked"] is None
    assert off["switched"]["let_go"] == on["outstanding"]


def last_item(file, wanted):
    """Of a recording that goes on, the last numbers of that family, once they are as wanted."""
    last = {}

    def read():
        reports = run_tool("report", file, "--format", "json", "--allow-loss").stdout.splitlines()
        report = json.loads(reports[-1]) if reports else {}
        if report.get("sample") == {"one_in": 10, "one_in_now": 10, "families": ["item"], "confidence": 0.95}:
            last.update(report["families"]["item"], calls=report["calls"]["thing_new"])
        return last and wanted(last)

    wait_until(read)
    return dict(last)


def test_after_a_plugin_was_replaced(tmp_path):
    """Its old file is nowhere any more: what is switched on then is of the files that are, and the screen goes on."""
    code = "void *plug(void) { static char c[9]; static int n; return &c[n++ % 9]; }\nvoid unplug(void *p) { *(char *)p = 1; }\n"
    program = """
import ctypes, os, shutil, sys, _ctypes
lib = None
for line in sys.stdin:
    if lib:
        _ctypes.dlclose(lib._handle)
    shutil.copy("master.so", "new.so")
    os.replace("new.so", "libplugin.so")
    lib = ctypes.CDLL("./libplugin.so")
    lib.plug.restype = ctypes.c_void_p
    for _ in range(int(line)):
        lib.unplug(ctypes.c_void_p(lib.plug()))
    print("done", flush=True)
"""
    (tmp_path / "plugin.c").write_text(code)
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", tmp_path / "master.so", tmp_path / "plugin.c"], check=True)
    target = subprocess.Popen(["/usr/bin/python3", "-c", program], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(n):
        print(n, file=target.stdin, flush=True)
        assert target.stdout.readline() == "done\n"
    do(3)
    with target, Tmux(140, 40, "--pair", "plugin=libplugin:plug(ret)/unplug(arg0)", "--pairs", "file", "-p", target.pid, "-i", "0.3") as t:
        begin(t)
        for n in (5, 7):
            do(n)
        switch(t, "p")
        assert switch(t, "p") == {"plugin": "on"}
        do(11)
        t.keys("q")
        assert t.exit_code() in (0, 5)  # one may have been closed before it had its probes: a drop
        target.stdin.close()
