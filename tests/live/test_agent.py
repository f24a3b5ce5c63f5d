# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The agent: its metrics are what the census says, a real Prometheus reads them, and no request does harm."""

import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import jsonschema
import pytest

from harness import (ENV, FIXTURES, JNITRACE, NEW, SLOW, TOP, WARM_UP, Expected, Oracle, assert_error, bpf_objects, by_caller, code_is_unchanged, jdk,
                     probes_of, read_line, run_tool, wait_until)

SCHEMA = json.loads((TOP / "docs/jnitrace-1.schema.json").read_text())
SAMPLE = re.compile(r"(\w+)(?:\{((?:\w+=\"(?:[^\"\\\n]|\\.)*\",?)*)\})? (\S+)")
OURS = f"-Dof={os.getpid()}"  # JVMs without it are other tests', and not to be attached to


class Agent:
    def __init__(self, *args, listen="127.0.0.1:0", env=None, prefix=()):
        self.proc = subprocess.Popen([*prefix, str(JNITRACE), "agent", "-i", "0.2", "--budget", "100%", "--trace", OURS, "--listen", listen, *map(str, args)], env=dict(ENV, **(env or {})),
                                     stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
        try:
            self.url = self.begun()
        except BaseException:  # nobody would end it
            self.__exit__()
            raise
        self.port = int(self.url.rsplit(":", 1)[1])

    def begun(self):
        self.push_said = ""
        while (said := read_line(self.proc.stderr)).startswith("jnitrace: push: "):  # its thread may be faster
            self.push_said += said
        return re.fullmatch(r"jnitrace: agent of all JVMs: (https?://\S+)/metrics\n", said)[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.proc.stderr.close()

    def ask(self, path="/metrics", method="GET", headers=(), context=None):
        request = urllib.request.Request(self.url + path, method=method, headers=dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=SLOW, context=context) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, b""

    def get(self, *args, **kwargs):
        status, body = self.ask(*args, **kwargs)
        assert status == 200
        return body.decode()

    def status(self, *args, **kwargs):
        return self.ask(*args, **kwargs)[0]

    def samples(self, pid=None):
        """{(metric, family): value} of a process; without one, of the agent."""
        found = {}
        for line in self.get().splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.fullmatch(line).groups()
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
            if labels.get("pid") == (str(pid) if pid else None):
                found[name, labels.get("family")] = float(value)
        return found

    def rounds(self):
        return self.samples()["jnitrace_agent_rounds_total", None]

    def next_round(self):
        """One that began after this was called."""
        now = self.rounds()
        wait_until(lambda: self.rounds() >= now + 2)


@pytest.fixture(scope="module")
def agent():
    with Agent() as a:
        yield a


def census_of(pid):
    families = json.loads(run_tool("census", "-p", pid, "--json").stdout)["families"]
    return {family: families[family]["vm_total"] for family in ("global", "weak")}


def test_metrics_are_the_census(agent):
    with Oracle(jdk("17")) as oracle:
        oracle.do("run 2 3 2 3 2", "pre 101")
        agent.next_round()
        samples = agent.samples(oracle.pid)
        assert {family: samples["jnitrace_vm_references", family] for family in ("global", "weak")} == census_of(oracle.pid)
        assert samples["jnitrace_up", None] == 1
        assert not [o for o in bpf_objects(agent.proc.pid)]
        checked = subprocess.run(["promtool", "check", "metrics"], input=agent.get(), capture_output=True, text=True, check=False)
        assert checked.returncode == 0 and not checked.stderr, checked
        other = agent.get(headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert other.endswith("\n# EOF\n") and "# UNIT process_cpu_seconds seconds\n" in other
        lines = [json.loads(line) for line in agent.get("/api/v1/census").splitlines()]
        assert oracle.pid in [line["target"]["pid"] for line in lines]
    agent.next_round()
    assert not agent.samples(oracle.pid)  # gone, and so are its series


def test_a_jvm_that_ends_is_gone_at_once():
    """However long it is until the next reading."""
    with Oracle(jdk("17")) as stays:
        with Oracle(jdk("17")) as ends, Agent("-i", "3600") as agent:
            assert agent.samples(stays.pid) and agent.samples(ends.pid)
            ends.kill()
            ends.proc.wait()
            wait_until(lambda: not agent.samples(ends.pid))
            assert agent.rounds() == 1 and agent.samples(stays.pid)


def test_what_it_lacks_is_told():
    for without, said in (("sys_ptrace", "jnitrace: agent: sees no JVMs of other users lacks=CAP_SYS_PTRACE"),
                          ("bpf,-sys_admin", "jnitrace: agent: windows will fail lacks=CAP_BPF")):
        with Agent(prefix=("setpriv", f"--bounding-set=-{without}", f"--inh-caps=-{without}")) as agent:
            assert read_line(agent.proc.stderr).startswith(said)


def test_all_is_of_one_moment():
    """Who has read one document, and another one then, is not shown what that was before: a window that is done has its sites."""
    with Agent("-i", "0.01") as agent, contextlib.closing(http.client.HTTPConnection("127.0.0.1", agent.port, timeout=SLOW)) as kept:
        def cpu_s(pattern, path, **headers):
            kept.request("GET", path, headers=headers)
            return float(re.search(pattern, kept.getresponse().read().decode(), re.M)[1])

        first = agent.rounds()
        while agent.rounds() < first + 80:
            for _ in range(10):
                metrics = cpu_s(r"^jnitrace_agent_cpu_seconds_total (\S+)", "/metrics")
                assert cpu_s(r'"cpu_s":([\d.]+)', "/", Accept="text/html") > metrics - 1e-4


def test_prometheus_reads_it(agent, tmp_path):
    with Oracle(jdk("17")) as oracle, socket.socket() as free:
        oracle.do("run 2 3 2 3 2", "pre 211")
        free.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        config = tmp_path / "prometheus.yml"
        config.write_text("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n"
                          f"- {{job_name: jvms, static_configs: [{{targets: ['127.0.0.1:{agent.port}']}}]}}\n")
        with open(tmp_path / "log", "w") as log:
            prometheus = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}",
                                           f"--web.listen-address={at}"], stdout=log, stderr=log)

        def answer():
            query = f'jnitrace_vm_references{{pid="{oracle.pid}",family="global",job="jvms"}}'
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://{at}/api/v1/query?query={urllib.request.quote(query)}", timeout=SLOW) as got:
                    result = json.load(got)["data"]["result"]
                    return float(result[0]["value"][1]) if result else None
            return None

        try:
            wait_until(lambda: answer() == census_of(oracle.pid)["global"])
        finally:
            prometheus.kill()
            prometheus.wait()


