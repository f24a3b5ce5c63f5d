# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Profiles that an agent sends by OTLP: protoc decodes them, they hold what the fixture did, and each window arrives once."""

import ast
import collections
import contextlib
import gzip
import http.server
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import WARM_UP, Expected, Oracle, assert_error, jdk, run_tool, wait_until
from test_agent import OURS, Ordering, lines_of
from test_agent_push import failures, pushed, window

SCHEMA = Path(__file__).parent / "otlp_profiles.proto"


def protoc(how, message, data):
    return subprocess.run(["protoc", f"--{how}={message}", f"--proto_path={SCHEMA.parent}", SCHEMA], input=data, capture_output=True, check=True).stdout


def tree(lines):
    """Of protobuf's text format: {field: [value or tree]}. A field that the schema does not have is a fault."""
    node = collections.defaultdict(list)
    for line in lines:
        line = line.strip()
        if line == "}":
            break
        if line.endswith(" {"):
            name, value = line[:-2], tree(lines)
        else:
            name, value = line.split(": ", 1)
            value = ast.literal_eval("b" + value) if value[0] == '"' else int(value)
        assert not name[0].isdigit(), line
        node[name].append(value)
    return node


def one(values, default=0):
    assert len(values) <= 1
    return values[0] if values else default


class Decoded:
    """A request, each index of which is followed."""

    def __init__(self, body):
        request = tree(iter(protoc("decode", "ExportProfilesServiceRequest", gzip.decompress(body)).decode("utf-8").splitlines()))
        self.tables = one(request["dictionary"])
        self.texts = [text.decode() for text in self.tables["string_table"]]
        of_target = one(request["resource_profiles"])
        attributes = one(of_target["resource"])["attributes"]
        assert not any(a["key"] for a in attributes)  # by the schema either it is there or key_strindex
        self.resource = {self.texts[one(a["key_strindex"])]: self.value(one(a["value"])) for a in attributes}
        assert len(self.resource) == len(attributes) and "" not in self.resource
        scope = one(of_target["scope_profiles"])
        assert one(one(scope["scope"])["name"]) == b"jnitrace"
        self.profiles = {self.texts[one(one(p["sample_type"])["type_strindex"])]: p for p in scope["profiles"]}
        assert len(self.profiles) == len(scope["profiles"])

    @staticmethod
    def value(v):
        [(kind, [value])] = v.items()
        return value.decode() if kind == "string_value" else value

    def element(self, table, index):
        assert 0 < index < len(self.tables[table]), (table, index)
        return self.tables[table][index]

    def attributes(self, of):
        pairs = [self.element("attribute_table", i) for i in of["attribute_indices"]]
        found = {self.texts[one(a["key_strindex"])]: self.value(one(a["value"])) for a in pairs}
        assert len(found) == len(pairs)
        return found

    def stack(self, sample):
        """[(file, its attributes, [function])], the innermost first."""
        frames = []
        for i in self.element("stack_table", one(sample["stack_index"]))["location_indices"]:
            at = self.element("location_table", i)
            mapping = self.element("mapping_table", one(at["mapping_index"])) if one(at["mapping_index"]) else None
            names = [self.texts[one(self.element("function_table", one(line["function_index"]))["name_strindex"])] for line in at["lines"]]
            assert all(names) and names
            if mapping:
                assert one(mapping["memory_start"]) <= one(at["address"]) < one(mapping["memory_limit"])
            frames.append((self.texts[one(mapping["filename_strindex"])] if mapping else None, self.attributes(mapping) if mapping else {}, names))
        return frames

    def sums(self, kind):
        """{direct caller: (function, value)}"""
        found = {}
        for sample in self.profiles[kind]["samples"]:
            caller = next(names[-1] for file, _, names in self.stack(sample) if not file or not file.endswith("libjvm.so"))
            caller = "distinct" if caller.startswith("distinct_0x") else caller
            function = self.attributes(sample)["jnitrace.function"]
            assert found.get(caller, (function,))[0] == function
            found[caller] = function, found.get(caller, (None, 0))[1] + one(sample["values"])
        return found

    def stacks(self):
        """As their names; what has none is told by its place in a file."""
        return {tuple("?" if "+0x" in name else name for _, _, names in self.stack(sample) for name in names) for sample in self.profiles["jni_acquired"]["samples"]}

    def ids(self):
        return [one(p["profile_id"]) for p in self.profiles.values()]


