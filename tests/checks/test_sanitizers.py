# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a sanitizer finds in any process that a live test starts fails that test: shown with programs that have the faults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
FAULTS = {
    "leak": "kept = malloc(n); kept = NULL; return 0;",
    "overflow": "kept = malloc(n); kept[n] = 0; free(kept); return 0;",
    "shift": "return 1 << (n + 31) == 7;",
    "none": "kept = malloc(n); kept[n - 1] = 0; free(kept); return 1 << (n + 29) == 7;",
}
# Each is a helper process, whose end its parent does not mind.
PROGRAM = """#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static char *volatile kept;
static __attribute__((noinline)) int work(int n) { %s }
int main(int n, char **v) { (void)v; if (!fork()) exit(work(n)); wait(NULL); return 0; }
"""
TEST = """import subprocess
import pytest
from harness import ENV
@pytest.fixture(scope="session", autouse=True)
def needs():
    pass  # that live tests do, and this does not
def test_it():
    subprocess.run([%r], env=ENV, check=True)
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_report_fails_the_test(fault, tmp_path):
    """As the sanitized build is built, and as live tests run it (tests/live/conftest.py)."""
    source, program, test = (tmp_path / name for name in ("fault.c", "fault", "test_fault.py"))
    source.write_text(PROGRAM % FAULTS[fault])
    flags = subprocess.run(["make", "-s", "--eval", "print-sanitize: ; @echo $(sanitize)", "SANITIZE=1", "print-sanitize"], cwd=TOP,
                           capture_output=True, text=True, check=True).stdout.split()
    assert "-fsanitize=address,undefined" in flags
    subprocess.run(["gcc", "-g", "-O1", "-w", *flags, "-o", program, source], check=True)
    test.write_text(TEST % str(program))
    run = subprocess.run([sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-p", "conftest", "-q", "--rootdir", tmp_path, test],
                         cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(TOP / "tests/live")), capture_output=True, text=True, check=False)
    found = {"leak": "detected memory leaks", "overflow": "heap-buffer-overflow", "shift": "shift exponent 32"}.get(fault)
    if not found:
        assert run.returncode == 0, run.stdout
        return
    assert run.returncode == 1 and "1 passed, 1 error" in run.stdout and found in run.stdout, run.stdout + run.stderr
