# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Live tests run the real tool on real JVMs. What they need is stated here; nothing is skipped."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
pytest.register_assert_rewrite("harness")
import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: also run with the sanitized build")
    config.addinivalue_line("markers", "waits: does little but wait; scripts/run-tests runs these beside the others")


@pytest.fixture(scope="session", autouse=True)
def needs():
    """Without these every test would fail for a reason that is none of its own."""
    if os.geteuid() != 0:
        pytest.exit("the live tests must be run by root", returncode=1)
    if not harness.JNITRACE.exists():
        pytest.exit(f"{harness.JNITRACE} is not built", returncode=1)
    with proc_of_other_root():
        yield
    shutil.rmtree(harness.SANITIZER, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_sanitizer_report():
    """
    Whatever the test looks at: a process that it kills, or a helper of the tool's whose end only costs a file its lines, may
    have had one, too.
    """
    yield
    reports = [file.read_text(errors="replace") for file in sorted(harness.SANITIZER.iterdir())]
    for file in harness.SANITIZER.iterdir():
        file.unlink()
    assert not reports, "\n".join(reports)


def mount_proc(proc, lock):
    """Mount it, unless a run that has the lock has done so; have the lock, shared, afterwards."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not proc.is_mount():
                subprocess.run(["mount", "-t", "proc", "proc", proc], check=True)
        except BlockingIOError:  # others run, or one is about to mount or unmount it
            pass
        fcntl.flock(lock, fcntl.LOCK_SH)
        if proc.is_mount():
            return


@contextlib.contextmanager
def proc_of_other_root():
    """/proc in the other root. Runs beside each other share it: the first mounts it, the last one unmounts it."""
    proc = harness.SID / "proc"
    if not proc.is_dir():
        yield
        return
    with open(harness.SID / "proc.lock", "w") as lock:
        mount_proc(proc, lock)
        yield
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        subprocess.run(["umount", "--lazy", proc], check=False)


@pytest.fixture
def oracle():
    """An oracle on this machine's JDK 17."""
    with harness.Oracle(harness.jdk("17")) as o:
        yield o
