# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every Java frame and line the tracer reports equals what Thread.getStackTrace() said in the same native call."""

import collections
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import ENV, SLOW, Jdk, Tracer, assert_no_losses, jdk, read_line


class Frames:
    """The fixture that makes every kind of Java frame, and says what Java knows of each stack."""

    def __init__(self, on, *jvm_args):
        fixtures = on.fixtures()
        self.log = tempfile.TemporaryFile()
        argv = on.command("java", *jvm_args, "-cp", str(fixtures), "Frames", str(fixtures / "libframes.so"))
        self.proc = subprocess.Popen(argv, bufsize=0, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                     start_new_session=True)
        self.pid = self._answer()["pid"]
        assert self.pid == self.proc.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        for stream in (self.proc.stdin, self.proc.stdout, self.log):
            stream.close()

    def _answer(self):
        line = "\n"
        while line and not line.startswith("{"):
            line = read_line(self.proc.stdout, 3 * SLOW)
        if not line:
            self.log.seek(0)
            raise AssertionError(f"the program is gone: {self.log.read().decode(errors='replace')}")
        return json.loads(line)

    def do(self, command):
        """{Java frames, innermost first: how often}, since the start."""
        self.proc.stdin.write(f"{command}\n".encode())
        return collections.Counter({tuple(s["frames"]): s["count"] for s in self._answer()["stacks"]})


def java_frames(site):
    return tuple(f"{f['symbol']} {f['file'] or 'null'}:{f['line'] or 0}" for f in site["stack"] if f["type"] == "java")


def reported(final):
    """{Java frames: how often}, and how many references had none."""
    stacks, alone = collections.Counter(), 0
    for site in final["sites"]:
        # With -Xcheck:jni the VM's own checked_jni_NewGlobalRef is in between.
        direct = next((f["symbol"] for f in site["stack"] if f["type"] == "native" and not f["inlined"]), None)
        if direct in ("Java_Frames_mark", "Java_Frames_settle"):
            stacks[java_frames(site)] += site["acquired"]
        elif direct == "attached_thread":
            assert not java_frames(site), site
            alone += site["acquired"]
    return stacks, alone


def difference(want, got, final):
    starts = collections.Counter(str([f["symbol"] or f["offset"] for f in s["stack"][:3]]) for s in final["sites"])
    lines = [f"stacks begin with {starts}", *(f"missing {n}: {' <- '.join(s)}" for s, n in sorted((want - got).items()))]
    return "\n".join(lines + [f"wrong {n}: {' <- '.join(s)}" for s, n in sorted((got - want).items())])


def jdk_of(kind):
    """Also a JDK by its path, for trying one out: JNITRACE_TEST_JDK=/path."""
    return Jdk(os.environ["JNITRACE_TEST_JDK"]) if kind == "given" else jdk(kind)


KINDS = ["given"] if "JNITRACE_TEST_JDK" in os.environ else ["17", "sid-25"]
COLLECTORS = ["-XX:+UseG1GC", "-XX:+UseParallelGC", "-XX:+UseSerialGC", "-XX:+UseZGC"]
MODES = [[c] for c in COLLECTORS] + [["-Xint"], ["-XX:TieredStopAtLevel=1"], ["-XX:-TieredCompilation"], ["-Xcheck:jni"],
                                     ["-XX:-SegmentedCodeCache"], ["-XX:-UseCompressedOops"]]


