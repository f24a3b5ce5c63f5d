# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The agent as a service: its file of options, what systemd is told, certificates that change, its own budget, names of services."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import kubernetes.client
import pytest
import yaml

from fuse import LOOKUP, StallingFiles
from harness import ENV, JNITRACE, SLOW, TOP, Oracle, assert_error, jdk, read_line, run_tool, wait_until
from test_agent import OURS, Agent, Ordering, lines_of


def services(agent, pid):
    return set(re.findall(rf'^jnitrace_up{{service="([^"]*)",pid="{pid}"', agent.get(), re.M))


def test_options_are_read_anew(tmp_path):
    """What can change does; what cannot is named; a file that cannot be used changes nothing."""
    file = tmp_path / "agent.yaml"
    file.write_text("interval: 100ms\ntop-sites: 1\n")
    with Agent("--config", file) as agent, Oracle(jdk("17"), OURS) as oracle:
        wait_until(lambda: services(agent, oracle.pid) == {"Oracle"})
        assert agent.samples()["jnitrace_agent_interval_seconds", None] == 0.2  # the command line's
        assert "\njnitrace_site_outstanding" not in agent.get() and "# HELP jnitrace_site_outstanding" in agent.get()
        file.write_text("service-rule: ['told-\\1=-Dof=([0-9]+) .*Oracle']\nlimit-memory: 1G\n")
        agent.proc.send_signal(signal.SIGHUP)
        line = read_line(agent.proc.stderr)
        assert line == f"jnitrace: agent: options read anew file={file} changed=service-rule,top-sites needs_restart=limit-memory\n"
        wait_until(lambda: services(agent, oracle.pid) == {f"told-{os.getpid()}"})
        [target] = [t for t in lines_of(agent, "/api/v1/targets") if t["target"]["pid"] == oracle.pid]
        assert target["service"] == f"told-{os.getpid()}"
        assert "# HELP jnitrace_site_outstanding" not in agent.get()
        file.write_text("service-rules: x\n")
        agent.proc.send_signal(signal.SIGHUP)
        assert read_line(agent.proc.stderr) == f"jnitrace: {file}:1: service-rules: no option of a file (did you mean service-rule?)\n"
        agent.next_round()
        assert services(agent, oracle.pid) == {f"told-{os.getpid()}"}
        samples = agent.samples()
        assert (samples["jnitrace_agent_reloads_total", None], samples["jnitrace_agent_reloads_failed_total", None]) == (1, 1)
    checked = run_tool("agent", "--config", TOP / "docs/agent/agent.yaml", "--check-config")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, f"{TOP}/docs/agent/agent.yaml: ok\n", "")
    assert_error(run_tool("agent", "--config", file, "--check-config"), 2)
    file.write_text("tls-cert: /nothing\ntls-key: /nothing\n")
    assert_error(run_tool("agent", "--config", file, "--check-config"), 1)
    with Agent() as agent:  # nobody has a file: as before
        agent.proc.send_signal(signal.SIGHUP)
        assert agent.proc.wait(SLOW) == 0


def test_systemd_is_told(tmp_path):
    file, path = tmp_path / "agent.yaml", tmp_path / "notify"
    file.write_text("")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        s.settimeout(SLOW)

        def heard(what):
            while True:
                said = s.recv(4096).decode().splitlines()
                if said[0] == what:
                    return said
                assert said[0] in ("WATCHDOG=1", "READY=1"), said

        with Agent("--config", file, "-i", "1000", env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "100000"}) as agent:
            [_, status] = heard("READY=1")
            assert re.fullmatch(r"STATUS=\d+ JVMs, read every 1e\+03 s; 0 traced, 0 wait", status), status
            for _ in range(3):  # no round is read meanwhile
                assert s.recv(4096) == b"WATCHDOG=1"
            agent.proc.send_signal(signal.SIGHUP)
            heard("RELOADING=1")
            heard("READY=1")
            agent.proc.terminate()
            heard("STOPPING=1")
            assert agent.proc.wait(SLOW) == 0


