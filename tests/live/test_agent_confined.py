# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The agent under the filter of system calls that its unit for systemd has: all that it does it may, and what harms a host it may not."""

import os
import re
import struct
import subprocess
import sys

import pytest

from harness import TOP, WARM_UP, Expected, Oracle, by_caller, jdk, wait_until
from test_agent import NEW, OURS, Ordering, lines_of
from test_agent_push import Store, pushed

UNIT = TOP / "docs/agent/jnitrace-agent.service"
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[os.uname().machine]  # linux/audit.h
KILL, ALLOW = 0x80000000, 0x7FFF0000  # linux/seccomp.h
FORBIDDEN = ("ptrace", "process_vm_writev", "mount", "umount2", "pivot_root", "init_module", "finit_module", "delete_module", "kexec_load",
             "reboot", "swapon", "userfaultfd")


def numbers():
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], capture_output=True, text=True, check=True).stdout
    return {name: int(n) for name, n in re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.M)}


def calls_of(name):
    """Of a set of systemd's, with those of its sets."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(calls_of(word) for word in words))


def allowed():
    """As systemd.exec(5) has it: the first list allows, what is behind a ~ does not, and @default always does."""
    first, second = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M)
    assert second.startswith("~")
    return set().union(*map(calls_of, ["@default", *first.split()])) - set().union(*map(calls_of, second[1:].split()))


def confined(names):
    """Runs its arguments so that any other call ends the process that makes it."""
    known = numbers()
    steps = [(0x20, 0, 0, 4), (0x15, 1, 0, ARCHITECTURE), (0x06, 0, 0, KILL), (0x20, 0, 0, 0)]
    for n in sorted(known[name] for name in names if name in known):
        steps += [(0x15, 0, 1, n), (0x06, 0, 0, ALLOW)]
    steps.append((0x06, 0, 0, KILL))
    program = b"".join(struct.pack("HBBI", *s) for s in steps)
    return [sys.executable, "-c", "import ctypes, os, struct, sys\n"
            f"program = ctypes.create_string_buffer(bytes.fromhex('{program.hex()}'))\n"
            f"fprog = ctypes.create_string_buffer(struct.pack('HxxxxxxP', {len(steps)}, ctypes.addressof(program)))\n"
            "libc = ctypes.CDLL(None, use_errno=True)\n"
            "assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, fprog, 0, 0) == 0, ctypes.get_errno()\n"
            "os.execvp(sys.argv[1], sys.argv[1:])"]


def test_what_harms_a_host_is_refused():
    names = allowed()
    assert not names & set(FORBIDDEN), names & set(FORBIDDEN)
    prefix, known = confined(names), numbers()
    call = "import ctypes, sys; ctypes.CDLL(None).syscall(int(sys.argv[1]), 0, 0, 0, 0, 0, 0)"
    for name in (*FORBIDDEN, "getppid"):
        result = subprocess.run([*prefix, sys.executable, "-c", call, str(known[name])], check=False)
        assert result.returncode == (0 if name == "getppid" else -31), (name, result)  # SIGSYS


@pytest.mark.waits
def test_under_the_filter_of_its_unit(tmp_path):
    """A census, a window whose sites are exact and have their lines, a profile that is pushed, options read anew, its end."""
    file = tmp_path / "agent.yaml"
    file.write_text("interval: 300ms\n")
    with Store() as store, Oracle(jdk("17"), OURS) as oracle, \
            Ordering(tmp_path, "--push", f"http://localhost:{store.port}/ingest", "--spool", tmp_path / "spool", "--config", file,
                     prefix=confined(allowed())) as agent:
        oracle.do(*WARM_UP)
        agent.next_round()
        assert agent.order(oracle.pid, 3600) == 202
        wait_until(lambda: '"state":"open"' in agent.get("/api/v1/targets"))
        before = oracle.now
        after = oracle.do("run 2 1009 7 503 5")
        assert agent.order(oracle.pid, 0) == 202
        wait_until(lambda: '"state":"done"' in agent.get("/api/v1/targets"))
        sites = [line["site"] for line in lines_of(agent, "/api/v1/sites") if line["target"]["pid"] == oracle.pid]
        assert by_caller({"sites": [s for s in sites if s["family"] in NEW]}) == Expected(before, after).sites
        assert any(frame["file"] and frame["line"] for site in sites for frame in site["stack"])
        wait_until(lambda: pushed(agent) == {"sent_total": 1, "waiting": 0, "dropped_total": 0, "refused_total": 0})
        file.write_text("interval: 400ms\ntop-sites: 3\n")
        agent.proc.send_signal(1)
        wait_until(lambda: "jnitrace_site_outstanding{" in agent.get())
        agent.proc.terminate()
        said = agent.proc.stderr.read().decode()
        assert agent.proc.wait(60) == 0, said