@pytest.mark.parametrize("jvm_args", MODES, ids=lambda v: v[0].replace("-XX:", ""))
@pytest.mark.parametrize("kind", KINDS)
def test_java_stacks_are_exact(kind, jvm_args):
    rounds = 3
    with Frames(jdk_of(kind), *jvm_args) as target:
        with Tracer(pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do(f"run {rounds}")
            final = tracer.stop()[target.pid]
    got, alone = reported(final)
    assert got == want, difference(want, got, final)
    assert alone == rounds
    assert len(want) > 20 and sum(want.values()) > 60
    assert_no_losses(final)
    assert_complete(final)


def assert_complete(final):
    for site in final["sites"]:
        assert site["truncated"] is None, site
        assert not any((f["symbol"] or "").startswith("[") for f in site["stack"]), site


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_frames_are_shown_when_asked_for(kind):
    """The VM can be told to show them, too: then Java itself says which there are."""
    with Frames(jdk_of(kind), "-XX:+UnlockDiagnosticVMOptions", "-XX:+ShowHiddenFrames") as target:
        with Tracer("--hidden-frames", pids=[target.pid], interval="0.2") as tracer:
            tracer.wait_tracing()
            want = target.do("run 1")
            final = tracer.stop()[target.pid]
    got, _ = reported(final)
    assert got == want, difference(want, got, final)
    assert any("$$Lambda" in frame for stack in got for frame in stack)
    assert_no_losses(final)


@pytest.mark.parametrize("kind", KINDS)
def test_code_that_comes_and_goes_is_never_named_wrongly(kind):
    with Frames(jdk_of(kind), "-XX:ReservedCodeCacheSize=6m", "-Xmx96m") as target:
        with Tracer("--allow-loss", "--max-stacks", "65536", pids=[target.pid], interval="0.1") as tracer:
            tracer.wait_tracing()
            want = target.do("churn 10 4")
            final = tracer.stop()[target.pid]
    got, _ = reported(final)
    unnamed = collections.Counter({s: n for s, n in got.items() if any(f.startswith("[") for f in s)})
    named = got - unnamed
    assert not named - want, difference(want, named, final)
    assert sum(got.values()) == sum(want.values())
    assert sum(named.values()) > 0.5 * sum(got.values()), final["drops"]
    assert bool(unnamed) == bool(final["drops"]["java_unnamed"])


@pytest.mark.parametrize("kind", ["17", "sid-25"])
def test_an_unloaded_class_does_not_lend_its_name(kind):
    """Interpreted frames of classes that get each other's addresses: each keeps its own name and count."""
    on = jdk(kind)
    fixtures = on.fixtures()
    argv = on.command("java", "-Xint", "-XX:+UseSerialGC", "-cp", str(fixtures), "Unload", str(fixtures / "libframes.so"))
    with subprocess.Popen(argv, bufsize=0, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proc:
        try:
            assert read_line(proc.stdout) == "ready\n"
            with Tracer(pids=[proc.pid]) as tracer:
                tracer.wait_tracing()
                proc.stdin.write(b"\n")
                assert read_line(proc.stdout) == "done\n"
                final = tracer.stop()[proc.pid]
        finally:
            proc.kill()
    calls = collections.Counter()
    for site in final["sites"]:
        for frame in site["stack"]:
            if frame["symbol"] and frame["symbol"].startswith("Moving"):
                calls[frame["symbol"]] += site["acquired"]
    assert calls == {f"Moving{i:04d}.run": 7 for i in range(1, 14)}


METHODS, LINES = 2500, 8


def many_calls(folder):
    """A class that calls mark() from METHODS * LINES different lines, and {"Many.method": its first line}."""
    text, at = ["public class Many {", "static native void mark();"], {}
    for m in range(METHODS):
        text.append(f"static void m{m}() {{")
        at[f"Many.m{m}"] = len(text) + 1
        text += ["mark();"] * LINES + ["}"]
    text += ["static void all() {", *(f"m{m}();" for m in range(METHODS)), "}"]
    text += ["public static void main(String[] a) throws Exception { System.load(a[0]);",
             "System.out.println(\"ready\"); System.in.read(); all(); System.out.println(\"done\"); System.in.read(); }", "}"]
    source = folder / "Many.java"
    source.write_text("\n".join(text))
    jdk("17").run("javac", "-d", str(folder), str(source))
    return at


@pytest.mark.parametrize("mode", ["-Xint", "-Xcomp"])
def test_twenty_thousand_frames_are_named_in_time(mode, tmp_path):
    """While the tracer is stopped the program does all its calls: what it does then is to name them."""
    first_line = many_calls(tmp_path)
    fixtures = jdk("17").fixtures()
    argv = jdk("17").command("java", mode, "-XX:TieredStopAtLevel=1", "-XX:-Inline", "-XX:-UsePerfData", "-cp", f"{fixtures}:{tmp_path}",
                             "Many", str(fixtures / "libframes.so"))
    with subprocess.Popen(argv, bufsize=0, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proc:
        try:
            assert read_line(proc.stdout) == "ready\n"
            with Tracer("--max-stacks", "65536", pids=[proc.pid], interval="60") as tracer:
                tracer.wait_tracing()
                tracer.proc.send_signal(signal.SIGSTOP)
                proc.stdin.write(b"\n")
                assert read_line(proc.stdout) == "done\n"
                before_s = cpu_s(tracer.proc.pid)
                tracer.proc.send_signal(signal.SIGCONT)
                time.sleep(0.2)
                while cpu_s(tracer.proc.pid) - before_s < NAMED_S and is_busy(tracer.proc.pid):
                    pass
                took_s = cpu_s(tracer.proc.pid) - before_s
                final = tracer.stop()[proc.pid]
        finally:
            proc.kill()
    calls = collections.Counter()
    for site in final["sites"]:
        [frame] = [f for f in site["stack"] if (f["symbol"] or "").startswith("Many.m") and f["symbol"] in first_line]
        calls[frame["symbol"], frame["line"] - first_line[frame["symbol"]]] += site["acquired"]
    assert calls == {(f"Many.m{m}", line): 1 for m in range(METHODS) for line in range(LINES)}
    assert_no_losses(final)
    print("took", took_s)
    assert took_s < NAMED_S, took_s


NAMED_S = 2.0


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_busy(pid):
    """Does it use the CPU now?"""
    before = cpu_s(pid)
    time.sleep(0.3)
    return cpu_s(pid) - before > 0.05
