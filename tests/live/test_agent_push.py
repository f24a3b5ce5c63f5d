# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Profiles that an agent pushes: each window arrives once, whoever of agent and store is killed, and Go's pprof reads it."""

import contextlib
import email
import email.policy
import http.server
import math
import subprocess
import threading
import time
import urllib.parse

import pytest

from harness import ENV, SLOW, Oracle, assert_error, jdk, run_tool, wait_until
from test_agent import OURS, Ordering, state_of


class Store:
    """Records what is pushed. It answers as it is told to: with a status, or, None, not at all; some it forbids, by what is in their path."""

    def __init__(self, port=0, says=200, text=b""):
        self.says, self.text, self.got, self.forbids = says, text, [], ()
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                form = email.message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body,
                                                policy=email.policy.HTTP)
                parts = {p.get_param("name", header="content-disposition"): p.get_payload(decode=True) for p in form.iter_parts()}
                store.got.append((self.path, self.headers["Idempotency-Key"], parts, self.headers.get("X-Scope-OrgID")))
                if store.says is None:
                    self.close_connection = True
                    return
                self.send_response(403 if any(f"name={what}&" in self.path for what in store.forbids) else store.says)
                self.send_header("Content-Length", str(len(store.text)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(store.text)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def keys(self):
        return [key for _, key, _, _ in self.got]


def window(agent, oracle, work):
    agent.next_round()
    assert agent.order(oracle.pid, 3600) == 202
    wait_until(lambda: state_of(agent, oracle.pid) == "open")
    oracle.do(work)
    assert agent.order(oracle.pid, 0) == 202
    wait_until(lambda: state_of(agent, oracle.pid) == "done")


def pushed(agent):
    samples = agent.samples()
    return {name: samples[f"jnitrace_agent_push_{name}", None] for name in ("sent_total", "waiting", "dropped_total", "refused_total")}


def failures(agent):
    samples = agent.samples()
    return {name: samples[f"jnitrace_agent_push_{name}", None] for name in ("failed_total", "denied_total")}


def top_of(profile, folder):
    (folder / "profile").write_bytes(profile)
    return subprocess.run(["go", "tool", "pprof", "-top", folder / "profile"], env=dict(ENV, GOTOOLCHAIN="local", HOME="/nonexistent"),
                          capture_output=True, text=True, check=True).stdout


def agent_of(folder, port, *args):
    (folder / "headers").write_text("# of the tenant\nX-Scope-OrgID: team-a")
    return Ordering(folder, "--push", f"http://127.0.0.1:{port}/ingest", "--spool", folder / "spool", "--push-headers", folder / "headers", "-i", "1", *args)


@pytest.mark.waits
def test_each_window_arrives_once(tmp_path):
    """The agent is killed with a window in the spool, the store takes one and dies before it says so, an agent and a store begin anew."""
    with contextlib.ExitStack() as stack:
        oracle = stack.enter_context(Oracle(jdk("17"), OURS))
        store = Store()
        with agent_of(tmp_path, store.port) as agent:
            window(agent, oracle, "run 1 101 7 3 5")
            wait_until(lambda: len(store.got) == 1 and pushed(agent) == {"sent_total": 1, "waiting": 0, "dropped_total": 0, "refused_total": 0})
            path, _, parts, tenant = store.got[0]
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
            assert query["name"].startswith(f"Oracle{{pid={oracle.pid},host=") and query["format"] == "pprof" and tenant == "team-a"
            assert int(query["from"]) <= int(query["until"]) and b'"outstanding"' in parts["sample_type_config"]
            top = top_of(parts["profile"], tmp_path)
            assert "Type: outstanding\n" in top and " of 12 total" in top, top
            # takes it, and is gone before it says so; then nobody listens
            store.says = None
            window(agent, oracle, "run 1 103 1 3 1")
            wait_until(lambda: len(store.got) >= 2)
            store.close()
            window(agent, oracle, "run 1 107 2 3 2")
            wait_until(lambda: pushed(agent)["waiting"] == 2)
            agent.proc.kill()
            agent.proc.wait()
        kept = sorted(f.name for f in (tmp_path / "spool").iterdir())
        assert len(kept) == 2
        (tmp_path / "spool/.new").write_bytes(b"half")  # as if killed while it wrote
        again = stack.enter_context(Store(store.port, says=503))
        agent = stack.enter_context(agent_of(tmp_path, store.port))
        assert_error(run_tool("agent", "--listen", "127.0.0.1:0", "--push", "http://127.0.0.1:9", "--spool", tmp_path / "spool"), 1)
        wait_until(lambda: again.got)
        assert pushed(agent)["waiting"] == 2
        again.says = 200
        wait_until(lambda: pushed(agent)["waiting"] == 0)
        # by their keys: the first arrived once, the second at both, the third here
        first, second = store.keys()[0], set(store.keys()[1:])
        assert len(second) == 1 and first not in again.keys() and second < set(again.keys()) and len(set(again.keys())) == 2
        assert pushed(agent)["sent_total"] == 2
        held = [top_of(parts["profile"], tmp_path) for _, key, parts, _ in again.got if key not in second]
        assert all(" of 4 total" in top for top in held)
        assert not list((tmp_path / "spool").iterdir())


def test_the_spool_is_bounded_and_what_is_refused_goes(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    for i in range(30):  # of an agent before this one
        (spool / f"{i:020}.profile").write_bytes(b"name=a%d&from=1&until=2\n" % i + b"x" * 100000)
    with Store(says=503) as store, agent_of(tmp_path, store.port, "--spool-limit", "1M") as agent:
        store.says = 400
        wait_until(lambda: pushed(agent)["waiting"] == 0)
        assert pushed(agent)["refused_total"] == 30 == len(set(store.keys()))
        assert not list(spool.iterdir())


def test_a_wrong_token_loses_nothing(tmp_path):
    """What is spooled waits until the store lets it in, over a restart of the agent with another token."""
    spool = tmp_path / "spool"
    spool.mkdir()
    for i in range(3):  # of an agent before this one
        (spool / f"{i:020}.profile").write_bytes(b"name=a%d&from=1&until=2\nx" % i)
    with Store(says=401) as store:
        began = time.monotonic()
        with agent_of(tmp_path, store.port) as agent:
            wait_until(lambda: failures(agent)["denied_total"] >= 2)
            assert failures(agent)["denied_total"] <= failures(agent)["failed_total"]
            tries = len(store.got)
            # the second is tried at once, as it may be the first one's fault; then all wait, twice as long each time
            assert tries <= 3 + math.log2(1 + (time.monotonic() - began) / 0.75)
            assert pushed(agent) == {"sent_total": 0, "waiting": 3, "dropped_total": 0, "refused_total": 0}
            agent.proc.terminate()
            said = agent.push_said + agent.proc.stderr.read().decode()
            assert said.count("status 401 (see the token in --push-headers, and the store's)") == 1, said
        store.says = 200
        with agent_of(tmp_path, store.port) as agent:
            wait_until(lambda: pushed(agent) == {"sent_total": 3, "waiting": 0, "dropped_total": 0, "refused_total": 0})
            assert failures(agent) == {"failed_total": 0, "denied_total": 0}
    assert len(set(store.keys())) == 3


@pytest.mark.waits
def test_a_store_that_is_elsewhere(tmp_path):
    """A redirect is not followed: nothing is lost, and the line says what to do."""
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / f"{1:020}.profile").write_bytes(b"name=a&from=1&until=2\nx")  # of an agent before this one
    with Store(says=308) as store, agent_of(tmp_path, store.port, "--windows", "0") as agent:
        wait_until(lambda: failures(agent)["denied_total"] >= 1)
        store.says = 200
        wait_until(lambda: pushed(agent) == {"sent_total": 1, "waiting": 0, "dropped_total": 0, "refused_total": 0})
        agent.proc.terminate()
        said = agent.push_said + agent.proc.stderr.read().decode()
        assert said.count("status 308 (give the URL that it leads to)") == 1, said


def test_a_store_that_says_too_much(tmp_path):
    """It has taken it all the same: once."""
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / f"{1:020}.profile").write_bytes(b"name=a&from=1&until=2\nx")
    with Store(text=bytes(4 << 20)) as store, agent_of(tmp_path, store.port, "--windows", "0") as agent:
        wait_until(lambda: pushed(agent) == {"sent_total": 1, "waiting": 0, "dropped_total": 0, "refused_total": 0})
        assert len(store.keys()) == 1 and not failures(agent)["denied_total"]


def test_a_file_that_is_missing_is_told_by_check_config(tmp_path):
    """Not by the first profile that cannot be sent, hours later."""
    for option in ("ca", "push-headers"):
        (tmp_path / "agent.yaml").write_text(f"push: http://127.0.0.1:9/ingest\n{option}: /nonexistent\n")
        checked = run_tool("agent", "--config", tmp_path / "agent.yaml", "--check-config")
        assert_error(checked, 1)
        assert checked.stderr == "jnitrace: /nonexistent: No such file or directory (name a file that can be read)\n"


def test_what_is_denied_does_not_stand_in_the_way(tmp_path):
    """Two of many are forbidden: the others arrive, those that come later too; and these two when they are let in. Each once."""
    spool = tmp_path / "spool"
    spool.mkdir()
    for i in range(9):  # of an agent before this one
        (spool / f"{i:020}.profile").write_bytes(b"name=a%d&from=1&until=2\nx" % i)
    with Store() as store, Oracle(jdk("17"), OURS) as oracle:
        store.forbids = "a0", "a4"
        with agent_of(tmp_path, store.port) as agent:
            wait_until(lambda: pushed(agent) == {"sent_total": 7, "waiting": 2, "dropped_total": 0, "refused_total": 0})
            window(agent, oracle, "run 1 103 1 3 1")
            wait_until(lambda: pushed(agent)["sent_total"] == 8)
            assert sorted(f.name for f in spool.iterdir()) == [f"{i:020}.profile" for i in (0, 4)]
            wait_until(lambda: failures(agent)["denied_total"] >= 4)  # they are tried again
            assert failures(agent)["denied_total"] <= failures(agent)["failed_total"]
            store.forbids = ()
            wait_until(lambda: pushed(agent) == {"sent_total": 10, "waiting": 0, "dropped_total": 0, "refused_total": 0})
            agent.proc.terminate()
            said = agent.push_said + agent.proc.stderr.read().decode()
            assert 1 <= said.count("status 403 (see the token in --push-headers, and the store's)") <= 2, said
    forbidden = [key for path, key, _, _ in store.got if "name=a0&" in path or "name=a4&" in path]
    others = [key for key in store.keys() if key not in forbidden]
    assert len(set(forbidden)) == 2 and len(forbidden) >= 6 and len(others) == len(set(others)) == 8


@contextlib.contextmanager
def small_disk(path):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "spool", path], check=True)
    try:
        yield lambda how: subprocess.run(["mount", "-o", f"remount,{how}", path], check=True)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.waits
