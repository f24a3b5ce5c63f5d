# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""jnitrace run of real builds, offline, by Debian's packages: Maven, whose Surefire forks the JVM of the tests; Gradle, whose daemon outlives it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))
from harness import ENV, FIXTURES, JNITRACE, jdk  # noqa: E402

AT_LOAD = 1009  # as in tests/fixtures/first/first.c
PROJECT = Path(__file__).resolve().parent / "project"
LONG = 900  # seconds after which a build hangs
MAVEN = ["mvn", "-o", "-B", "-Dmaven.repo.local=/usr/share/maven-repo", "test"]
GRADLE = ["gradle", "--offline", "--daemon", "test"]


@pytest.fixture(name="project")
def fixture_project():
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(PROJECT, project)
        yield project


def build(project, leaks, *args, command):
    """Its result, and the reports of its JVMs by the name of the main class."""
    file = project / "report.json"
    env = dict(ENV, FIXTURES=str(FIXTURES), LEAKS=str(leaks), GRADLE_USER_HOME=str(project / "home"), JAVA_HOME=str(jdk("17").home))
    result = subprocess.run([str(JNITRACE), "run", "--report", str(file), *args, "--", *command], cwd=project, env=env, stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=LONG, check=False)
    return result, [json.loads(line) for line in file.read_text().splitlines()]


def holders(reports):
    """The JVMs that have the library: how many references each holds, and what was lost."""
    held = [(sum(s["outstanding"] for s in r["sites"] if s["stack"] and s["stack"][0]["module"] == "libfirst.so"), r) for r in reports]
    return [(n, r) for n, r in held if n]


def test_maven(project):
    """The JVM that Surefire forks is traced from its first call, and decides; the build's own failure is its own code."""
    assertion = ["--assert", f"site('libfirst.so').outstanding=={AT_LOAD + 3}", "--assert", "drops==0"]
    result, reports = build(project, 3, *assertion, command=MAVEN)
    assert result.returncode == 0, result
    assert "Tests run: 1, Failures: 0" in result.stdout
    assert "2 of 2 assertions hold, of 2 JVMs" in result.stderr
    [(held, forked)] = holders(reports)
    assert held == AT_LOAD + 3 and "surefire" in forked["target"]["command"]
    result, _ = build(project, 4, *assertion, command=MAVEN)
    assert result.returncode == 6, result
    assert "Java_First_leak" in result.stderr
    result, _ = build(project, "no-number", "--assert", "drops==0", command=MAVEN)
    assert result.returncode == 1 and "BUILD FAILURE" in result.stdout, result


def test_gradle(project):
    """Its daemon is judged as it is when the command has ended, and left alone; the JVM of the tests, which it starts, is the command's too."""
    result, reports = build(project, 3, "--wait", "10ms", "--assert", f"site('libfirst.so').outstanding=={AT_LOAD + 3}", command=GRADLE)
    try:
        assert result.returncode == 0, result
        assert "BUILD SUCCESSFUL" in result.stdout
        daemon = int(re.search(r"PID (\d+) \(.*\) outlives the command", result.stderr)[1])
        os.kill(daemon, 0)
        [(held, worker)] = holders(reports)
        # its client, the daemon, the tests, and maybe JVMs that are asked for their version
        assert len(reports) >= 3 and daemon in {r["target"]["pid"] for r in reports}
        assert held == AT_LOAD + 3 and worker["target"]["pid"] != daemon
        # One that was there before is nobody's child here, and not traced: the client is.
        result, reports = build(project, 5, command=GRADLE)
        assert result.returncode == 0 and reports and not holders(reports), result
        assert daemon not in {r["target"]["pid"] for r in reports}
    finally:
        subprocess.run(["gradle", "--offline", "--stop"], cwd=project, env=dict(ENV, GRADLE_USER_HOME=str(project / "home")), capture_output=True,
                       timeout=LONG, check=True)