class Collector:
    """It answers as it is told to: with (status, seconds to wait, body); or, None, not at all."""

    TAKEN = 200, None, b""

    def __init__(self, port=0, says=TAKEN):
        self.says, self.got = says, []  # says: one for all, or a list, whose last stays
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                says = collector.says
                if isinstance(says, list):
                    says = says.pop(0) if len(says) > 1 else says[0]
                collector.got.append((self.path, dict(self.headers), body, says, time.monotonic()))
                if says is None:
                    self.close_connection = True
                    return
                status, wait_s, answer = says
                self.send_response(status)
                if wait_s:
                    self.send_header("Retry-After", str(wait_s))
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

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


def agent_of(folder, port, path="", **kwargs):
    (folder / "headers").write_text("X-Scope-OrgID: team-a\n")
    return Ordering(folder, "--otlp-profiles", f"http://127.0.0.1:{port}{path}", "--spool", folder / "spool", "--push-headers", folder / "headers",
                    "-i", "1", **kwargs)


def expect(decoded, oracle, before, after):
    want = Expected(before, after)
    assert decoded.sums("jni_acquired") == {name: (function, acquired) for name, (function, acquired, _) in want.sites.items()}
    assert decoded.sums("jni_outstanding") == {name: (function, acquired - released) for name, (function, acquired, released) in want.sites.items()
                                               if acquired != released}
    assert decoded.resource["service.name"] == "Oracle" and decoded.resource["process.pid"] == oracle.pid and decoded.resource["host.name"]
    for kind, profile in decoded.profiles.items():
        assert decoded.texts[one(one(profile["sample_type"])["unit_strindex"])] == ("bytes" if kind.endswith("bytes") else "count")
        assert 0 <= time.time() - one(profile["time_unix_nano"]) / 1e9 < 600 and one(profile["duration_nano"]) > 0
        assert not [key for key in decoded.attributes(profile) if key.startswith("jnitrace.drop.")]
    build_ids = set()
    for sample in decoded.profiles["jni_acquired"]["samples"]:
        stack = decoded.stack(sample)
        names = [name for _, _, frame in stack for name in frame]
        assert not any(name.startswith("[") for name in names) and any(name.startswith("Oracle.") for name in names), names
        build_ids |= {attributes["process.executable.build_id.gnu"] for file, attributes, _ in stack if file and file.endswith("liboracle.so")}
    assert len(build_ids) == 1


@pytest.mark.waits
def test_each_window_arrives_once(tmp_path):
    """The store takes one and dies before it says so, nobody listens, the agent is killed; then an agent and a store begin anew."""
    with contextlib.ExitStack() as stack:
        oracle = stack.enter_context(Oracle(jdk("17"), OURS))
        oracle.do(*WARM_UP)
        store = Collector()
        agent = stack.enter_context(agent_of(tmp_path, store.port))
        states = [oracle.now]

        def work(what):
            window(agent, oracle, what)
            states.append(oracle.now)

        work("run 1 101 7 53 5")
        wait_until(lambda: len(store.got) == 1 and pushed(agent) == {"sent_total": 1, "waiting": 0, "dropped_total": 0, "refused_total": 0})
        path, headers, body, _, _ = store.got[0]
        assert path == "/v1development/profiles" and headers["X-Scope-OrgID"] == "team-a"
        assert headers["Content-Type"] == "application/x-protobuf" and headers["Content-Encoding"] == "gzip"
        expect(Decoded(body), oracle, *states[-2:])
        assert Decoded(body).stacks() == {tuple(frame["symbol"] or "?" for frame in line["site"]["stack"]) for line in lines_of(agent, "/api/v1/sites")
                                          if line["target"]["pid"] == oracle.pid and line["site"]["acquired"]}
        store.says = None
        work("run 1 103 1 59 3")
        wait_until(lambda: len(store.got) >= 2)
        store.close()
        work("run 2 107 2 61 2")
        wait_until(lambda: pushed(agent)["waiting"] == 2)
        agent.proc.kill()
        agent.proc.wait()
        again = stack.enter_context(Collector(store.port, says=[(503, None, b""), Collector.TAKEN]))
        agent = stack.enter_context(agent_of(tmp_path, store.port))
        wait_until(lambda: pushed(agent)["waiting"] == 0)
        assert pushed(agent) == {"sent_total": 2, "waiting": 0, "dropped_total": 0, "refused_total": 0}
        taken = [(headers["Idempotency-Key"], body) for _, headers, body, says, _ in store.got + again.got if says == Collector.TAKEN]
        assert len(taken) == 3 == len({key for key, _ in taken})
        decoded = [Decoded(body) for _, body in taken]
        for i, one_of in enumerate(decoded):
            expect(one_of, oracle, states[i], states[i + 1])
        ids = [i for d in decoded for i in d.ids()]
        assert len(ids) == len(set(ids)) and all(len(i) == 16 and any(i) for i in ids)
        # what was sent more than once was the same each time
        bodies = collections.defaultdict(set)
        for _, headers, body, _, _ in store.got + again.got:
            bodies[headers["Idempotency-Key"]].add(body)
        assert len(bodies) == 3 and all(len(b) == 1 for b in bodies.values())
        assert not list((tmp_path / "spool").iterdir())


