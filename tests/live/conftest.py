# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Live tests run the real tool on real JVMs. What they need is stated here; nothing is skipped."""

import ctypes
import os
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
    mount_proc_of_other_root()


CLONE_NEWNS = 0x20000


def mount_proc_of_other_root():
    """In a mount namespace of this run's own: runs beside each other neither share it nor have to clean up."""
    proc = harness.SID / "proc"
    if not proc.is_dir():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "no mount namespace")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", proc], check=True)


@pytest.fixture
def oracle():
    """An oracle on this machine's JDK 17."""
    with harness.Oracle(harness.jdk("17")) as o:
        yield o
