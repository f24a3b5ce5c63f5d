# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The claims of docs/threats.md: their tests are there, and what can be read off the program holds."""

import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("JNITRACE_BUILD", "build")
# Functions that write to other processes or stop them, run other programs, or talk to a network.
NEVER = {"ptrace", "process_vm_writev", "process_madvise", "pwrite", "pwrite64", "system", "popen", "execve", "execv", "execvp", "execl", "execlp",
         "execle", "execvpe", "execveat", "fexecve", "posix_spawn", "posix_spawnp", "connect", "bind", "listen", "accept", "accept4", "sendto",
         "getaddrinfo", "pidfd_send_signal", "tgkill", "killpg", "sigqueue", "init_module", "mount", "umount", "umount2", "setns", "chroot", "unlink",
         "rename", "renameat", "renameat2", "unlinkat", "symlink", "symlinkat", "link", "linkat", "curl_easy_perform", "curl_multi_perform"}
# Its helpers and the command of jnitrace run are its only children.
ONLY_BY = {
    "kill": {"user/elf/lines_helper.o", "user/proc/foreign.o", "user/run/gate.o", "user/run/supervise.o", "user/run/waker.o",
             "user/run/window_tracers.o"},
    "execv": {"user/run/window_tracers.o"},  # itself
    "execvp": {"user/run/supervise.o"},
    "process_vm_readv": {"user/proc/foreign.o"},  # which may be kept waiting by what is mapped there
    "bind": {"user/run/gate_files.o"},  # to the kernel's own, of netlink
    "fanotify_init": {"user/run/gate.o"},
    "unlink": {"user/run/write_now.o"},  # the file it has just made, when it could not be finished
    "unlinkat": {"user/agent/pusher.o"},  # in its spool, as renameat
    "renameat": {"user/agent/pusher.o"},
    "sendto": {"user/run/supervisor.o"},  # to systemd, when that started the agent
    "curl_easy_perform": {"user/agent/client.o"},  # of fleet diff, --push and --otlp-profiles
}


def test_every_claim_names_a_test_that_is_there():
    text = (TOP / "docs/threats.md").read_text()
    live = "".join(f.read_text() for folder in ("live", "checks") for f in (TOP / "tests" / folder).glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 15
    assert [name for name in named if not re.search(rf"^def {name}\(", live, re.M)] == []
    files = set(re.findall(r"`(tests/[\w/.]+)`", text))
    assert len(files) > 5 and [file for file in files if not (TOP / file).exists()] == []


def test_no_claim_of_a_table_is_without_a_test():
    text, bare = (TOP / "docs/threats.md").read_text(), []
    for table in re.findall(r"^\|[^\n]*\| test \|\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", text, re.M):
        rows = table.splitlines()
        bare += [row for row in rows if not re.search(r"`(test_\w+|tests/[\w/.]+)`", row)]
    assert bare == []


def imports(file):
    out = subprocess.run(["nm", "--undefined-only", file], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines() if line.strip()}


def test_what_the_tool_never_calls():
    tool = imports(BUILD / "jnitrace")
    assert "process_vm_readv" in tool  # else this reads nothing
    assert tool & (NEVER - ONLY_BY.keys()) == set()
    objects = {o: imports(o) for o in (BUILD / "user").rglob("*.o") if o.with_suffix(".d").exists()}
    assert len(objects) > 50
    for function, allowed in ONLY_BY.items():
        users = {str(o.relative_to(BUILD)) for o, calls in objects.items() if function in calls}
        assert users <= allowed, f"{function}: {users}"
