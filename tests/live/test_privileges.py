# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tool keeps of root's power, and how little it takes (docs/threats.md)."""

import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import ENV, JNITRACE, SLOW, read_line, run_tool, wait_until

# linux/capability.h
DAC_OVERRIDE, DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN, SYS_RESOURCE, PERFMON, BPF, CHECKPOINT_RESTORE = 1, 2, 19, 21, 24, 38, 39, 40
READ = {DAC_READ_SEARCH, SYS_PTRACE, CHECKPOINT_RESTORE}
TRACE = READ | {SYS_RESOURCE, SYS_ADMIN, PERFMON, BPF}


def only(*names):
    """A command's prefix: root with these capabilities."""
    some = ",".join(["-all", *(f"+{name}" for name in names)])
    return ["setpriv", f"--bounding-set={some}", f"--inh-caps={some}"]


def privileges(task):
    status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
    sets = [{bit for bit in range(64) if int(status[name], 16) >> bit & 1} for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")]
    return sets, status["NoNewPrivs"]


@pytest.mark.asan
@pytest.mark.parametrize("args, kept", [
    ([], TRACE),
    (["--output", "out"], TRACE | {DAC_OVERRIDE}),
    (["census", "--watch"], READ),
], ids=lambda v: " ".join(map(str, v)) or "top")
def test_what_is_kept(oracle, args, kept, tmp_path):
    """By all of its threads, before anything of a target is read, for good."""
    with subprocess.Popen([str(JNITRACE), *args, "-p", str(oracle.pid), "--json"], env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, bufsize=0, cwd=tmp_path) as tool:
        if "--output" in args:  # and it is at work
            wait_until(lambda: tool.poll() is not None or (tmp_path / "out").exists() and (tmp_path / "out").stat().st_size > 0)
        else:
            assert read_line(tool.stdout).startswith("{")
        of = [privileges(task) for task in Path(f"/proc/{tool.pid}/task").iterdir()]
        tool.send_signal(signal.SIGINT)
        tool.communicate(timeout=SLOW)
    assert tool.returncode == 0
    kept = kept & privileges(Path("/proc/self"))[0][1]
    assert of and all(each == ([kept, kept, set(), set()], "1") for each in of), of


@pytest.mark.parametrize("args, least", [
    (["-n", "1"], ["bpf", "perfmon", "sys_ptrace"]),
    (["-n", "1", "--attach", "perf"], ["sys_ptrace", "sys_admin"]),
    (["census"], ["sys_ptrace"]),
    (["probes"], ["sys_ptrace"]),
], ids=lambda v: " ".join(v))
def test_how_little_it_takes(oracle, args, least):
    """Of a JVM whose files everyone may read; each of them is needed."""
    assert run_tool(*args, "-p", oracle.pid, "--json", prefix=only(*least)).returncode == 0
    for missing in least:
        result = run_tool(*args, "-p", oracle.pid, "--json", prefix=only(*(set(least) - {missing})))
        assert result.returncode == 3 and re.search("^jnitrace: .*: .*", result.stderr, re.M), (missing, result)
