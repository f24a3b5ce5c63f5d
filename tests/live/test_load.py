# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the kernel says of the BPF programs. Each instruction it verifies takes one to two microseconds of the start."""

import re

import pytest

from harness import FIXTURES, WARM_UP, WORK, Tracer, assert_error, assert_exact, run_tool

# Instructions that a kernel of today verifies; older ones find less to be equal.
LIMITS = {"jt_call": 70_000, "jt_pin": 48_000, "jt_unpin": 50_000, "jt_thread_return": 56_000, "jt_use": 84_000, "jt_frame": 44_000,
          "jt_libraries": 6_800, "jt_invoke": 46_000}
LIMIT_OF_OTHERS = 8_000
FAMILIES = {
    "global,weak": {"jt_call", "jt_libraries"},
    "string": {"jt_pin", "jt_unpin", "jt_libraries"},
    "thread": {"jt_thread_return", "jt_libraries"},
    "all": {"jt_call", "jt_pin", "jt_unpin", "jt_thread_return", "jt_frame", "jt_libraries"},
    "all --check": set(LIMITS),
}


def programs(text):
    return {name: int(n) for name, n in re.findall(r"^jnitrace: program (\S+): (\d+) verified instructions", text, re.M)}


@pytest.mark.parametrize("events", FAMILIES)
def test_only_what_is_needed_and_quickly_verified(oracle, events, capsys):
    result = run_tool("-p", oracle.pid, "-e", *events.split(), "-d", "0.1", "-v", "-v", "--json")
    assert result.returncode == 0, result
    verified = programs(result.stderr)
    with capsys.disabled():
        print(f"\n{events}: {sum(verified.values())} verified instructions, {verified}", end="")
    assert FAMILIES[events] == set(LIMITS) & set(verified)
    for name, count in verified.items():
        assert 0 < count < LIMITS.get(name, LIMIT_OF_OTHERS), f"{name}: {count}"


def test_exact_with_every_program(oracle):
    """Other kernels' verifiers see them all in scripts/kernel-matrix."""
    before = oracle.do(*WARM_UP)
    with Tracer("-e", "all", "--check", pids=[oracle.pid]) as tracer:
        tracer.wait_tracing()
        after = oracle.do(*WORK)
        oracle.wait_ended()
        final = tracer.stop()[oracle.pid]
    assert [(f["kind"], f["count"]) for f in final["findings"]] == [("attached-at-end", 11)]
    final["sites"] = [site for site in final["sites"] if site["family"] in ("global", "weak")]  # the oracle's
    assert_exact(final, before, after)


def test_exact_programs_for_other_runtimes_load():
    """What is left out for HotSpot alone; likewise in scripts/kernel-matrix. Nobody need be there to be traced."""
    result = run_tool("-a", "--runtime", "art", "-e", "global,weak,local,thread", "--check", "-d", "0.1", "-v", "-v", "--json")
    assert {"jt_call", "jt_use", "jt_frame", "jt_thread_return"} < set(programs(result.stderr)), result.stderr


def test_exact_programs_for_pairs_load(oracle):
    """Likewise, with all that sampling and a budget add."""
    result = run_tool("-p", oracle.pid, "--pair", "libc.so.6:malloc(ret)/free(arg0)", "--sample", "2", "--budget", "100%", "-d", "0.1", "-v", "-v", "--json",
                      "--allow-loss")
    assert {"jt_pair_enter", "jt_pair"} < set(programs(result.stderr)), result.stderr
    assert result.returncode == 0, result.stderr


def test_what_the_verifier_says_is_told_whole(oracle):
    """A program that it refuses after a long look: with -v each line of its log, else the one line of every error."""
    refused = ["env", "JNITRACE_REFUSED=jt_call", f"LD_PRELOAD={FIXTURES}/librefused.so"]
    assert_error(run_tool("-p", oracle.pid, "-e", "all", "-d", "0.1", prefix=refused), 1)
    result = run_tool("-p", oracle.pid, "-e", "all", "-d", "0.1", "-v", prefix=refused)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    log = lines[lines.index("jnitrace: libbpf: prog 'jt_call': -- BEGIN PROG LOAD LOG --") + 1:lines.index("jnitrace: -- END PROG LOAD LOG --")]
    assert all(line.startswith("jnitrace: ") for line in lines)
    assert len(log) > 100 and "jnitrace: infinite loop detected at insn " in "\n".join(log), log
    assert re.fullmatch(r"jnitrace: processed \d+ insns .*", log[-1]), log[-1]
