# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A fleet on one machine: hosts that are network namespaces, each with an agent that answers by TLS and a token, and JVMs of two
images, one of which leaks. Who asks all agents is told which image, and where.

`make herd` (JNITRACE_HERD=1) has 8 hosts.
"""

import contextlib
import os
import ssl
import subprocess

import pytest

from harness import wait_until
from test_agent import Ordering, state_of
from test_agent_herd import FULL
from test_agent_service import Certificates
from test_fleet import LEAK, NONE, Version, deployed, diff

HOSTS = 8 if FULL else 2
IMAGES = {"1.2": NONE, "1.3": LEAK}
JVMS = ("1.2", "1.2", "1.3")  # of each host
FIRST = os.getpid() % 31 * 8


def subnet_of(i):
    """Of RFC 2544: nobody's network."""
    return f"198.18.{FIRST + i}"


def ip(*args, check=True):
    subprocess.run(["ip", *map(str, args)], capture_output=not check, check=check)


@contextlib.contextmanager
def network(i):
    """A host's: how to start a program there, and its address."""
    name, subnet = f"jt{os.getpid()}n{i}", subnet_of(i)
    ip("netns", "add", name)
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        for netns, link, end in ((), name, 1), (("-n", name), "eth0", 2):
            ip(*netns, "addr", "add", f"{subnet}.{end}/30", "dev", link)
            ip(*netns, "link", "set", link, "up")
        yield ["nsenter", f"--net=/run/netns/{name}"], f"{subnet}.2"
    finally:
        ip("link", "delete", name, check=False)
        ip("netns", "delete", name)


class Host:
    def __init__(self, stack, folder, i, certificate):
        folder.mkdir()
        prefix, address = stack.enter_context(network(i))
        self.jvms = [(version, stack.enter_context(Version(folder / f"jvm{k}", "1", prefix, **deployed("acme/shop", version, f"shop-{i}-{k}"))))
                     for k, version in enumerate(JVMS)]
        self.agent = stack.enter_context(Agent(folder, certificate, address, prefix))


class Agent(Ordering):
    def __init__(self, folder, certificate, address, prefix):
        cert, key, ca = certificate
        self.context = ssl.create_default_context(cafile=ca)
        super().__init__(folder, "-i", "1", "--windows", "2", "--tls-cert", cert, "--tls-key", key, listen=f"{address}:0", prefix=prefix)

    def ask(self, path="/metrics", method="GET", headers=None, context=None):
        return super().ask(path, method, headers, context or self.context)


def wait_for(pairs, state):
    for agent, _, jvm in pairs:
        wait_until(lambda a=agent, j=jvm: state_of(a, j.pid) == state)


@pytest.mark.waits
def test_names_the_image_that_leaks_of_many_hosts(tmp_path):
    of = Certificates(tmp_path)
    with contextlib.ExitStack() as stack:
        hosts = [Host(stack, tmp_path / f"host{i}", i, (*of.sign(f"host{i}", "serverAuth", f"{subnet_of(i)}.2"), of.ca)) for i in range(HOSTS)]
        pairs = [(host.agent, version, jvm) for host in hosts for version, jvm in host.jvms[1:]]  # one of each image is traced
        for agent, _, jvm in pairs:
            assert agent.order(jvm.pid, 3600) == 202
        wait_for(pairs, "open")
        for _, version, jvm in pairs:
            jvm.do(IMAGES[version])
        for agent, _, jvm in pairs:
            assert agent.order(jvm.pid, 0) == 202
        wait_for(pairs, "done")
        found = diff("--by", "image", "--token-file", tmp_path / "host0/token", "--ca", of.ca, *(host.agent.url for host in hosts))
        ours = [(g["value"], g["jvms"], g["traced"]) for g in found["groups"] if g["scope"] == "acme/shop"]
        # every agent sees the JVMs of all: the processes of the hosts are one machine's, and count once
        assert ours == [("acme/shop:1.2", 2 * HOSTS, HOSTS), ("acme/shop:1.3", HOSTS, HOSTS)], ours
        assert {(s["name"], s["only_in"]) for s in found["sites"]} == {("leak_global", "acme/shop:1.3"), ("leak_weak", "acme/shop:1.3")}
        of_site = {s["name"]: {g["value"]: (g["jvms"], g["outstanding"]) for g in s["groups"]} for s in found["sites"]}
        assert of_site["leak_global"] == {"acme/shop:1.2": (0, 0), "acme/shop:1.3": (HOSTS, 14 * HOSTS)}
        assert not found["refused"]
