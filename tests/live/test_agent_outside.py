# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The agent and what it does not choose: a VictoriaMetrics that reads it, too many connections, a JVM that calls itself strange things, a clock that is set."""

import contextlib
import json
import re
import resource
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from harness import SLOW, Oracle, jdk, wait_until
from test_agent import OURS, Agent, Clock, Ordering, census_of, state_of
from test_agent_push import Store

CONNECTIONS = 10000


@pytest.mark.waits
def test_victoria_metrics_reads_it(tmp_path):
    with Agent() as agent, Oracle(jdk("17"), OURS) as oracle, socket.socket() as free:
        oracle.do("run 2 3 2 3 2", "pre 173")
        free.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        config = tmp_path / "scrape.yml"
        config.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                          f"- {{job_name: jvms, static_configs: [{{targets: ['127.0.0.1:{agent.port}']}}]}}\n")
        with open(tmp_path / "log", "w") as log:
            store = subprocess.Popen(["victoria-metrics", f"-promscrape.config={config}", f"-storageDataPath={tmp_path / 'data'}",
                                      f"-httpListenAddr={at}", "-memory.allowedBytes=64MB"], stdout=log, stderr=log)

        def answer(metric):
            query = f'{metric}{{pid="{oracle.pid}",family="global",job="jvms"}}'
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://{at}/api/v1/query?latency_offset=0s&query={urllib.request.quote(query)}", timeout=SLOW) as got:
                    result = json.load(got)["data"]["result"]
                    return float(result[0]["value"][1]) if result else None
            return None

        try:
            wait_until(lambda: answer("jnitrace_vm_references") == census_of(oracle.pid)["global"])
        finally:
            store.kill()
            store.wait()


def test_ten_thousand_idle_connections():
    """They take no more than a bounded share of the agent, and when they are gone it answers as before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, CONNECTIONS + 1000), hard))
    try:
        with Agent() as agent, contextlib.ExitStack() as idle:
            for _ in range(CONNECTIONS):
                s = idle.enter_context(socket.socket())
                s.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    s.connect(("127.0.0.1", agent.port))
            of = Path(f"/proc/{agent.proc.pid}")
            wait_until(lambda: len(list((of / "fd").iterdir())) > 200)
            assert len(list((of / "fd").iterdir())) < 400
            assert int((of / "statm").read_text().split()[1]) * resource.getpagesize() < 64 << 20
            idle.close()
            wait_until(lambda: answered(agent))
            assert agent.proc.poll() is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def answered(agent):
    with contextlib.suppress(OSError):
        return agent.status() == 200
    return False


def test_command_line_of_control_characters():
    """A megabyte of them, which the kernel allows in pieces: nothing of it is in an answer as it is, and all of them stay small."""
    strange = bytes(range(1, 32)) + b"\x7f\x9b\xff\"\\<>&{}\n" + "\u202e".encode()
    piece = (b"-Dx=" + strange * 2000)[:100000]
    with Agent() as agent, Oracle(jdk("17"), OURS, *[piece] * 10) as oracle:
        agent.next_round()
        for path in ("/metrics", "/api/v1/targets", "/api/v1/census", "/"):
            began = time.monotonic()
            status, body = agent.ask(path, headers={"Accept": "text/html"} if path == "/" else {})
            assert status == 200 and time.monotonic() - began < SLOW
            assert len(body) < 2 << 20
            text = body.decode()
            control = {c for c in text if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0}
            assert not control - ({"\t"} if path == "/" else set()), (path, control)
        [target] = [json.loads(line) for line in agent.get("/api/v1/targets").splitlines() if f'"pid":{oracle.pid},' in line]
        assert target["target"]["main"] == "Oracle" and len(target["target"]["command"].encode()) < 4096
        checked = subprocess.run(["promtool", "check", "metrics"], input=agent.get(), capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked


@pytest.mark.waits
def test_clock_that_is_set(tmp_path):
    """Forth by hours, then back to the first moments of 1970, while a window is open: it ends when it should, and what it has seen arrives once."""
    clock, spool = Clock(tmp_path / "clock"), tmp_path / "spool"
    with Store() as store, Oracle(jdk("17"), OURS) as oracle, \
            Ordering(tmp_path, "--push", f"http://127.0.0.1:{store.port}/ingest", "--spool", spool, env=clock.env) as agent:
        for i, seconds in enumerate((3600, 10)):
            agent.next_round()
            began = time.monotonic()
            assert agent.order(oracle.pid, seconds) == 202
            wait_until(lambda: state_of(agent, oracle.pid) == "open")
            clock.set([time.time() + 11 * 3600, 0.1][i])
            oracle.do("run 1 101 7 3 5")
            if seconds > 10:
                agent.next_round()
                assert state_of(agent, oracle.pid) == "open"
                assert agent.order(oracle.pid, 0) == 202
            wait_until(lambda: state_of(agent, oracle.pid) == "done")
            took = time.monotonic() - began
            [traced] = re.findall(rf'^jnitrace_window_seconds{{[^}}]*pid="{oracle.pid}"[^}}]*}} (\S+)', agent.get(), re.M)
            assert (10 if seconds == 10 else 0) <= float(traced) <= took
            assert seconds == 10 or agent.samples(oracle.pid)["jnitrace_references", "global"] == 7
            wait_until(lambda: len(store.got) == i + 1 and not list(spool.iterdir()))
        assert len(set(store.keys())) == 2
        for path, _, _, _ in store.got:
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
            assert 0 <= int(query["from"]) <= int(query["until"]), query
        assert int(query["until"]) < 3600