def raw(agent, data, all_of=True):
    """What the agent answers to these bytes."""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=SLOW) as s:
        s.sendall(data)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while all_of and (more := s.recv(65536)):
                got += more
        return got


def test_requests_that_are_none(agent):
    assert agent.status("/nothing") == agent.status("/../../etc/passwd") == agent.status("/metrics/..%2f..%2fetc/passwd") == 404
    assert agent.status(method="POST") == agent.status(method="DELETE") == 405
    assert agent.status(method="HEAD") == 200
    close = b"Connection: close\r\n\r\n"
    for host in (b"127.0.0.1:9469", b"[::1]:9469", b"localhost", b"LOCALHOST:1"):
        assert raw(agent, b"GET /metrics HTTP/1.1\r\nHost: " + host + b"\r\n" + close).startswith(b"HTTP/1.1 200 "), host
    # another name may be one that lets a page of somebody else's read what is here
    for host in (b"evil.example", b"127.0.0.1.evil.example:9469", b"", b"a" * 5000):
        assert raw(agent, b"GET /metrics HTTP/1.1\r\nHost: " + host + b"\r\n" + close).startswith(b"HTTP/1.1 403 "), host
    flood = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 200) for i in range(1000))
    assert not raw(agent, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n" + flood + close).startswith(b"HTTP/1.1 200 ")
    assert not raw(agent, b"\0\xff" * 5000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    half = [socket.create_connection(("127.0.0.1", agent.port), timeout=SLOW) for _ in range(300)]
    try:
        for s in half:
            with contextlib.suppress(OSError):  # ended by now: it was idle
                s.sendall(b"GET /metrics HTT")
        assert agent.status() == 200  # those that say no more are ended
    finally:
        for s in half:
            s.close()
    agent.next_round()
    assert agent.proc.poll() is None
    files = agent.samples()["process_open_fds", None]
    assert files < 300, files


def test_token_and_tls(tmp_path):
    token, cert, key = tmp_path / "token", tmp_path / "cert.pem", tmp_path / "key.pem"
    token.write_text("open sesame\nnot this\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], capture_output=True, check=True)
    with Agent("--token-file", token, "--tls-cert", cert, "--tls-key", key, listen="0.0.0.0:0") as agent:
        agent.url = f"https://127.0.0.1:{agent.port}"
        trusting = ssl.create_default_context(cafile=cert)
        for wrong in ("", "Bearer ", "Bearer open sesam", "Bearer open sesame!", "Bearer not this", "Basic open sesame"):
            assert agent.status(headers={"Authorization": wrong}, context=trusting) == 401
        assert agent.status(context=trusting) == agent.status("/nothing", context=trusting) == 401
        assert "jnitrace_build_info{" in agent.get(headers={"Authorization": "Bearer open sesame"}, context=trusting)
        with pytest.raises(urllib.error.URLError):
            agent.get(context=ssl.create_default_context())


def test_errors(agent, tmp_path):
    (tmp_path / "empty").write_text("\n")
    for args, code in (
            (["--listen", "0.0.0.0:0"], 2), (["--listen", "[::]:0"], 2), (["--listen", "localhost:1"], 2), (["--listen", "127.0.0.1"], 2),
            (["--listen", "127.0.0.1:65536"], 2), (["--listen", "127.0.0.1:0", "--token-file", tmp_path / "empty"], 2),
            (["--token-file", tmp_path / "none"], 1), (["--tls-cert", tmp_path / "none"], 2),
            (["--listen", f"127.0.0.1:{agent.port}"], 1), (["-p", "1"], 2), (["--json"], 2), (["--trace", "("], 2), (["--allow-trigger"], 2)):
        assert_error(run_tool("agent", *args), code)


def test_ends_by_a_signal():
    with Agent() as agent:
        agent.proc.terminate()
        assert agent.proc.wait(SLOW) == 0


def lines_of(agent, path, **kwargs):
    lines = [json.loads(line) for line in agent.get(path, **kwargs).splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    return lines


def window_of(agent, pid, **kwargs):
    [target] = [t for t in lines_of(agent, "/api/v1/targets", **kwargs) if t["target"]["pid"] == pid]
    return target["window"]


def state_of(agent, pid):
    window = window_of(agent, pid)
    return window and window["state"]


class Clock:
    """The wall clock of who is started with .env."""

    def __init__(self, path):
        path.write_bytes(bytes(8))
        self.path = path
        self.env = {"LD_PRELOAD": str(FIXTURES / "libclock.so"), "CLOCK_OFF_BY": str(path)}

    def set(self, unix_s):
        with open(self.path, "r+b") as f:
            f.write(struct.pack("q", int(unix_s * 1e9) - time.time_ns()))


class Ordering(Agent):
    """It opens windows when it is told to, for whoever has the token."""

    def __init__(self, folder, *args, **kwargs):
        (folder / "token").write_text("open sesame\n")
        super().__init__("--token-file", folder / "token", "--allow-trigger", *args, **kwargs)
        self.token = {"Authorization": "Bearer open sesame"}

    def ask(self, path="/metrics", method="GET", headers=None, context=None):
        return super().ask(path, method, self.token if headers is None else headers, context)

    def order(self, pid, seconds=None, headers=None):
        return self.status(f"/api/v1/windows?pid={pid}" + (f"&seconds={seconds}" if seconds is not None else ""), method="POST", headers=headers)


def counted_in_a_window(agent, oracle):
    """One of its own, in which all that the JVM does is counted, and nothing else. What it did."""
    assert agent.order(oracle.pid, 3600) == 202
    wait_until(lambda: state_of(agent, oracle.pid) == "open")
    before = oracle.now
    after = oracle.do("run 2 1009 7 503 5")
    assert agent.order(oracle.pid, 0) == 202
    wait_until(lambda: state_of(agent, oracle.pid) != "open")
    assert state_of(agent, oracle.pid) == "done", window_of(agent, oracle.pid)
    want = Expected(before, after)
    samples = agent.samples(oracle.pid)
    for family, counts in want.families.items():
        assert samples["jnitrace_acquired_total", family] == counts["acquired"]
        assert samples["jnitrace_released_total", family] == counts["released"]
        assert samples["jnitrace_references", family] == counts["outstanding"]
    return want


def test_window_counts_exactly(tmp_path):
    """What happens while it is open is in metrics, sites and profiles; behind it no probe is left, and nothing of the agent grows."""
    with Ordering(tmp_path, "--top-sites", "1") as agent, Oracle(jdk("17"), OURS) as oracle:
        oracle.do(*WARM_UP)
        probes = probes_of(oracle.pid)
        agent.next_round()
        assert window_of(agent, oracle.pid) is None
        assert agent.order(oracle.pid, 3600, headers={}) == 401
        assert agent.order(oracle.pid, "1e9") == agent.order("-1") == 400
        want = counted_in_a_window(agent, oracle)
        wait_until(lambda: code_is_unchanged(oracle.pid, oracle.jdk.libjvm, probes))  # others trace all JVMs now and then
        sites = [line["site"] for line in lines_of(agent, "/api/v1/sites") if line["target"]["pid"] == oracle.pid]
        assert by_caller({"sites": [s for s in sites if s["family"] in NEW]}) == want.sites
        page = agent.get("/report")
        assert page.lower().startswith("<!doctype html>") and all(site["id"] in page for site in sites if site["outstanding"])
        # in two profiles, whose first value says which is which
        for kind, count in (("outstanding", sum(f["acquired"] - f["released"] for f in want.families.values())),
                            ("acquired", sum(f["acquired"] for f in want.families.values()))):
            profile = tmp_path / kind
            profile.write_bytes(agent.ask(f"/debug/pprof/jni_{kind}")[1])
            top = subprocess.run(["go", "tool", "pprof", "-top", profile], env=dict(ENV, GOTOOLCHAIN="local", HOME="/nonexistent"),
                                 capture_output=True, text=True, check=True).stdout
            assert f"Type: {kind}\n" in top and f" of {count} total" in top, top


@pytest.mark.waits
def test_growth_opens_a_window_that_names_the_site(tmp_path):
    """
    Nobody asks. The JVM that leaks is traced once, the one that is as busy and leaks nothing is not. The wall clock is set back
    and forth by hours meanwhile: what counts is the time that went by.
    """
    clock = Clock(tmp_path / "clock")
    hours = itertools.cycle((11, -11))
    # a window long enough for a leak that this process makes, whoever else has the CPUs
    with Agent("--window", "5", "--rest", "1000000", "--every", "8h", "--limit", "1000000000", env=clock.env) as agent, \
            Oracle(jdk("17"), OURS) as leaks, Oracle(jdk("17"), OURS) as busy:
        agent.next_round()
        began = time.monotonic()
        leaked = 0

        def done():
            nonlocal leaked
            clock.set(time.time() + 3600 * next(hours))
            busy.do("run 1 1009 0 503 0")
            due = 20 * (time.monotonic() - began)  # as fast however busy the machine is
            while leaked < due:
                leaks.do("pre 1009")
                leaked += 1
            # a leak that stopped for as long as this process had no CPU is none until it is seen again
            return state_of(agent, leaks.pid) == "done" and agent.samples(leaks.pid)["jnitrace_vm_references_growing", "global"] == 1

        wait_until(done, 3 * SLOW)  # a verdict takes most of a minute
        assert window_of(agent, leaks.pid)["reason"] == "growth" and window_of(agent, busy.pid) is None
        of_leaks, of_busy = agent.samples(leaks.pid), agent.samples(busy.pid)
        assert 0 < of_leaks["jnitrace_window_seconds", None] <= time.monotonic() - began
        assert 0 < of_leaks["jnitrace_forecast_seconds", "global"] < 3 * 10**9 * (time.monotonic() - began) / of_leaks["jnitrace_vm_references", "global"]
        assert of_busy["jnitrace_vm_references_growing", "global"] == 0
        holds = [line["site"] for line in lines_of(agent, "/api/v1/sites") if line["site"]["outstanding"]]
        assert {(line["target"]["pid"]) for line in lines_of(agent, "/api/v1/sites")} == {leaks.pid}
        assert {site["function"] for site in holds} == {"NewGlobalRef", "NewWeakGlobalRef"}


def test_killed_agent_leaves_nothing(tmp_path):
    """Nor does a JVM that is killed amid a window: the next one counts exactly, of the same JVM or of another."""
    with Ordering(tmp_path) as agent, Oracle(jdk("17"), OURS) as oracle:
        probes = probes_of(oracle.pid)
        agent.next_round()
        assert agent.order(oracle.pid, 3600) == 202
        wait_until(lambda: state_of(agent, oracle.pid) == "open")
        assert not code_is_unchanged(oracle.pid, oracle.jdk.libjvm, probes)
        oracle.do("run 1 101 1 1 1")
        agent.proc.kill()
        wait_until(lambda: code_is_unchanged(oracle.pid, oracle.jdk.libjvm, probes))
        oracle.do("run 1 101 1 1 1")
        with Ordering(tmp_path) as again, Oracle(jdk("17"), OURS) as killed:
            again.next_round()
            assert again.order(killed.pid, 3600) == 202
            wait_until(lambda: state_of(again, killed.pid) == "open")
            killed.do("run 1 101 1 1 1")
            killed.kill()
            killed.proc.wait()
            wait_until(lambda: not again.samples(killed.pid))
            counted_in_a_window(again, oracle)
            assert again.samples()["jnitrace_agent_windows_failed_total", None] == 0
