# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the kernel says of the BPF programs."""

import re

from harness import run_tool

MOST_INSTRUCTIONS = 100_000  # the verifier's own limit is a million


def test_programs_load_with_bounded_work(oracle, capsys):
    result = run_tool("-p", oracle.pid, "-d", "0.1", "-v", "-v", "--json")
    assert result.returncode == 0, result
    programs = dict(re.findall(r"^jnitrace: program (\S+): (\d+) verified instructions", result.stderr, re.M))
    assert {"jt_call"} <= set(programs), result.stderr
    for name, count in programs.items():
        with capsys.disabled():
            print(f"\n{name}: {count} verified instructions", end="")
        assert 0 < int(count) < MOST_INSTRUCTIONS, f"{name}: {count}"
