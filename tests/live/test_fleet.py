# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""jnitrace fleet diff: several agents are asked over HTTP, and the call site that is in one version alone is named, with the version."""

import contextlib
import http.server
import json
import shutil
import threading
import zipfile

import jsonschema
import pytest

from harness import Oracle, assert_error, jdk, run_tool, wait_until
from test_agent import OURS, SCHEMA, Ordering, state_of

LEAK, NONE = "run 2 1009 7 503 5", "run 2 1009 0 503 0"


class Version(Oracle):
    """The fixture as a service of a version, all in a folder of its own, as in a container: no address and no path is another's."""

    def __init__(self, folder, version, prefix=(), **environment):
        folder.mkdir()
        fixtures = jdk("17").fixtures()
        self.jar, self.library = folder / f"shop-{version}.jar", folder / "liboracle.so"
        shutil.copy(fixtures / "liboracle.so", self.library)
        with zipfile.ZipFile(self.jar, "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: Oracle\n")
            for f in fixtures.glob("Oracle*.class"):
                jar.write(f, f.name)
        super().__init__(jdk("17"), OURS, prefix=[*prefix, "env", *(f"{name}={value}" for name, value in environment.items())])

    def main(self, fixtures):
        return "-jar", str(self.jar), str(self.library)


def traced(agents, services, works):
    """What a window of each agent, of a service each, sees while the work is done."""
    pairs = list(zip(agents, services))
    for agent, service in pairs:
        agent.next_round()
        assert agent.order(service.pid, 3600) == 202
    wait_until(lambda: all(state_of(agent, service.pid) == "open" for agent, service in pairs))
    for service, work in zip(services, works):
        service.do(work)
    for agent, service in pairs:
        assert agent.order(service.pid, 0) == 202
    wait_until(lambda: all(state_of(agent, service.pid) == "done" for agent, service in pairs))


def diff(*args, code=0):
    result = run_tool("fleet", "diff", *args, "--json")
    assert result.returncode == code, result.stderr
    [line] = [json.loads(line) for line in result.stdout.splitlines()]
    jsonschema.validate(line, SCHEMA)
    return line


@pytest.mark.waits
def test_names_the_site_and_the_version(tmp_path):
    with contextlib.ExitStack() as stack:
        folders = [tmp_path / f"agent{i}" for i in range(3)]
        for folder in folders:
            folder.mkdir()
        agents = [stack.enter_context(Ordering(folder, "-i", "1")) for folder in folders]
        services = [stack.enter_context(Version(tmp_path / f"jvm{i}", version)) for i, version in enumerate(("1.2", "1.3", "1.3"))]
        traced(agents, services, (NONE, LEAK, LEAK))
        urls = [agent.url for agent in agents]
        token = ["--token-file", folders[0] / "token"]
        found = diff(*token, *urls)
        assert [(g["scope"], g["value"], g["jvms"], g["traced"]) for g in found["groups"] if g["traced"]] == \
            [("shop", "1.2", 1, 1), ("shop", "1.3", 2, 2)]
        assert {(s["name"], s["only_in"], s["grows_only_in"]) for s in found["sites"]} == {("leak_global", "1.3", None), ("leak_weak", "1.3", None)}
        of = {s["name"]: {g["value"]: (g["jvms"], g["outstanding"]) for g in s["groups"]} for s in found["sites"]}
        assert of == {"leak_global": {"1.2": (0, 0), "1.3": (2, 28)}, "leak_weak": {"1.2": (0, 0), "1.3": (2, 20)}}
        # two processes and hosts, one id
        ids = [{json.loads(line)["site"]["id"] for line in agent.get("/api/v1/sites").splitlines()} for agent in agents]
        assert ids[1] == ids[2] and ids[0] < ids[1] and {s["id"] for s in found["sites"]} <= ids[1]
        table = run_tool("fleet", "diff", *token, *urls, "--by", "version")
        assert table.returncode == 0
        row = next(line for line in table.stdout.splitlines() if "leak_global" in line)
        assert row.split()[:5] == ["1.3", "new", "28", "-", "2/2"]
        assert diff(*token, "--fail-on", "new", *urls, code=6)["sites"] == found["sites"]
        assert run_tool("fleet", "diff", *token, "--fail-on", "growth", *urls).returncode == 0
        # of services there is one alone
        assert_error(run_tool("fleet", "diff", *token, *urls, "--by", "service"), 4)
        # what they said, kept in files, says the same; one that does not answer is a loss
        files = [tmp_path / f"said{i}" for i in range(3)]
        for agent, file in zip(agents, files):
            file.write_text(agent.get("/api/v1/sites") + agent.get("/api/v1/targets"))
        assert diff(*files)["sites"] == found["sites"]
        with_loss = diff(*token, *urls, "http://127.0.0.1:9", code=5)
        assert with_loss["sites"] == found["sites"] and [r["source"] for r in with_loss["refused"]] == ["http://127.0.0.1:9"]
        assert diff(*token, *urls, "http://127.0.0.1:9", "--allow-loss")["sites"] == found["sites"]
        assert run_tool("fleet", "diff", "http://127.0.0.1:9").returncode == 1


