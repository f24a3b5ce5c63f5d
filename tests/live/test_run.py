# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""jnitrace run: a command's JVMs, from their first JNI call; its output, signals and exit code; the judgement."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from harness import BUILD, ENV, FIXTURES, JNITRACE, SLOW, Jdk, jdk, read_line, wait_until

AT_LOAD = 1009  # as in tests/fixtures/first/first.c
LOOKS = 20  # of the tracer, after which it has read what there is to be read


def java(on=None):
    return str((on or jdk("17")).home / "bin/java")


def first(*args, on=None, options=()):
    """The command line of a JVM that loads a library first of all."""
    on = on or jdk("17")
    fixtures = on.fixtures()
    return [*on.command("java"), "-XX:-UsePerfData", *options, "-cp", str(fixtures), "First", str(fixtures / "libfirst.so"), *map(str, args)]


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


def sleeps(pid):
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def wait_looks(pid):
    """Until the tracer has looked at its JVMs some times more: it sleeps in between."""
    end = sleeps(pid) + LOOKS
    wait_until(lambda: sleeps(pid) >= end)


def judged_alive(on, *args, prefix=(), until="", does=("stay",)):
    """The report of a JVM that has loaded its library and waits, as the command ends; stderr. It is a daemon: nobody's child."""
    on = on or jdk("17")
    inner = shell(first(*does, on=on))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        file, fifo = Path(folder) / "report.json", Path(folder) / "fifo"
        os.mkfifo(fifo)
        argv = [*prefix, str(JNITRACE), "run", "--wait", "10ms", *args, "--report", str(file), "--", "sh", "-c", f"(setsid {inner} <{fifo} &); read line"]
        env = dict(ENV, JAVA_HOME=f"{on.root or ''}{on.home}")  # a JDK that is known before
        with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0) as tool, open(fifo, "wb"):
            assert (read_line(tool.stdout), read_line(tool.stdout)) == ("loaded\n", "staying\n")
            wait_until(lambda: until in Path(f"/proc/self/fd/{log.fileno()}").read_text())
            wait_looks(helpers(tool)["jnitrace"])
            tool.stdin.write(b"\n")
            tool.stdin.close()
            assert tool.wait(SLOW) == 0
        log.seek(0)
        stderr = log.read()
        [report] = [json.loads(line) for line in file.read_text().splitlines()]
        return report, stderr


@pytest.mark.parametrize("kind", ["17", "17-stripped", "25", "sid-8", "sid-11"])
def test_no_call_is_missed(kind):
    """
    From the first one that the JDK's own libraries make to those of the first library's JNI_OnLoad; also where the VM has no
    symbols, and its functions are known by the table of the thread that starts it.
    """
    report, stderr = judged_alive(Jdk("/usr/lib/jvm/temurin-25-jdk-amd64") if kind == "25" else jdk(kind))
    family = report["families"]["global"]
    assert outstanding_of(report, "libfirst.so") == AT_LOAD
    own = outstanding_of(report, "libjava.so") + outstanding_of(report, "libjvm.so")
    assert own > 0, "the JDK's own keep some of the first calls of all"
    assert report["calls"]["NewGlobalRef"] - report["calls"]["DeleteGlobalRef"] == family["outstanding"] == AT_LOAD + own
    assert family["before_attach"] == 0
    assert family["vm_total"] == family["outstanding"] + family["vm_own"]
    assert (kind != "sid-8") <= family["vm_own"] < 60  # handles of the VM's own, as of its class loaders
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


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH"])
def test_signals_are_passed_on(name):
    script = f"trap 'echo got; exit 5' {name}; echo ready; while :; do sleep 0.05; done"
    argv = [str(JNITRACE), "run", "--", "sh", "-c", script]
    with subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as tool:
        assert read_line(tool.stdout) == "ready\n"
        tool.send_signal(getattr(signal, f"SIG{name}"))
        assert read_line(tool.stdout) == "got\n"
        assert tool.wait(SLOW) == 5


def test_how_the_command_ends():
    """With the codes of a shell, for what cannot be started too."""
    assert run(command=["sh", "-c", "kill -TERM $$"]).returncode == 128 + signal.SIGTERM
    assert run(command=first("exit", 41)).returncode == 41
    with tempfile.TemporaryDirectory() as folder:
        lacks = Path(folder) / "lacks-its-interpreter"
        lacks.write_text("#!/no/such/interpreter\n")
        lacks.chmod(0o755)
        for command, code in (("/no/such/program", 127), ("no-such-program", 127), (lacks, 127), ("/etc/passwd", 126), (folder, 126), ("/etc/passwd/x", 127)):
            result = run(command=[command])
            assert result.returncode == code == subprocess.run(["sh", "-c", 'exec "$0"', str(command)], check=False, capture_output=True).returncode, command
            assert f"jnitrace: run {command}: " in result.stderr