def test_journal_has_levels():
    def lines(*args):
        r, w = os.pipe()
        stat = os.fstat(w)
        proc = subprocess.Popen([JNITRACE, "agent", "--windows", "0", "-i", "1000", *args], stderr=w, stdin=subprocess.DEVNULL,
                                env=dict(ENV, JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}"))
        os.close(w)
        with os.fdopen(r, "rb", buffering=0) as said:
            line = read_line(said)
            proc.kill()
            proc.wait()
        return line

    assert lines("--listen", "127.0.0.1:0").startswith("<6>jnitrace: agent of all JVMs: http://127.0.0.1:")
    assert lines("--trace", "(").startswith("<3>jnitrace: --trace: ")


def wait_for_line(agent, begins):
    """Beside others: a file that is written, and two that belong together, are looked at in between."""
    while not read_line(agent.proc.stderr).startswith(begins):
        pass


class Certificates:
    """An authority, and what it signs."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = self.make("ca", "-x509", "-days", "2")

    def run(self, *args):
        subprocess.run(["openssl", *map(str, args)], capture_output=True, check=True)

    def make(self, name, *args):
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                 self.folder / f"{name}.key", "-out", self.folder / f"{name}.pem", *args)
        return self.folder / f"{name}.pem"

    def sign(self, name, usage, address="127.0.0.1"):
        extensions = self.folder / "extensions"
        extensions.write_text(f"subjectAltName=IP:{address}\nextendedKeyUsage={usage}\n")
        request = self.make(name)
        signed = self.folder / f"{name}.signed"
        self.run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
                 extensions, "-out", signed)
        return signed, self.folder / f"{name}.key"


def test_certificates_change(tmp_path):
    """Another certificate is served, another token is asked for, and nobody who asks meanwhile is refused."""
    of = Certificates(tmp_path)
    cert, key, token = tmp_path / "cert", tmp_path / "key", tmp_path / "token"

    def put(name):
        for source, place in zip(of.sign(name, "serverAuth"), (cert, key)):
            new = tmp_path / "new"
            new.write_bytes(source.read_bytes())
            new.rename(place)

    def served():
        with socket.create_connection(("127.0.0.1", agent.port), timeout=SLOW) as s, trusting.wrap_socket(s, server_hostname="127.0.0.1") as t:
            return dict(x[0] for x in t.getpeercert()["subject"])["commonName"]

    put("first")
    token.write_text("one\n")
    trusting = ssl.create_default_context(cafile=of.ca)
    with Agent("--tls-cert", cert, "--tls-key", key, "--token-file", token) as agent:
        assert served() == "first"
        assert agent.status(headers={"Authorization": "Bearer one"}, context=trusting) == 200
        put("second")
        wait_until(lambda: served() == "second")  # every connection is accepted
        token.write_text("two\n")
        wait_until(lambda: agent.status(headers={"Authorization": "Bearer two"}, context=trusting) == 200)
        assert agent.status(headers={"Authorization": "Bearer one"}, context=trusting) == 401
        token.write_text("")
        wait_for_line(agent, f"jnitrace: {token}: no token (write the token on its first line)\n")
        token.write_text("two")
        cert.write_text("no certificate")
        wait_for_line(agent, f"jnitrace: {cert}: ")
        assert served() == "second"
        assert agent.status(headers={"Authorization": "Bearer two"}, context=trusting) == 200


def test_clients_have_certificates(tmp_path):
    of, other = Certificates(tmp_path), tmp_path / "other"
    other.mkdir()
    cert, key = of.sign("server", "serverAuth")
    with Agent("--tls-cert", cert, "--tls-key", key, "--tls-client-ca", of.ca, "--allow-trigger", listen="0.0.0.0:0") as agent:
        agent.url = f"https://127.0.0.1:{agent.port}"

        def status(signed=None, method="GET", path="/metrics"):
            context = ssl.create_default_context(cafile=of.ca)
            if signed:
                context.load_cert_chain(*signed)
            return agent.status(path, method=method, context=context)

        client = of.sign("client", "clientAuth")
        assert status(client) == 200
        assert status(client, "POST", "/api/v1/windows?pid=1") == 202
        assert status() == 401
        assert status((cert, key)) == 401  # a server's, of the same authority
        stranger = Certificates(other)
        assert status(stranger.sign("client", "clientAuth")) == 401
        assert status(client) == 200
    assert_error(run_tool("agent", "--tls-client-ca", of.ca), 2)


@pytest.mark.waits
def test_its_own_budget():
    """It is asked to read a hundred times a second, which costs more than 1 % of a CPU: it reads more seldom, and says so."""
    with Agent("-i", "0.01", "--budget", "1%", "--windows", "0") as agent:
        def cpu():
            fields = open(f"/proc/{agent.proc.pid}/stat").read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        line = read_line(agent.proc.stderr)  # once what it has saved is used up
        assert re.fullmatch(r"jnitrace: agent: reads more seldom, to keep its budget interval_s=\S+ asked_s=0.010 budget_percent=1\n", line), line
        wait_until(lambda: agent.samples()["jnitrace_agent_interval_seconds", None] > 0.01)
        before, began = cpu(), time.monotonic()
        time.sleep(6)
        assert cpu() - before <= 0.01 * (time.monotonic() - began) + 0.3  # some rounds more or less; without a budget it takes ten times that


def unknown_fields(data, kind, at=""):
    """Fields that the API's type does not have, or that are of another type; the types are those of the API's schema."""
    models = kubernetes.client.models
    if match := re.fullmatch(r"list\[(.*)\]", kind):
        if not isinstance(data, list):
            return [at]
        return [bad for i, item in enumerate(data) for bad in unknown_fields(item, match[1], f"{at}[{i}]")]
    if match := re.fullmatch(r"dict\((\w+), (\w+)\)", kind):
        return [f"{at}.{key}" for key, value in data.items() if not isinstance(key, str) or unknown_fields(value, match[2])]
    if not hasattr(models, kind):
        return [] if isinstance(data, {"str": str, "int": int, "bool": bool, "object": (str, int)}[kind]) else [at]
    model = getattr(models, kind)
    names = {name: field for field, name in model.attribute_map.items()}
    return [bad for key, value in data.items()
            for bad in (unknown_fields(value, model.openapi_types[names[key]], f"{at}.{key}") if key in names else [f"{at}.{key}"])]


def test_kubernetes():
    """The objects are as the API has them, fit together, and are what the unit for systemd has."""
    folder = TOP / "docs/agent/kubernetes"
    base = yaml.safe_load((folder / "kustomization.yaml").read_text())
    objects = [yaml.safe_load((folder / name).read_text()) for name in base["resources"]]
    assert [o["kind"] for o in objects] == ["Namespace", "DaemonSet"]
    assert objects[0]["metadata"]["name"] == base["namespace"]
    api = kubernetes.client.ApiClient(kubernetes.client.Configuration())
    for o in objects:
        assert not unknown_fields(o, "V1" + o["kind"])
        api._ApiClient__deserialize(o, "V1" + o["kind"])  # what is required is there
    assert unknown_fields({"spec": {"template": {"spec": {"hostPid": True}}}}, "V1DaemonSet") == [".spec.template.spec.hostPid"]
    spec = objects[1]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert objects[1]["spec"]["selector"]["matchLabels"] == objects[1]["spec"]["template"]["metadata"]["labels"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in spec["volumes"]}
    [config] = base["configMapGenerator"]
    assert spec["volumes"][0]["configMap"]["name"] == config["name"] and base["images"][0]["name"] == container["image"]
    unit = (TOP / "docs/agent/jnitrace-agent.service").read_text()
    of_unit = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M)[1].split()
    assert {f"CAP_{c}" for c in container["securityContext"]["capabilities"]["add"]} == set(of_unit)
    options = yaml.safe_load((folder / "agent.yaml").read_text())
    assert options["listen"].endswith(f":{container['ports'][0]['containerPort']}")
    for mounted in ("tls-cert", "tls-key", "tls-client-ca"):
        assert any(options[mounted].startswith(m["mountPath"] + "/") for m in container["volumeMounts"])
    # its one fault here is that there is no certificate
    checked = run_tool("agent", "--config", folder / "agent.yaml", "--check-config")
    assert_error(checked, 1)
    assert checked.stderr.startswith(f"jnitrace: {options['tls-cert']}: No such file")


def files_of(pid):
    """What its descriptors are, but for those that are gone meanwhile."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{fd}")


