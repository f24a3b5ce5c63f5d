# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Output that cannot be written, in every format: one line says so, and the exit code is 1. Nothing is lost without a word."""

import contextlib
import os
import re
import subprocess

import pytest

from harness import ENV, JNITRACE, SLOW, WARM_UP, Oracle, assert_error, jdk, read_line

FORMATS = ("table", "json", "csv", "folded", "pprof", "html")


@contextlib.contextmanager
def full():
    with open("/dev/full", "wb") as f:
        yield f.fileno()


@contextlib.contextmanager
def gone():
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@contextlib.contextmanager
def closed():
    """Is closed by the shell before it starts the tool."""
    yield None


FAULTS = {full: ("No space left on device", "choose another --output"), gone: ("Broken pipe", "its reader has gone"),
          closed: ("Bad file descriptor", "choose another --output")}


def start(args, stdout, prefix=()):
    argv = [*prefix, str(JNITRACE), *map(str, args)]
    if stdout is None:
        argv = ["bash", "-c", 'exec "$0" "$@" >&-', *argv]
    return subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True)


def assert_told(proc, fault):
    """Whatever else it said while there was something to say."""
    stderr = getattr(proc, "begun", "") + proc.communicate(timeout=SLOW)[1]
    why, advice = FAULTS[fault]
    lines = [line for line in stderr.splitlines() if not line.startswith("jnitrace: tracing ")]
    assert (proc.returncode, lines) == (1, [f"jnitrace: write the output: {why} ({advice})"]), (proc.args, proc.returncode, stderr)


@pytest.fixture(name="oracle", scope="module")
def _oracle():
    with Oracle(jdk("17")) as oracle:
        oracle.do(*WARM_UP)
        yield oracle


@pytest.fixture(name="recording", scope="module")
def _recording(oracle, tmp_path_factory):
    path = tmp_path_factory.mktemp("outputs") / "it.jtr"
    with subprocess.Popen([str(JNITRACE), "record", "-p", str(oracle.pid), "-o", str(path)], env=ENV, stderr=subprocess.PIPE, bufsize=0) as proc:
        assert read_line(proc.stderr).startswith("jnitrace: tracing")
        oracle.do("run 2 101 7 53 5")
        proc.terminate()
        assert proc.wait(SLOW) == 0
    return path


@pytest.mark.asan
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_report_and_diff(recording, fault):
    """Each format that they have."""
    commands = [["report", recording, "--format", form] for form in FORMATS]
    commands += [["report", recording, "--each"]] + [["diff", recording, recording, "--format", form] for form in ("table", "json", "csv")]
    for args in commands:
        with fault() as stdout:
            assert_told(start(args, stdout), fault)


@pytest.mark.parametrize("fault, formats", [(full, FORMATS), (gone, ("json", "html"))], ids=["full", "gone"])
def test_traces(oracle, fault, formats):
    """Formats of a run, all beside each other, and what the other commands say of a process."""
    with fault() as stdout:
        traces = [start(["-p", oracle.pid, "-i", "1000", "--format", form], stdout) for form in formats]
        for proc in traces:  # until it traces, or cannot write how its format begins
            proc.begun = proc.stderr.readline()
        oracle.do("run 1 11 7 3 2")
        for proc in traces:
            proc.terminate()
            assert_told(proc, fault)
        for command in ("census", "probes"):
            for form in ([], ["--json"]):
                assert_told(start([command, "-p", oracle.pid, *form], stdout), fault)
    assert oracle.do("run 1 2 1 2 1")


def test_disk_that_is_full_later(oracle, tmp_path):
    """The first reports fit, a later one does not. A limit of the size of files stands for the disk."""
    limit = 30000
    for args in (["--json"], ["--format", "csv"]):
        out = tmp_path / f"out{len(args)}"
        with start(["-p", oracle.pid, "-i", "0.1", *args, "-o", out], subprocess.DEVNULL, prefix=["prlimit", f"--fsize={limit}"]) as proc:
            assert proc.stderr.readline().startswith("jnitrace: tracing")
            oracle.do("run 1 11 7 3 2")
            _, stderr = proc.communicate(timeout=SLOW)
        assert (proc.returncode, stderr) == (1, "jnitrace: write the output: File too large (choose another --output)\n")
        assert out.stat().st_size == limit
        assert out.read_text().count("\n") >= 1


@pytest.mark.parametrize("option", ["--junit", "--tap", "--report"])
def test_results_of_a_run(option):
    """A result that is nowhere is none: not even where all assertions hold."""
    for path, why in (("/dev/full", "No space left on device"), ("/nonexistent/result", "No such file or directory")):
        args = ["run", "--assert", "drops>=0", option, path, "--", jdk("17").home / "bin/java", "-version"]
        done = start(args, subprocess.DEVNULL)
        _, stderr = done.communicate(timeout=SLOW)
        assert done.returncode in (1, 2, 6), (done.returncode, stderr)
        assert re.search(rf"^jnitrace: [^\n]*{why} \([^\n]+\)$", stderr, re.M), stderr
