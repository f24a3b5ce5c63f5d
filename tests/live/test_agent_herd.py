# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Many JVMs on a host: copies of one, which sleep. A JVM that forks leaves all its mappings and tables to its children, so each of
them is found and read as any other.

`make herd` (JNITRACE_HERD=1) has 2,000 of them, and says what they cost: at most 5 % of a CPU. It also has 100 of three builds, of
which five are traced at a time, and says what agent, tracers and kernel hold; and how long it takes until the one that leaks is found.
"""

import contextlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

from harness import ENV, SLOW, WARM_UP, Oracle, jdk, read_line, wait_until
from test_agent import OURS, Agent, Ordering, census_of

FULL = "JNITRACE_HERD" in os.environ
COPIES = 2000 if FULL else 31 # other tests trace all JVMs of the host
REFERENCES = 1000
BUILDS = ("17", "sid-21", "sid-25")
WATCHED, TRACED = (100, 5) if FULL else (30, 2)


@contextlib.contextmanager
def herd(copies, kind="17"):
    """The pids of all of them, the first one's too."""
    on = jdk(kind)
    fixtures = on.fixtures()
    java = on.java("-Xmx16m", "-XX:+UseSerialGC", "-Xint",  # compilers hold references
                   "-cp", str(fixtures), "Herd", str(fixtures / "libherd.so"), str(copies), str(REFERENCES))
    proc = subprocess.Popen(java, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True)
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


def resident_mb(pid):
    """All; its part of that, where pages that n processes have count for each by 1/n; and what is of no file."""
    of = dict(re.findall(r"^(\w+):\s*(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M))
    return tuple(int(of[name]) / 1024 for name in ("Rss", "Pss", "Pss_Anon"))


def map_mb(pid):
    """What the kernel holds for its maps."""
    found = {}
    gone = contextlib.suppress(FileNotFoundError, ProcessLookupError)  # it may be a reader, which comes and goes
    with gone:
        for file in Path(f"/proc/{pid}/fdinfo").iterdir():
            with gone:
                fields = dict(re.findall(r"^(\w+):\s*(\d+)", file.read_text(), re.M))
                if "map_id" in fields:
                    found[fields["map_id"]] = int(fields["memlock"])
    return sum(found.values()) / 2**20


def cpus():
    """Those that may ever be there: each has counters of its own."""
    return int(Path("/sys/devices/system/cpu/possible").read_text().rsplit("-", 1)[-1]) + 1


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def tracers_of(agent):
    return [pid for pid in children_of(agent.proc.pid) if map_mb(pid)]


READING_S, READINGS = 10, 24  # a verdict on counts takes so many, user/judge/verdicts.c
WINDOW_S = 5
BUDGET = 0.01


def lines_of(agent, path, pid):
    """What it says of a JVM; not held against the schema, which takes longer than what is measured."""
    return [line for line in map(json.loads, agent.get(path).splitlines()) if line["target"]["pid"] == pid]


def goes_on(leaks, busy, began, leaked):
    """As fast a leak however busy the machine is. How many times it has leaked."""
    while leaks and leaked < 20 * (time.monotonic() - began):
        leaks.do("pre 101")
        leaked += 1
    for oracle in busy:
        oracle.do("run 1 101 0 11 0")
    return leaked


def the_leak_is_found(leaks, busy, watched):
    """One of all leaks. What the agent takes before it does, and how long after that the site is named."""
    with Agent("--window", WINDOW_S, "-i", READING_S, "--budget", f"{BUDGET * 100}%", "--top-sites", 1) as agent:
        wait_until(lambda: watched <= set(references(agent)))
        agent.next_round()
        cpu, began = cpu_s(agent.proc.pid), time.monotonic()
        while time.monotonic() < began + 6 * READING_S:
            goes_on(None, busy, began, 0)
            agent.get()
            time.sleep(READING_S)
        share = (cpu_s(agent.proc.pid) - cpu) / (time.monotonic() - began)
        seen = {"growth": lambda: agent.samples(leaks.pid)["jnitrace_vm_references_growing", "global"] == 1,
                "window": lambda: lines_of(agent, "/api/v1/targets", leaks.pid)[0]["window"],
                "/api/v1/sites": lambda: any(line["site"]["outstanding"] for line in lines_of(agent, "/api/v1/sites", leaks.pid)),
                "/metrics": lambda: re.search(rf'^jnitrace_site_outstanding\{{[^}}]*pid="{leaks.pid}"', agent.get(), re.M)}
        began, leaked, after = time.monotonic(), 0, {}
        while len(after) < len(seen) and time.monotonic() < began + 5 * SLOW:
            leaked = goes_on(leaks, busy, began, leaked)
            after.update({what: time.monotonic() - began for what, is_seen in seen.items() if what not in after and is_seen()})
            time.sleep(0.2)
        others = {line["target"]["pid"] for line in map(json.loads, agent.get("/api/v1/sites").splitlines())} - {leaks.pid}
    most = READINGS * READING_S + 2 * WINDOW_S + 2 * READING_S  # a window begins up to its length later, and then is as long
    print(f"\nagent of {WATCHED} JVMs: {share * 100:.2f} % of a CPU, with a reading each {READING_S} s and a scrape as often; after the leak began: "
          + ", ".join(f"{what} {s:.0f} s" for what, s in after.items()) + f" (at most {most} s)", flush=True)
    assert share < BUDGET and len(after) == len(seen) and max(after.values()) < most and not others


MOST_MB = 64  # of agent and tracer together


def test_what_some_traced_of_many_hold(tmp_path):
    """Of the agent and of the tracer of all its windows: memory, descriptors, and the kernel's maps, which have the size of what is traced."""
    small = OURS, "-Xmx16m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"
    with contextlib.ExitStack() as stack:
        traced = [stack.enter_context(Oracle(jdk(BUILDS[i % len(BUILDS)]), *small)) for i in range(TRACED)]
        watched = {pid for i in range(len(BUILDS)) for pid in stack.enter_context(herd((WATCHED - TRACED + i) // len(BUILDS) - 1, BUILDS[i]))}
        watched |= {oracle.pid for oracle in traced}
        assert len(watched) == WATCHED
        agent = stack.enter_context(Ordering(tmp_path, "--windows", TRACED, "-i", "1", "--budget", "10%"))
        wait_until(lambda: watched <= set(references(agent)))
        for oracle in traced:
            oracle.do(*WARM_UP)
            assert agent.order(oracle.pid, 3600) == 202
        wait_until(lambda: agent.get("/api/v1/targets").count('"state":"open"') == TRACED)
        for oracle in traced:
            oracle.do("run 2 101 1 7 2", "hold 101")
        agent.next_round()
        [tracer] = tracers_of(agent)
        held = [(*resident_mb(pid), map_mb(pid), descriptors(pid)) for pid in (agent.proc.pid, tracer)]
        agent.__exit__()
        if FULL:
            the_leak_is_found(traced[0], traced[1:], watched)
    print(f"\n{WATCHED} JVMs of {len(BUILDS)} builds, {TRACED} of them traced")
    for name, (resident, part, own, maps, files) in zip(("agent", "tracer"), held):
        print(f"{name}: {resident:.1f} MB resident, {part:.1f} its part, {own:.1f} of no file; {maps:.1f} MB of maps; {files} descriptors")
    (_, agents, _, none, of_agent), (_, tracers, _, maps, of_tracer) = held
    assert agents + tracers < MOST_MB and not none and of_agent <= 16 + WATCHED
    assert maps < 20 + TRACED + cpus() and of_tracer < 128 + 10 * TRACED, held