def deployed(image, tag, pod):
    """As Kubernetes' manifests have it; the password is nobody's business."""
    return {"OTEL_RESOURCE_ATTRIBUTES": f"service.name=shop,service.version=7%2B{tag},container.image.name={image},container.image.tags={tag},password=secret1",
            "POD_NAME": pod, "POD_NAMESPACE": "prod", "DB_PASSWORD": "secret2"}


@pytest.mark.waits
def test_names_the_site_and_the_image(tmp_path):
    """One jar in two images; what the environment tells of them is in targets, metrics and the comparison, and nothing else of it."""
    images = {"registry:5000/acme/shop:1.2": ("1.2", "shop-a", NONE), "registry:5000/acme/shop:1.3??[31m": ("1.3\u202e\x1b[31m", "shop-b", LEAK)}
    with contextlib.ExitStack() as stack:
        agent = stack.enter_context(Ordering(tmp_path, "-i", "1", "--windows", "2"))
        services = [stack.enter_context(Version(tmp_path / pod, "1", **deployed("registry:5000/acme/shop", tag, pod)))
                    for tag, pod, _ in images.values()]
        traced([agent] * 2, services, [work for _, _, work in images.values()])
        old, new = images
        found = diff("--token-file", tmp_path / "token", "--by", "image", agent.url)
        assert [(g["scope"], g["value"], g["traced"]) for g in found["groups"] if g["traced"]] == [("registry:5000/acme/shop", image, 1) for image in images]
        assert {(s["name"], s["only_in"]) for s in found["sites"]} == {("leak_global", new), ("leak_weak", new)}
        targets = {t["target"]["pid"]: t["target"] for t in map(json.loads, agent.get("/api/v1/targets").splitlines())}
        metrics = agent.get()
        for service, (image, (tag, pod, _)) in zip(services, images.items()):
            told = targets[service.pid]
            assert [told[key] for key in ("service", "image", "pod", "namespace", "pod_uid")] == ["shop", image, pod, "prod", None]
            assert told["version"].startswith(f"7+{tag[:3]}")
            labels = f'{{service="shop",pid="{service.pid}",pod="{pod}",image="{image}"'
            assert f'jnitrace_up{labels}}} 1\n' in metrics
            [info] = [line for line in metrics.splitlines() if line.startswith(f"jnitrace_vm_info{labels}")]
            assert f'service_version="7+{tag[:3]}' in info and 'namespace="prod"' in info
        for path in ("/metrics", "/api/v1/targets", "/api/v1/census", "/api/v1/sites", "/api/v1/findings", "/", "/report"):
            assert "secret" not in agent.get(path) and "\x1b[31m" not in agent.get(path), path


SITE = {"target": {"pid": 7, "start_time_ticks": 1, "host": "a", "main": "shop-1.jar"},
        "site": {"id": "0123456789abcdef", "function": "NewGlobalRef", "family": "global", "outstanding": 3, "acquired": 4,
                 "verdict": {"kind": "growing", "growth_per_min": 5}, "stack": [{"type": "native", "symbol": "leak\x1b[31m"}]}}
OTHER = {"target": {"pid": 7, "start_time_ticks": 1, "host": "b", "main": "shop-2.jar"}, "window": {"report": "then"}}
ANSWERS = {
    "nothing": b"", "html": b"<html>", "binary": bytes(range(256)) * 4096, "null": b"null\n[]\n1\n{}\n", "deep": b"[" * 1000000,
    "long": b"{\"target\":\"" + b"x" * 3000000 + b"\"}\n", "types": json.dumps(
        {"target": {"pid": "7", "start_time_ticks": [], "main": {}, "host": 1}, "site": {"stack": 7, "verdict": [], "id": 1}}).encode(),
    "negative": json.dumps({"target": {"pid": -1}, "site": {"outstanding": -(2**63)}}).encode(), "endless": None, "redirect": None, "slow": None,
}


@pytest.fixture(scope="module")
def hostile():
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            name = self.path.split("/")[1]
            if name == "redirect":
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                if name == "endless":
                    for _ in range(200):
                        self.wfile.write(b"x" * 1048576)
                elif name == "slow":
                    self.wfile.write(b"{")
                else:
                    self.wfile.write(ANSWERS[name])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_are_none(hostile, tmp_path, name):
    """Whatever one of them says, the others are compared, and no letter of it reaches the terminal as it is."""
    said = tmp_path / "said"
    said.write_text("".join(json.dumps(line) + "\n" for line in (SITE, OTHER)))
    result = run_tool("fleet", "diff", said, f"{hostile}/{name}")
    assert result.returncode in (0, 5), result
    assert result.returncode == 5 or name == "nothing"
    assert "\x1b" not in result.stdout + result.stderr
    row = next(line for line in result.stdout.splitlines() if "leak?[31m" in line)
    assert row.split()[:5] == ["1", "new", "3", "+5.0", "1/1"], row


def test_usage(tmp_path):
    for args in ([], ["diff"], ["other", "x"], ["diff", "--by", "colour", "x"], ["diff", "-p", "1", "x"], ["diff", "--token-file", tmp_path / "none", "x"]):
        assert_error(run_tool("fleet", *args), 2 if "--token-file" not in args else 1)