def test_what_the_store_answers(tmp_path):
    """
    It is asked again as late as it says; what it rejects or refuses is counted and goes, but not by a wrong token or path; of
    another format nothing is sent.
    """
    spool = tmp_path / "spool"
    spool.mkdir()
    for i in range(6):  # of an agent before this one
        (spool / f"{i:020}.otlp").write_bytes(b"\nprofile %d" % i)
    (spool / f"{7:020}.profile").write_bytes(b"name=a&from=1&until=2\nof pprof's format")
    (spool / f"{8:020}.otlp").write_bytes(b"none of an agent's")
    partly = protoc("encode", "ExportProfilesServiceResponse", b'partial_success { rejected_profiles: 3 error_message: "no\\033 room" }')
    warned = protoc("encode", "ExportProfilesServiceResponse", b'partial_success { error_message: "soon no room" }')
    said = [(429, 2, b""), (503, None, b""), (200, None, partly), (200, None, partly), (200, None, warned), (404, None, b""), (401, None, b""), (410, None, b""),
            (400, None, b""), Collector.TAKEN]
    with Collector(says=said) as store, agent_of(tmp_path, store.port, "/otlp/v1?of=7") as agent:
        wait_until(lambda: pushed(agent) == {"sent_total": 2, "waiting": 0, "dropped_total": 0, "refused_total": 5})
        assert {path for path, _, _, _, _ in store.got} == {"/otlp/v1?of=7"}
        order = [int(body.removeprefix(b"profile ")) for _, _, body, _, _ in store.got]
        assert order[:8] == [0, 0, 0, 1, 2, 3, 4, 5] and sorted(order[8:]) == [3, 4], order  # 3 and 4 are denied: others go before them
        assert failures(agent) == {"failed_total": 4, "denied_total": 2}
        assert store.got[1][4] - store.got[0][4] >= 2
        assert [f.name for f in spool.iterdir()] == [f"{7:020}.profile"]
        agent.proc.terminate()
        text = agent.push_said + agent.proc.stderr.read().decode()
        assert text.count("the store rejects 3 profiles of a window: no? room") == 1 and "soon" not in text, text
        assert text.count("refuses a profile with status 410") == text.count("refuses a profile with status 400") == 1, text
        assert text.count("status 404 (see the path of its URL)") == text.count("status 401 (see the token in --push-headers, and the store's)") == 1, text


@pytest.mark.parametrize("args", (["--otlp-profiles", "file:///etc/passwd"], ["--otlp-profiles", "http://127.0.0.1:9", "--push", "http://127.0.0.1:9"],
                                  ["--otlp-profiles", "http://127.0.0.1:9", "--spool-limit", "1"]))
def test_usage(args):
    assert_error(run_tool("agent", "--listen", "127.0.0.1:0", *args), 2)
