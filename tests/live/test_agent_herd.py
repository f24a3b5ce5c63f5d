# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Many JVMs on a host: copies of one, which sleep. A JVM that forks leaves all its mappings and tables to its children, so each of
them is found and read as any other.

`make herd` (JNITRACE_HERD=1) has 2,000 of them, and says what they cost: at most 5 % of a CPU.
"""

import contextlib
import os
import re
import subprocess
import time
from pathlib import Path

from harness import ENV, FIXTURES, SLOW, jdk, read_line, wait_until
from test_agent import Agent, census_of

FULL = "JNITRACE_HERD" in os.environ
COPIES = 2000 if FULL else 31 # other tests trace all JVMs of the host
REFERENCES = 1000


@contextlib.contextmanager
def herd(copies):
    """The pids of all of them, the first one's too."""
    java = jdk("17").java("-Xmx16m", "-XX:+UseSerialGC", "-Xint",  # compilers hold references
                          "-cp", str(FIXTURES), "Herd", str(FIXTURES / "libherd.so"),
                          str(copies), str(REFERENCES))
    proc = subprocess.Popen(java, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True)
    try:
        assert read_line(proc.stdout) == f"{copies}\n"
        yield [proc.pid, *children_of(proc.pid)]
    finally:
        proc.kill()
        proc.wait()
        proc.stdin.close()
        proc.stdout.close()


def children_of(pid):
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended
            yield from map(int, (task / "children").read_text().split())


def cpu_s(pid):
    """Of it and its helpers."""
    total = 0
    for of in (pid, *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        fields = Path(f"/proc/{of}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def references(agent):
    found = re.findall(r'^jnitrace_vm_references\{[^}]*pid="(\d+)"[^}]*family="global"\} (\d+)$', agent.get(), re.M)
    return {int(pid): int(n) for pid, n in found}


def test_each_of_a_herd_is_read():
    with Agent("--windows", "0", "-i", "1") as agent:
        with herd(COPIES) as [_, *copies]:
            assert len(copies) == COPIES
            wait_until(lambda: set(copies) <= set(references(agent)))
            seen = references(agent)
            assert {seen[pid] for pid in copies} == {census_of(copies[0])["global"]} and seen[copies[0]] >= REFERENCES
            took = []
            for _ in range(10):
                began = time.monotonic()
                agent.get()
                took.append(time.monotonic() - began)
            assert min(took) < 0.05  # reading JVMs is nothing that a request waits for
            files = len(os.listdir(f"/proc/{agent.proc.pid}/fd"))
            assert files < 32, files
            if FULL:
                costs(agent, took)
        wait_until(lambda: FULL or not set(references(agent)) & set(copies))


def costs(agent, took):
    """What the agent takes with a reading every 10 s, once it has begun, and a scrape every 5 s."""
    with Agent("--windows", "0", "-i", "10", "--budget", "4%") as other:
        first_s = cpu_s(other.proc.pid)
        agent.proc.kill()
        wait_until(lambda: other.rounds() >= 3, SLOW * 3)
        before, began, rounds = cpu_s(other.proc.pid), time.monotonic(), other.rounds()
        for _ in range(48):
            other.get()
            time.sleep(5)
        share = (cpu_s(other.proc.pid) - before) / (time.monotonic() - began)
        rounds = other.rounds() - rounds
        resident = other.samples()["process_resident_memory_bytes", None]
    print(f"\n{COPIES} JVMs: first reading {first_s:.1f} s of CPU time, then {share * 100:.1f} % of a CPU, {rounds:.0f} readings in 240 s; "
          f"scrape {min(took) * 1000:.0f} ms; {resident / 2**20:.0f} MB")
    assert share < 0.05 and rounds >= 4