def test_the_spool_is_read_only_then_full(tmp_path):
    """What is not on disk is counted as dropped and said. What the store has is not sent again, though it cannot be removed. Then it goes on."""
    spool = tmp_path / "spool"
    with small_disk(spool) as remount, Store() as store, Oracle(jdk("17"), OURS) as oracle:
        (spool / f"{1:020}.profile").write_bytes(b"name=a&from=1&until=2\nof an agent before this one")
        remount("ro")
        with agent_of(tmp_path, store.port) as agent:
            failed = lambda: agent.samples()["jnitrace_agent_push_failed_total", None]  # noqa: E731
            wait_until(lambda: failed() >= 2)  # it is tried to remove it
            assert len(store.got) == 1 and pushed(agent) == {"sent_total": 1, "waiting": 1, "dropped_total": 0, "refused_total": 0}
            window(agent, oracle, "run 1 103 1 3 1")
            wait_until(lambda: pushed(agent)["dropped_total"] == 1)
            remount("rw")
            wait_until(lambda: pushed(agent)["waiting"] == 0, 3 * SLOW)
            with contextlib.suppress(OSError), open(spool / "other", "wb", buffering=0) as f:  # no room is left
                while True:
                    f.write(bytes(4096))
            window(agent, oracle, "run 1 103 1 3 1")
            wait_until(lambda: pushed(agent) == {"sent_total": 1, "waiting": 0, "dropped_total": 2, "refused_total": 0})
            assert len(store.got) == 1 and [f.name for f in spool.iterdir()] == ["other"]
            (spool / "other").unlink()
            window(agent, oracle, "run 1 103 2 3 2")
            wait_until(lambda: pushed(agent) == {"sent_total": 2, "waiting": 0, "dropped_total": 2, "refused_total": 0})
            assert len(store.got) == 2 and " of 4 total" in top_of(store.got[1][2]["profile"], tmp_path)
            agent.proc.terminate()
            said = agent.push_said + agent.proc.stderr.read().decode()
            assert [said.count(what) for what in ("removed from the spool: Read-only file system", "is lost: Read-only file system",
                                                  "is lost: No space left on device")] == [1, 1, 1], said


@pytest.mark.parametrize("args", (["--push", "file:///etc/passwd"], ["--spool", "x"], ["--push", "http://127.0.0.1:9", "--spool-limit", "1"]))
def test_usage(args):
    assert_error(run_tool("agent", "--listen", "127.0.0.1:0", *args), 2)