class Terminal:
    """A shell with job control on a terminal of its own."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], dict(ENV, PS1="", TERM="dumb"))
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGHUP)
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, text):
        """Until that is there; returns what came before it."""
        end = time.monotonic() + SLOW
        while text not in self.text:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r} in {self.text!r}"
            self.text += os.read(self.fd, 4096).decode(errors="replace")
        before, self.text = self.text.split(text, 1)
        return before


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


ON_TERMINAL = """
trap 'echo size-' WINCH
trap 'echo int-' INT
echo pid-$$-
while read -r line || [ $? -gt 128 ]; do echo "got-$line-"; done
exit 9
"""


def test_job_control():
    """On a terminal: Ctrl-Z stops both, fg lets both go on; its keys and its size are the command's, and told once."""
    with tempfile.NamedTemporaryFile("w") as script, Terminal() as terminal:
        script.write(ON_TERMINAL)
        script.flush()
        terminal.type("stty -echo; echo o''ff-\n")
        terminal.wait_for("off-")
        terminal.type(f"{JNITRACE} run -- bash {script.name}\n")
        terminal.wait_for("pid-")
        pid = int(terminal.wait_for("-"))
        tool = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        terminal.type("\x1a")
        wait_until(lambda: (state_of(pid), state_of(tool)) == ("T", "T"))
        terminal.type("fg\n")
        wait_until(lambda: (state_of(pid), state_of(tool)) == ("S", "S"))
        terminal.type("\x03")
        terminal.wait_for("int-")
        fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        terminal.type("first\n")
        before = terminal.wait_for("got-first-")
        assert (before.count("int-"), before.count("size-")) == (0, 1), before
        terminal.type("\x04")
        terminal.wait_for("no JVM was traced")  # the command is gone by then
        terminal.type("echo code-$?-\n")
        terminal.wait_for("code-9-")


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


def children_of(parent):
    """{pid: name}"""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            name, fields = Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
            if int(fields.split()[1]) == parent:
                found[int(pid)] = name
    return found


def helpers(tool):
    """The processes of a run: {its name: pid}, the tracer's as "jnitrace". Each takes its name when it comes to run."""
    tracer, found = None, {}

    def all_there():
        nonlocal tracer, found
        own = [pid for pid, name in children_of(tool.pid).items() if name == "jnitrace"]
        if len(own) == 1:
            tracer, found = own[0], {name: pid for pid, name in children_of(own[0]).items()}
        return {"jnitrace-gate", "jnitrace-files"} <= found.keys() or tracer and not may_hold(tracer)

    wait_until(all_there)
    return {"jnitrace": tracer, **found}


