# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Live tests run the real tool on real JVMs. What they need is stated here; nothing is skipped."""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
pytest.register_assert_rewrite("harness")
import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "asan: also run with the sanitized build")


@pytest.fixture(scope="session", autouse=True)
def needs():
    """Without these every test would fail for a reason that is none of its own."""
    if os.geteuid() != 0:
        pytest.exit("the live tests must be run by root", returncode=1)
    if not harness.JNITRACE.exists():
        pytest.exit(f"{harness.JNITRACE} is not built", returncode=1)
    proc = harness.SID / "proc"
    mounted = proc.is_dir() and not proc.is_mount()
    if mounted:
        subprocess.run(["mount", "-t", "proc", "proc", proc], check=True)
    yield
    if mounted:
        subprocess.run(["umount", "--lazy", proc], check=False)


@pytest.fixture
def oracle():
    """An oracle on this machine's JDK 17."""
    with harness.Oracle(harness.jdk("17")) as o:
        yield o