def test_jvms_that_come_and_go():
    """A JVM costs no descriptor while its tables are read, and nothing once it has ended. Other tests have JVMs, too, and libraries."""
    ours = os.path.realpath(jdk("17").libjvm)

    def now():
        status = open(f"/proc/{agent.proc.pid}/status").read()
        return len([file for file in files_of(agent.proc.pid) if "libjvm" not in file or file == ours]), int(re.search(r"RssAnon:\s+(\d+)", status)[1])

    def batch():
        with contextlib.ExitStack() as stack:
            jvms = [stack.enter_context(Oracle(jdk("17"), "-Xmx16m", "-XX:+UseSerialGC", OURS)) for _ in range(5)]
            wait_until(lambda: all(services(agent, jvm.pid) for jvm in jvms))
            during = now()
        wait_until(lambda: not any(services(agent, jvm.pid) for jvm in jvms))
        return during

    with Agent("--windows", "0") as agent:
        agent.next_round()
        before, _ = now()
        files, kb = batch()
        assert files <= before + 2  # the library that all of them have, and one that is open just now
        again = [batch() for _ in range(3)]
        assert all(n <= before + 2 for n, _ in again)
        assert min(kb for _, kb in again[1:]) <= kb + 1024, (kb, again)


# In a mount namespace of its own, whose /etc has a folder as Kubernetes makes it: files are links, and so is the folder they are in.
PODINFO = """
set -e
mkdir -p $1; mount -t tmpfs etc $1; mkdir $1/upper $1/work
mount -t overlay -o lowerdir=/etc,upperdir=$1/upper,workdir=$1/work etc /etc
mkdir -p /etc/podinfo/..1
cp $2/annotations $2/labels /etc/podinfo/..1
ln -s ..1 /etc/podinfo/..data; ln -s ..data/annotations ..data/labels /etc/podinfo
cp -r /etc/podinfo /etc/elsewhere
if [ "$3" = hostile ]; then
  rm /etc/podinfo/labels; ln -s ../elsewhere/labels /etc/podinfo/labels
  rm /etc/podinfo/annotations; mkfifo /etc/podinfo/annotations
fi
if [ "$3" = stalling ]; then
  rm -r /etc/podinfo; ln -s "${1%/*}/stalls/it" /etc/podinfo
fi
shift 3
exec "$@"
"""