def may_hold(pid):
    """CAP_SYS_ADMIN is in its bounding set."""
    return int(re.search(r"^CapBnd:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1], 16) >> 21 & 1


@contextlib.contextmanager
def waiting_run():
    """A run whose command waits for its stdin to end."""
    with subprocess.Popen([str(JNITRACE), "run", "--assert", "drops==0", "--", "sh", "-c", "echo ready; read line; exit 23"], env=ENV, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as tool:
        assert read_line(tool.stdout) == "ready\n"
        yield tool
        tool.stdin.close()
        tool.wait(SLOW)


OPEN = "import sys\nfor i in range(int(sys.argv[1])):\n    assert open(sys.argv[2], 'rb').read(4) == b'\\x7fELF'"


def opens(times=1):
    """Can others open the file that JVMs are held at? Were they held, too, they would be let go after two seconds each."""
    command = [sys.executable, "-c", OPEN, str(times), f"{jdk('17').home}/lib/libjava.so"]
    return subprocess.run(["timeout", "-s", "KILL", str(SLOW), *command], capture_output=True, check=False).returncode == 0


def test_others_are_not_held():
    """And a JVM of somebody else's is not, either, and not traced."""
    with waiting_run() as tool:
        assert opens(SLOW)  # once a second at least
        assert subprocess.run(first(), env=ENV, capture_output=True, text=True, timeout=SLOW, check=True).stdout == "loaded\n"
    assert tool.returncode == 6  # no JVM was traced


@pytest.mark.parametrize("who", ["jnitrace", "jnitrace-gate", "jnitrace-files"])
@pytest.mark.parametrize("sig", ["STOP", "KILL"])
def test_nobody_waits_for_who_is_stopped(who, sig):
    with waiting_run() as tool:
        pids = helpers(tool)
        os.kill(pids[who], getattr(signal, f"SIG{sig}"))
        assert opens()
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
                          f"echo ready; read line; {shell(first())}; echo gone; read line"], env=ENV, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=log, bufsize=0) as tool:
        assert read_line(tool.stdout) == "ready\n"
        pids = helpers(tool)
        os.kill(pids["jnitrace"], signal.SIGSTOP)
        tool.stdin.write(b"\n")
        assert (read_line(tool.stdout), read_line(tool.stdout)) == ("loaded\n", "gone\n")
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
        # Of how many sites: the stacks of a library that is new may be cut short (docs/run.md).
        assert re.search(r"^jnitrace: suppressed: leak:Java_First_leak: 5 references of \d+ sites, 0 findings$", result.stderr, re.M), result.stderr
        assert f"jnitrace: suppression not used: stale-use:* ({quiet}:4)" in result.stderr


# Of every kind: what a result's name may hold, and what a reader of the result must get.
CHARACTERS = [*((bytes([c]), "\t" if c == 9 else "\n" if c == 10 else "?" if c < 32 or c == 127 else chr(c)) for c in range(1, 128) if c != 39),
              *((c.encode(), c) for c in ("\u00e9", "\u4e2d", "\U0001f41b", "e\u0301", "\ufffd", "\u0100")),
              *((c.encode(), "?") for c in ("\u0080", "\u0085", "\u009f", "\u2028", "\u202e", "\ufeff", "\ufffe", "\uffff")),
              (b"\xff", "?"), (b"\xc0\xaf", "??"), (b"\xe2\x28\xa1", "?(?"), (b"\xed\xa0\x80", "???"), (b"\xf4\x90\x80\x80", "????"), (b"\xe4\xb8", "??")]


def test_every_character():
    """JUnit's XML, TAP with its YAML, and GitHub's annotations, each read back: of an assertion's text, which is anybody's."""
    asked, wanted = [], []
    for i in range(0, len(CHARACTERS), 40):
        part = CHARACTERS[i:i + 40]
        asked.append(b"site('-" + b"-".join(c for c, _ in part) + b"-').outstanding==0")
        wanted.append("site('-" + "-".join(c for _, c in part) + "-').outstanding==0")
    with tempfile.TemporaryDirectory() as folder:
        junit, tap = Path(folder) / "junit.xml", Path(folder) / "result.tap"
        arguments = [part for text in asked for part in (b"--assert", text)]
        argv = [str(JNITRACE).encode(), b"run", *arguments, b"--junit", str(junit).encode(), b"--tap", str(tap).encode(), b"--", b"true"]
        result = subprocess.run(argv, env=dict(ENV, GITHUB_ACTIONS="true"), capture_output=True, timeout=SLOW, check=False)
        assert result.returncode == 6, result
        schema = Path(__file__).parents[1] / "checks/junit.xsd"
        subprocess.run(["xmllint", "--noout", "--schema", schema, junit], check=True, capture_output=True, timeout=SLOW)
        assert [case.attrib["name"] for case in ElementTree.parse(junit).getroot()[0]] == wanted
        cases = re.findall(r"^not ok \d+ - (.*)\n  ---\n((?:    .*\n|  \w.*\n)*)  \.\.\.\n", tap.read_text(encoding="utf-8"), re.M)
        assert [re.sub(r"\\(.)", r"\1", name) for name, _ in cases] == [re.sub(r"[\n\t]", " ", name) for name in wanted]
        assert all("no JVM was traced" in yaml.safe_load(block)["message"] for _, block in cases)
        notes = re.findall(rb"^::error title=([^:]*)::", result.stderr, re.M)
        assert [re.sub(rb"%(..)", lambda m: bytes.fromhex(m[1].decode()), note).decode() for note in notes] == wanted


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
    unread = re.search(r"the classes of (\d+) of (\d+) references could not be read before it ended", result.stderr)
    assert bool(unread) == (result.returncode == 6), result
    assert not unread or 0 < int(unread[1]) <= int(unread[2]) == AT_LOAD + 3
    result = run("--assert", "class('First').outstanding==0", command=first("leak", 3))
    assert result.returncode == 6, result


@pytest.mark.parametrize("kind", ["17", "25"])
def test_what_ended_before_it_was_named(kind, tmp_path):
    """javac ends as soon as it is done, with stacks of its last 0.1 s without names: each says so, and is counted as such."""
    on = Jdk("/usr/lib/jvm/temurin-25-jdk-amd64") if kind == "25" else jdk(kind)
    (tmp_path / "Made.java").write_text("class Made { java.util.function.IntUnaryOperator twice = i -> 2 * i; }")
    result, [report] = run_report("-e", "all", command=on.command("javac", "-d", tmp_path, tmp_path / "Made.java"), timeout=3 * SLOW)
    assert result.returncode == 0 and report["end_reason"] == "exited", result
    nameless = [s for s in report["sites"] if any(f["type"] == "java" and f["symbol"].startswith("[unknown Java method") for f in s["stack"])]
    flushed = [s for s in report["sites"] if any(f["type"] == "java" and f["symbol"].startswith("[code flushed") for f in s["stack"])]
    assert all(f["symbol"] for s in report["sites"] for f in s["stack"] if f["type"] == "java")
    reasons = report["stacks"]["reasons"]
    assert (sum(s["acquired"] for s in nameless), sum(s["acquired"] for s in flushed)) == (reasons["java_unnamed"], reasons["code_flushed"])


def marked_inodes(gate):
    """Of the files that it is told of."""
    found = set()
    for fd in Path(f"/proc/{gate}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found |= {int(inode, 16) for inode in re.findall(r"^fanotify ino:(\w+)", fd.read_text(), re.M)}
    return found


def test_one_in_another_root():
    """
    Of a JDK that is nowhere on this machine: found when it is executed, by what lies beside it. It waits for its arguments (java
    @FILE) until that is done: on a busy machine it would be too late for that, and count as start_missed.
    """
    with tempfile.TemporaryDirectory(dir=BUILD) as folder, tempfile.TemporaryDirectory() as results:
        root, file, out = Path(folder), Path(results) / "report.json", Path(results) / "pid"
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
            mkfifo {root}/tmp/arguments
            stat -c %i {root}/own/lib/libjava.so
            (read line; echo "-XX:-UsePerfData -cp /fixtures First /fixtures/libfirst.so leak 4" >{root}/tmp/arguments) <&3 &
            mount -t proc proc {root}/proc
            exec chroot {root} /own/bin/java @/tmp/arguments"""
        argv = [str(JNITRACE), "run", "--assert", "drops==0", "--report", str(file), "--", "unshare", "--mount", "--pid", "--fork", "sh", "-c", f"exec 3<&0; {script}"]
        with subprocess.Popen(argv, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as tool:
            inode = int(read_line(tool.stdout))
            gate = helpers(tool)["jnitrace-gate"]
            wait_until(lambda: inode in marked_inodes(gate))
            stdout, stderr = tool.communicate(b"\n", SLOW)
        assert tool.returncode == 0, (stdout, stderr)
        [report] = [json.loads(line) for line in file.read_text().splitlines()]
        assert outstanding_of(report, "libfirst.so") == AT_LOAD + 4


def test_by_sudo():
    """As by sudo perf record: the command is run as sudo runs the tool, with that environment; as another user by sudo once more, and traced."""
    sudo = ["sudo", "-n", "-u", "root"]
    show = ["sh", "-c", 'echo "$(id -u) $SUDO_USER $KEPT"']
    env = dict(ENV, KEPT="kept", JAVA_HOME=str(jdk("17").home))
    assert run(prefix=sudo, command=show, env=env).stdout == "0 root \n"
    assert run(prefix=[*sudo, "--preserve-env=KEPT"], command=show, env=env).stdout == "0 root kept\n"
    with tempfile.TemporaryDirectory() as folder:
        tap = Path(folder) / "result.tap"
        arguments = ["--assert", f"site('libfirst.so').outstanding=={AT_LOAD + 2}", "--assert", "drops==0", "--tap", tap]
        result = run(*arguments, prefix=[*sudo, "--preserve-env"], command=["sudo", "-n", "-u", "nobody", *first("leak", 2, "exit", 3)], env=env)
        assert (result.returncode, result.stdout) == (3, "loaded\n"), result
        assert tap.read_text().splitlines()[2:] == [f"ok 1 - site('libfirst.so').outstanding=={AT_LOAD + 2}", "ok 2 - drops==0"]


@pytest.mark.parametrize("kind, code", [("fresh", 6), ("kept", 0)])
def test_a_real_library(kind, code):
    """Debian's JNA 5.13 keeps two of three weak references of each callback that it maps, as README shows; one that is kept is mapped once."""
    command = [java(), "-XX:-UsePerfData", "-cp", f"{FIXTURES}:/usr/share/java/jna.jar", "Mapped", kind, "50"]
    result = run("--assert", "site(\"create_callback\").outstanding<=3", command=command)
    assert (result.returncode, result.stdout) == (code, "sorted\n"), result
    if code:
        assert re.search(r"outstanding<=3: it is 1[0-5]\d$", result.stderr, re.M), result.stderr
        assert "NewWeakGlobalRef" in result.stderr
