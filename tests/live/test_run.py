# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""jnitrace run: a command's JVMs, from their first JNI call; its output, signals and exit code; the judgement."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness import BUILD, ENV, FIXTURES, JNITRACE, SLOW, jdk, read_line, wait_until

AT_LOAD = 1009  # as in tests/fixtures/first/first.c
TEMURIN = "/usr/lib/jvm/temurin-25-jdk-amd64"


def java(home=None):
    return f"{home or jdk('17').home}/bin/java"


def first(*args, home=None, options=()):
    """The command line of a JVM that loads a library first of all."""
    return [java(home), "-XX:-UsePerfData", *options, "-cp", str(FIXTURES), "First", str(FIXTURES / "libfirst.so"), *map(str, args)]


def shell(command):
    return " ".join(f"'{word}'" for word in command)


def run(*args, command, prefix=(), **kwargs):
    """jnitrace run to its end."""
    options = {"env": ENV, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": SLOW, "check": False, **kwargs}
    return subprocess.run([*prefix, str(JNITRACE), "run", *map(str, args), "--", *map(str, command)], **options)


def run_report(*args, command, **kwargs):
    """Likewise; its last reports."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        result = run(*args, "--report", file, command=command, **kwargs)
        return result, [json.loads(line) for line in file.read_text().splitlines()]


def outstanding_of(report, module):
    return sum(s["outstanding"] for s in report["sites"] if any(f["module"] == module for f in s["stack"][:1]))


def judged_alive(home, *args, prefix=(), until="", does=("stay",)):
    """The report of a JVM that has loaded its library and waits, as the command ends; stderr."""
    inner = shell(first(*does, home=home))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        file, fifo = Path(folder) / "report.json", Path(folder) / "fifo"
        os.mkfifo(fifo)
        argv = [*prefix, str(JNITRACE), "run", "--wait", "10ms", *args, "--report", str(file), "--", "sh", "-c", f"{inner} <{fifo} & read line"]
        with subprocess.Popen(argv, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0) as tool, open(fifo, "wb"):
            assert (read_line(tool.stdout), read_line(tool.stdout)) == ("loaded\n", "staying\n")
            wait_until(lambda: until in Path(f"/proc/self/fd/{log.fileno()}").read_text())
            tool.stdin.write(b"\n")
            tool.stdin.close()
            assert tool.wait(SLOW) == 0
        log.seek(0)
        stderr = log.read()
        [report] = [json.loads(line) for line in file.read_text().splitlines()]
        return report, stderr


@pytest.mark.parametrize("home", [None, TEMURIN], ids=["17", "25"])
def test_no_call_is_missed(home):
    """From the first one that the JDK's own libraries make to those of the first library's JNI_OnLoad."""
    report, stderr = judged_alive(home)
    family = report["families"]["global"]
    assert outstanding_of(report, "libfirst.so") == AT_LOAD
    own = outstanding_of(report, "libjava.so")
    assert own > 0, "libjava.so keeps some of the first calls of all"
    assert report["calls"]["NewGlobalRef"] - report["calls"]["DeleteGlobalRef"] == family["outstanding"] == AT_LOAD + own
    assert family["before_attach"] == 0
    assert family["vm_total"] == family["outstanding"] + family["vm_own"]
    assert 0 < family["vm_own"] < 60  # handles of the VM's own, as of its class loaders
    assert not any(report["drops"].values()), report["drops"]
    assert "outlives the command" in stderr


def test_without_the_hold_that_is_told():
    """It may not do so here: then the first calls are missing, and nobody says that all is known."""
    no_hold = ["setpriv", "--bounding-set=-all,+bpf,+perfmon,+sys_ptrace,+checkpoint_restore,+dac_read_search,+dac_override",
               "--inh-caps=-all"]
    report, stderr = judged_alive(None, prefix=no_hold, until="were not seen")
    assert "hold JVMs while they start" in stderr
    assert outstanding_of(report, "libjava.so") == 0
    assert report["drops"]["start_missed"] == 1


def test_all_is_passed_through():
    """Standard files, environment, identity, arguments, code; of the tool there is nothing but on stderr."""
    script = 'read line; echo "$line $1 $KEPT"; echo err >&2; grep -E "^(Cap|NoNewPrivs|Uid|SigBlk|SigIgn)" /proc/self/status; ls /proc/self/fd | wc -l; exit 37'
    command = ["sh", "-c", script, "sh", "an argument"]
    env = dict(ENV, KEPT="kept")
    plain = subprocess.run(command, env=env, input="in\n", capture_output=True, text=True, timeout=SLOW, check=False)
    result = run(command=command, env=env, stdin=None, input="in\n")
    assert result.stdout == plain.stdout
    assert result.returncode == plain.returncode == 37
    assert "err\n" in result.stderr


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2"])
def test_signals_are_passed_on(name):
    script = f"trap 'echo got; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
    argv = [str(JNITRACE), "run", "--", "sh", "-c", script]
    with subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as tool:
        assert read_line(tool.stdout) == "ready\n"
        tool.send_signal(getattr(signal, f"SIG{name}"))
        assert read_line(tool.stdout) == "got\n"
        assert tool.wait(SLOW) == 5


def test_how_the_command_ends():
    assert run(command=["sh", "-c", "kill -TERM $$"]).returncode == 128 + signal.SIGTERM
    assert run(command=["/no/such/program"]).returncode == 127
    assert run(command=["/etc/passwd"]).returncode == 126
    assert run(command=first("exit", 41)).returncode == 41


@pytest.mark.parametrize("expression, column", [
    ("", 1),
    ("nothing==0", 1),
    ("global==0", 7),
    ("global.gone==0", 8),
    ("global.outstanding", 19),
    ("global.outstanding=0", 19),
    ("global.outstanding<=", 21),
    ("global.outstanding<=-1", 21),
    ("global.outstanding<=18446744073709551616", 21),
    ("global.outstanding<=7 x", 23),
    ("global.outstanding<=7 && ", 26),
    ("site.outstanding==0", 5),
    ("site(libfoo).outstanding==0", 6),
    ("site('libfoo).outstanding==0", 6),
    ("site('').outstanding==0", 7),
    ("site('a'.outstanding==0", 9),
    ("class('a').acquired==0", 11),
    ("findings('no-such')==0", 11),
    ("drops('no_such')==0", 8),
    ("leak==0", 5),
])
def test_errors_point_at_the_column(expression, column):
    """And the command is not even started."""
    result = run("--assert", expression, command=["echo", "started"])
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert f"--assert, column {column}: " in result.stderr, result.stderr


def test_assertions():
    """Of one JVM whose references are known: those that hold, and all that do not, with the culprit's stack."""
    hold = ["global.outstanding>=1009 && global.outstanding <= 1012", f"site('libfirst.so').outstanding=={AT_LOAD + 3}", "site('lib*st.so').released==2",
            "site('Java_First_leak').acquired==5", "weak.outstanding==0", "drops==0", "findings('double-delete')==0", "findings==0"]
    fail = ["global.outstanding<=7", "site(\"libfirst.so\").outstanding==0", "global.outstanding==1 && drops==0"]
    unknown = ["leak.growing==0", "local.outstanding==0"]
    arguments = [part for expression in (*hold, *fail, *unknown) for part in ("--assert", expression)]
    result = run(*arguments, command=first("leak", 3, "release", 2, "exit", 9))
    assert result.returncode == 6, result
    assert result.stdout == "loaded\n"
    failed = [line.split(": ")[2] for line in result.stderr.splitlines() if line.startswith("jnitrace: assertion failed: ")]
    doubted = [line.split(": ")[2] for line in result.stderr.splitlines() if line.startswith("jnitrace: assertion not known to hold: ")]
    assert (failed, doubted) == (fail, unknown), result.stderr
    assert f"{len(hold)} of {len(hold + fail + unknown)} assertions hold" in result.stderr
    assert "JNI_OnLoad" in result.stderr
    assert "first.c" in result.stderr
    assert run(*[part for expression in hold for part in ("--assert", expression)],
               command=first("leak", 3, "release", 2, "exit", 9)).returncode == 9


def helpers(tool):
    """The processes of a run: {its name: pid}, the tracer's as "jnitrace"."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name, parent = stat.split("(", 1)[1].rsplit(")", 1)
        found[int(pid)] = (name, int(parent.split()[1]))
    [tracer] = [pid for pid, (name, parent) in found.items() if parent == tool.pid and name == "jnitrace"]
    return {"jnitrace": tracer, **{name: pid for pid, (name, parent) in found.items() if parent == tracer}}


@contextlib.contextmanager
def waiting_run():
    """A run whose command waits for its stdin to end."""
    with subprocess.Popen([str(JNITRACE), "run", "--assert", "drops==0", "--", "sh", "-c", "echo ready; read line; exit 23"], env=ENV, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as tool:
        assert read_line(tool.stdout) == "ready\n"
        yield tool
        tool.stdin.close()
        tool.wait(SLOW)


def opens(seconds):
    """Can others open the file that JVMs are held at, within so long?"""
    return subprocess.run(["timeout", "-s", "KILL", str(seconds), "head", "-c", "4", f"{jdk('17').home}/lib/libjava.so"], capture_output=True,
                          check=False).stdout == b"\x7fELF"


def test_others_are_not_held():
    """And a JVM of somebody else's is not, either, and not traced."""
    with waiting_run() as tool:
        assert opens(1)
        assert subprocess.run(first(), env=ENV, capture_output=True, text=True, timeout=SLOW, check=True).stdout == "loaded\n"
    assert tool.returncode == 6  # no JVM was traced


@pytest.mark.parametrize("who", ["jnitrace", "jnitrace-gate", "jnitrace-files"])
@pytest.mark.parametrize("sig", ["STOP", "KILL"])
def test_nobody_waits_for_who_is_stopped(who, sig):
    with waiting_run() as tool:
        pids = helpers(tool)
        os.kill(pids[who], getattr(signal, f"SIG{sig}"))
        assert opens(SLOW / 4)
        if sig == "STOP" and who == "jnitrace":
            os.kill(pids[who], signal.SIGCONT)


def test_a_tracer_that_dies():
    """The command goes on, and its code is passed through, but what was to be asserted does not hold."""
    with waiting_run() as tool:
        pids = helpers(tool)
        os.kill(pids["jnitrace"], signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pids['jnitrace-gate']}").exists())
    assert tool.returncode == 6
    with subprocess.Popen([str(JNITRACE), "run", "--", "sh", "-c", "echo ready; read line; exit 23"], env=ENV, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as tool:
        assert read_line(tool.stdout) == "ready\n"
        os.kill(helpers(tool)["jnitrace"], signal.SIGKILL)
        _, stderr = tool.communicate(b"\n", SLOW)
    assert tool.returncode == 23
    assert b"was not judged" in stderr


def test_a_jvm_of_the_command_is_let_go():
    """With the tracer stopped: after two seconds, and that is told."""
    with tempfile.TemporaryFile("w+") as log, subprocess.Popen([str(JNITRACE), "run", "--assert", "drops('start_missed')==1", "--wait", "5s", "--", "sh", "-c",
                          f"echo ready; read line; {shell(first())}; read line"], env=ENV, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=log, bufsize=0) as tool:
        assert read_line(tool.stdout) == "ready\n"
        pids = helpers(tool)
        os.kill(pids["jnitrace"], signal.SIGSTOP)
        tool.stdin.write(b"\n")
        assert read_line(tool.stdout) == "loaded\n"
        os.kill(pids["jnitrace"], signal.SIGCONT)
        tool.stdin.close()
        assert tool.wait(SLOW) == 6
        log.seek(0)
        assert "a JVM could not be traced" in log.read()  # it was gone when the tracer went on


def test_three_in_turn_are_added_up():
    script = "; ".join(shell(first("leak", n)) for n in (1, 2, 4))
    result, reports = run_report("--assert", f"site('libfirst.so').outstanding=={3 * AT_LOAD + 7}", command=["sh", "-c", script])
    assert result.returncode == 0, result
    assert [outstanding_of(r, "libfirst.so") for r in reports] == [AT_LOAD + n for n in (1, 2, 4)]
    assert not any(any(r["drops"].values()) for r in reports)


def test_a_jvm_that_starts_another():
    """As Maven's Surefire does, by a shell."""
    result, reports = run_report("--assert", "drops==0", command=first("leak", 1, "more", "leak", 2, "exit", 7))
    assert result.returncode == 7, result
    assert sorted(outstanding_of(r, "libfirst.so") for r in reports) == [AT_LOAD + 1, AT_LOAD + 2]


def test_one_that_crashes_and_one_that_is_killed():
    result, reports = run_report(command=first("leak", 5, "crash", options=["-XX:-CreateCoredumpOnCrash"]))
    assert result.returncode == 128 + signal.SIGSEGV, result
    assert [outstanding_of(r, "libfirst.so") for r in reports] == [AT_LOAD + 5]
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder) / "fifo"
        os.mkfifo(fifo)
        script = (f"{shell(first('leak', 3, 'stay'))} <{fifo} >{folder}/said & pid=$!; exec 3>{fifo}; "
                  f"until grep -q staying {folder}/said; do sleep 0.1; done; kill -9 $pid; wait $pid")
        result, reports = run_report(command=["sh", "-c", script])
    assert result.returncode == 128 + signal.SIGKILL, result
    assert [outstanding_of(r, "libfirst.so") for r in reports] == [AT_LOAD + 3]


def test_results_for_collectors():
    """JUnit's XML by its schema, TAP, GitHub's annotations; suppressions that were used and that were not."""
    env = dict(ENV, GITHUB_ACTIONS="true")
    with tempfile.TemporaryDirectory() as folder:
        junit, tap, quiet = (Path(folder) / name for name in ("junit.xml", "result.tap", "quiet"))
        quiet.write_text("# known\nleak:libfirst.so;*First.main\nleak:Java_First_leak\nstale-use:*\n")
        script = "; ".join(shell(first("leak", n)) for n in (2, 3))
        arguments = ("--assert", f"global.outstanding<={2 * AT_LOAD}", "--assert", "site('Java_First_leak').outstanding==0", "--assert", "weak.outstanding<1",
                     "--assert", "leak.growing==0", "--junit", junit, "--tap", tap)
        result = run(*arguments, command=["sh", "-c", script], env=env)
        assert result.returncode == 6, result
        schema = Path(__file__).parents[1] / "checks/junit.xsd"
        subprocess.run(["xmllint", "--noout", "--schema", schema, junit], check=True, capture_output=True, timeout=SLOW)
        suites = ElementTree.parse(junit).getroot()
        assert suites.attrib["tests"] == "12" and suites.attrib["failures"] == "6", suites.attrib
        assert [len(s) for s in suites] == [4, 4, 4]
        failures = [case.attrib["name"] for case in suites[0] if case.find("failure") is not None]
        assert failures == [f"global.outstanding<={2 * AT_LOAD}", "site('Java_First_leak').outstanding==0"]
        assert "Java_First_leak" in suites[0][1].find("failure").text
        assert suites[0][3].find("error") is not None
        lines = tap.read_text().splitlines()
        assert lines[:2] == ["TAP version 14", "1..4"]
        assert [line for line in lines if re.match(r"(not )?ok ", line)] == [
            f"not ok 1 - global.outstanding<={2 * AT_LOAD}", "not ok 2 - site('Java_First_leak').outstanding==0", "ok 3 - weak.outstanding<1",
            "not ok 4 - leak.growing==0"]
        notes = [line for line in result.stderr.splitlines() if line.startswith("::error ")]
        assert len(notes) == 3, result.stderr
        assert re.match(r"::error file=[^,]*first\.c,line=\d+,title=site\('Java_First_leak'\)", notes[1]), notes
        result = run(*arguments[:6], "--suppressions", quiet, command=["sh", "-c", script])
        assert result.returncode == 0, result
        assert "jnitrace: suppressed: leak:Java_First_leak: 5 references of 2 sites, 0 findings" in result.stderr
        assert f"jnitrace: suppression not used: stale-use:* ({quiet}:4)" in result.stderr


def test_baseline():
    """Nothing new since a recording: the same passes, one reference more fails, with its stack, as a test of its own."""
    with tempfile.TemporaryDirectory() as folder:
        old, junit, tap = (Path(folder) / name for name in ("old.jtr", "junit.xml", "result.tap"))
        assert run("--record", old, command=first("leak", 3)).returncode == 0
        same = run("--baseline", old, "--tap", tap, command=first("leak", 3))
        assert same.returncode == 0, same
        assert tap.read_text().splitlines() == ["TAP version 14", "1..1", f"ok 1 - nothing new since {old}"]
        assert run("--baseline", old, command=first("leak", 2)).returncode == 0
        more = run("--baseline", old, "--assert", "drops==0", "--junit", junit, command=first("leak", 4))
        assert more.returncode == 6, more
        assert "1 site has more outstanding, 0 findings are new" in more.stderr and "Java_First_leak" in more.stderr
        suites = ElementTree.parse(junit).getroot()
        failures = [case for case in suites[0] if case.find("failure") is not None]
        assert [case.attrib["name"] for case in failures] == [f"nothing new since {old}"]
        assert "first.c" in failures[0].find("failure").text
        assert run("--baseline", __file__, command=["true"]).returncode == 1


def test_classes():
    """They are read while it runs; those that could not be before it ended are not known, and do not pass."""
    report, stderr = judged_alive(None, "--assert", "class('First').outstanding==3", "--assert", "class('no.such.*').outstanding==0", does=("leak", 3, "stay"))
    assert outstanding_of(report, "libfirst.so") == AT_LOAD + 3
    assert "2 of 2 assertions hold" in stderr
    result = run("--assert", "class('no.such.*').outstanding==0", command=first("leak", 3))
    assert result.returncode == 0 or result.returncode == 6 and "could not be read before it ended" in result.stderr, result
    result = run("--assert", "class('First').outstanding==0", command=first("leak", 3))
    assert result.returncode == 6, result


def test_one_in_another_root():
    """Of a JDK that is nowhere on this machine: found when it is executed, by what lies beside it."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        root = Path(folder)
        script = f"""
            set -e
            mount -t tmpfs tmpfs {root}
            for dir in bin etc lib lib64 usr sbin; do [ -L /$dir ] && cp -P /$dir {root}/$dir || {{ mkdir -p {root}/$dir; [ ! -d /$dir ] || mount --rbind /$dir {root}/$dir; }}; done
            mkdir -p {root}/proc {root}/tmp {root}/dev {root}/fixtures {root}/own
            mount --rbind /dev {root}/dev
            mount --bind {FIXTURES} {root}/fixtures
            cp -rL {jdk('17').home}/bin {jdk('17').home}/conf {root}/own/
            mkdir {root}/own/lib
            cd {jdk('17').home}/lib && for f in *; do [ "$f" = src.zip ] || cp -rL "$f" {root}/own/lib/; done
            mount -t proc proc {root}/proc
            exec chroot {root} /own/bin/java -XX:-UsePerfData -cp /fixtures First /fixtures/libfirst.so leak 4"""
        result, reports = run_report("--assert", "drops==0", command=["unshare", "--mount", "--pid", "--fork", "sh", "-c", script])
    assert result.returncode == 0, result
    assert [outstanding_of(r, "libfirst.so") for r in reports] == [AT_LOAD + 4]


def test_by_sudo():
    """Its environment and identity are the caller's of sudo's, or root's, as sudo is asked."""
    result = run(command=["sh", "-c", 'echo "$SUDO_USER $KEPT"'], env=dict(ENV, SUDO_USER="someone", KEPT="kept"))
    assert result.stdout == "someone kept\n"


@pytest.mark.parametrize("kind, code", [("fresh", 6), ("kept", 0)])
def test_a_real_library(kind, code):
    """Debian's JNA 5.13 keeps two of three weak references of each callback that it maps, as README shows; one that is kept is mapped once."""
    command = [java(), "-XX:-UsePerfData", "-cp", f"{FIXTURES}:/usr/share/java/jna.jar", "Mapped", kind, "50"]
    result = run("--assert", "site(\"create_callback\").outstanding<=3", command=command)
    assert (result.returncode, result.stdout) == (code, "sorted\n"), result
    if code:
        assert re.search(r"outstanding<=3: it is 1[0-5]\d$", result.stderr, re.M), result.stderr
        assert "NewWeakGlobalRef" in result.stderr