def in_pod(folder, kind, version):
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files/labels").write_text('app="x"\napp.kubernetes.io/name="shop"\napp.kubernetes.io/version="9"\n')
    (folder / "files/annotations").write_text('password="secret"\nresource.opentelemetry.io/container.image.name="registry:5000/shop"\n'
                                              f'resource.opentelemetry.io/container.image.tags="{version}"\n')
    return Oracle(jdk("17"), OURS, prefix=["unshare", "--mount", "sh", "-c", PODINFO, "sh", folder / kind, folder / "files", kind])


def test_what_a_pod_says_of_itself(tmp_path):
    """By the downward API's folder in the JVM's own root; links lead nowhere out of it, and what is no file is not waited for."""
    with in_pod(tmp_path, "honest", "1.3") as honest, in_pod(tmp_path, "hostile", "6.6") as hostile, \
            Ordering(tmp_path, "--podinfo", "/etc/elsewhere") as agent:
        told = {}
        for pid, args in ((honest.pid, ()), (hostile.pid, ()), (hostile.pid, ("--podinfo", "/etc/elsewhere")), (honest.pid, ("--podinfo", "/none"))):
            target = json.loads(run_tool("census", "-p", pid, *args, "--json").stdout)["target"]
            told[pid, args] = [target[of] for of in ("service", "version", "image")]
        nothing = [None] * 3
        assert list(told.values()) == [["shop", "9", "registry:5000/shop:1.3"], nothing, ["shop", "9", "registry:5000/shop:6.6"], nothing], told
        agent.next_round()
        assert agent.order(honest.pid, 3600) == 202  # its tracer is told, too
        wait_until(lambda: '"state":"open"' in agent.get("/api/v1/targets"))
        honest.do("run 1 101 1 7 2")
        assert agent.order(honest.pid, 0) == 202
        wait_until(lambda: '"state":"done"' in agent.get("/api/v1/targets"))
        targets = [line["target"] for line in lines_of(agent, "/api/v1/sites") if line["target"]["pid"] == honest.pid]
        assert targets and {(t["service"], t["image"]) for t in targets} == {("shop", "registry:5000/shop:1.3")}
        assert "secret" not in agent.get() + agent.get("/api/v1/targets")


def test_a_pod_whose_files_do_not_answer(tmp_path):
    """Nothing is known of it, and of the others all is, though theirs are read after."""
    (tmp_path / "stalls").mkdir()
    with StallingFiles(tmp_path / "stalls", b"") as files:
        files.stall(LOOKUP)  # before anybody, such as an agent of another test, asks: the kernel keeps an answer
        with in_pod(tmp_path, "stalling", "6.6") as stalling, in_pod(tmp_path, "honest", "1.3") as honest:
            done = run_tool("census", "-p", f"{stalling.pid},{honest.pid}", "--json")
            assert files.waits.is_set()
            targets = [json.loads(line)["target"] for line in done.stdout.splitlines()]
            assert [(t["pid"], t["service"]) for t in targets] == [(stalling.pid, None), (honest.pid, "shop")], done
