# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What stands in text: whole names in files and pipes, who the JVM is, whose the library is."""

import json
import os
import pwd
import signal
import socket
from pathlib import Path

import jsonschema

from harness import SLOW, TOP, WARM_UP, Tracer, run_tool

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
CUT = "\N{HORIZONTAL ELLIPSIS}"


def test_who_and_whose(oracle):
    """The header names the program, not java; the report names the library's file."""
    oracle.do(*WARM_UP)
    with Tracer("-g", "class", pids=[oracle.pid], interval="0.2") as tracer:
        tracer.wait_tracing()
        oracle.do("run 1 10 7 0 0")
        final = tracer.stop()[oracle.pid]
        reports = tracer.reports()
    for report in reports:
        jsonschema.validate(report, SCHEMA)
    target = final["target"]
    assert target["comm"] == "java" and target["main"] == "Oracle"
    assert " Oracle" in target["command"] and "java" in target["command"]
    assert target["user"] == pwd.getpwuid(os.geteuid()).pw_name and target["host"] == socket.gethostname()
    version = run_tool("--version").stdout
    assert version.splitlines()[0] == "jnitrace " + final["jnitrace"]
    assert "\nlibbpf: " in version and "\ncommit: " in version
    [library] = [x for x in final["libraries"] if x["module"] == "liboracle.so"]
    assert library["path"] == str(oracle.jdk.fixtures() / "liboracle.so")
    assert library["build_id"] and library["package"] is None
    groups = [g for g in final["groups"] if g["class"] and not g["before_attach"] and g["function"] == "NewGlobalRef"]
    assert sum(g["outstanding"] for g in groups) == 7, final["groups"]


def test_text_of_one_run(oracle):
    """One report for one interval, in lines as long as they need to be, with whole stacks."""
    oracle.do(*WARM_UP)
    with Tracer("-b", "-r", "0", pids=[oracle.pid], interval="60", json_out=False) as tracer:
        tracer.wait_tracing()
        oracle.do("run 1 10 7 0 0")
        tracer.proc.send_signal(signal.SIGINT)
        assert tracer.proc.wait(SLOW) == 0
        text = Path(tracer.out.name).read_text()
    assert text.count("jnitrace - PID") == 1, text
    assert f"PID {oracle.pid} Oracle" in text and "final" in text
    assert CUT not in text
    assert "Oracle$Worker.run" in text or "Oracle.work" in text or "\n    Oracle" in text, text  # a frame far outside
    head = next(line for line in text.splitlines() if line.startswith("OUTSTANDING"))
    assert all(column in head.split() for column in ("RATE", "VERDICT", "CLASS", "SITE", "ID", "RELEASED")), head
    narrow = run_tool("-p", oracle.pid, "-b", "-n", "1", "-i", "0.2", "--width", "60").stdout
    assert narrow.count("jnitrace - PID") == 1
    assert max(map(len, narrow.splitlines())) <= 60
    for command in (["census"], ["probes"]):
        said = run_tool(*command, "-p", oracle.pid).stdout
        assert f"PID {oracle.pid} Oracle" in said and socket.gethostname() in said and CUT not in said
