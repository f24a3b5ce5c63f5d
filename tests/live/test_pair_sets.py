# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sets of --pairs on the real libraries: each function of each set, in numbers that no two families share; a twin that keeps nothing."""

import contextlib
import subprocess

import pytest

from harness import FIXTURES, Tracer, assert_no_losses, jdk, read_line, wait_until
from test_pairs import numbers
from test_run import run_report

COMMON = """
import ctypes, os, struct, sys
from ctypes import byref, c_void_p as p

def library(name):
    lib = ctypes.CDLL(name)
    def call(function, *args):
        f = getattr(lib, function)
        f.restype = p
        return f(*(p(a) if isinstance(a, int) or a is None else a for a in args))
    return call

def serve(families):
    # Of the nth family: n + 3 are kept, unless all are to go, and 2 come and go; made by its makers in turn.
    print("ready", flush=True)
    for line in sys.stdin:
        for n, (makers, takers, fail) in enumerate(families):
            for i in range(n + 3 + 2):
                handle = makers[i % len(makers)]()
                assert handle, (n, i)
                if i < 2 or line == "all\\n":
                    takers[i % len(takers)](handle)
            if fail:
                fail()
        print("done", flush=True)
"""
LIBRARIES = COMMON + """
ssl, z, curl = library("libssl.so.3"), library("libz.so.1"), library("libcurl.so.4")
context = ssl("SSL_CTX_new", ssl("TLS_method"))
def shared(handle, up, down):
    assert ssl(up, handle) and not ssl(down, handle)
    ssl(down, handle)
def stream(function, *args):
    s = ctypes.create_string_buffer(112)
    keep.append(s)
    return 0 if z(function, s, *args) else ctypes.addressof(s)
keep = []
source = {"deflate": stream("deflateInit_", 1, b"1", 112), "inflate": stream("inflateInit_", b"1", 112)}
def copy(which):
    return stream(which + "Copy", source[which])
template = curl("curl_easy_init")
null = os.open("/dev/null", os.O_RDWR)
serve([
    ([lambda: ssl("SSL_new", context), lambda: ssl("SSL_dup", first_ssl)], [lambda h: shared(h, "SSL_up_ref", "SSL_free")], lambda: ssl("SSL_new", 0)),
    ([lambda: ssl("SSL_CTX_new", ssl("TLS_method")), lambda: ssl("SSL_CTX_new_ex", 0, None, ssl("TLS_method"))],
     [lambda h: shared(h, "SSL_CTX_up_ref", "SSL_CTX_free")], lambda: ssl("SSL_CTX_new", 0)),
    ([lambda: stream("deflateInit_", 1, b"1", 112), lambda: stream("deflateInit2_", 1, 8, 15, 8, 0, b"1", 112), lambda: copy("deflate")],
     [lambda h: z("deflateEnd", h)], lambda: stream("deflateInit_", 1, b"0", 112)),
    ([lambda: stream("inflateInit_", b"1", 112), lambda: stream("inflateInit2_", 15, b"1", 112), lambda: copy("inflate")],
     [lambda h: z("inflateEnd", h)], lambda: stream("inflateInit_", b"0", 112)),
    ([lambda: z("gzopen", b"/dev/null", b"r"), lambda: z("gzdopen", os.dup(null), b"r"), lambda: z("gzopen64", b"/dev/null", b"r")],
     [lambda h: z("gzclose", h), lambda h: z("gzclose_r", h)], lambda: z("gzopen", b"/no/such/file", b"r")),
    ([lambda: ("easy", curl("curl_easy_init")), lambda: ("multi", curl("curl_multi_init")), lambda: ("easy", curl("curl_easy_duphandle", template))],
     [lambda h: curl(f"curl_{h[0]}_cleanup", h[1])], None),
])
"""
VULKAN = COMMON + """
vk = ctypes.CDLL("libvulkan.so.1")
def make(what, owner, info):
    out, data = p(), ctypes.create_string_buffer(info, len(info))
    function = getattr(vk, "vkAllocateMemory" if what == "Memory" else "vkCreate" + what)
    rc = function(*([p(owner)] if owner else []), data, None, byref(out))
    return 0 if rc else out.value
def take(what, handle, owner=None):
    getattr(vk, "vkFreeMemory" if what == "Memory" else "vkDestroy" + what)(*([p(owner)] if owner else []), p(handle), None)
layer = ctypes.create_string_buffer(b"no such layer")
names = (p * 1)(ctypes.addressof(layer))
def instance(nr_layers=0):
    return make("Instance", None, struct.pack("<IxxxxQQQQQQQ", 1, 0, 0, 0, nr_layers, ctypes.addressof(names), 0, 0))
def devices():
    n, found = ctypes.c_uint32(1), p()
    assert vk.vkEnumeratePhysicalDevices(p(first), byref(n), byref(found)) in (0, 5)
    return found.value
first = instance()
priority = ctypes.c_float(1)
queue = ctypes.create_string_buffer(struct.pack("<IxxxxQIIIxxxxQ", 2, 0, 0, 0, 1, ctypes.addressof(priority)))
machine = devices()
def device():
    return make("Device", machine, struct.pack("<IxxxxQIIQIxxxxQIxxxxQQ", 3, 0, 0, 1, ctypes.addressof(queue), 0, 0, 0, 0, 0))
main = device()
def of_device(what, info):
    return [lambda: make(what, main, info)], [lambda h: take(what, h, main)], None
serve([
    ([instance], [lambda h: take("Instance", h)], lambda: instance(1)),
    ([device], [lambda h: take("Device", h)], None),
    of_device("Memory", struct.pack("<IxxxxQQIxxxx", 5, 0, 256, 0)),
    of_device("Buffer", struct.pack("<IxxxxQIxxxxQIIIxxxxQ", 12, 0, 0, 256, 16, 0, 0, 0)),
    of_device("Image", struct.pack("<IxxxxQIIIIIIIIIIIIIxxxxQIxxxx", 14, 0, 0, 1, 37, 4, 4, 1, 1, 1, 1, 0, 4, 0, 0, 0, 0)),
    of_device("CommandPool", struct.pack("<IxxxxQII", 39, 0, 0, 0)),
    of_device("Fence", struct.pack("<IxxxxQIxxxx", 8, 0, 0)),
    of_device("Semaphore", struct.pack("<IxxxxQIxxxx", 9, 0, 0)),
])
"""
SETS = {
    "openssl,zlib,curl": (LIBRARIES.replace("serve([", 'first_ssl = ssl("SSL_new", context)\nserve([', 1),
                          "ssl ssl-ctx zlib-deflate zlib-inflate zlib-file curl"),
    "vulkan": (VULKAN, "vulkan vulkan-device vulkan-memory vulkan-buffer vulkan-image vulkan-pool vulkan-fence vulkan-semaphore"),
}
NOT_CALLED = {"gzclose_w"}  # of what is written


@contextlib.contextmanager
def program(script):
    env = {"VK_ICD_FILENAMES": "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(["/usr/bin/python3", "-c", script], env=env, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert read_line(process.stdout) == "ready\n"

        def do(line):
            process.stdin.write(f"{line}\n".encode())
            assert read_line(process.stdout) == "done\n"

        yield process.pid, do
        process.kill()


@pytest.mark.parametrize("sets", SETS)
def test_a_set_counts_what_its_library_gives(sets):
    script, families = SETS[sets]
    with program(script) as (pid, do), Tracer("--pairs", sets, pids=[pid]) as tracer:
        tracer.wait_tracing()
        do("all")  # nothing stays
        wait_until(lambda: any(r["families"].get(families.split()[0], {}).get("released") for r in tracer.reports()))
        twin = tracer.reports()[-1]
        do("some")
        report = tracer.stop()[pid]
    assert all(f["outstanding"] == 0 for name, f in twin["families"].items() if name in families.split()) and twin["findings"] == []
    assert_no_losses(report)
    # a connection has two references to its context, which is one from before attach
    untracked = {"ssl-ctx": 2 * (5 + 2)}
    assert numbers(report) == {name: (2 * (n + 5), n + 5 + 2, n + 3, untracked.get(name, 0)) for n, name in enumerate(families.split())}
    assert report["findings"] == []
    assert {function for function, calls in report["calls"].items() if not calls} <= NOT_CALLED


THREADS = """
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *come_and_go(void *twice)
{
	void *p[17];

	for (int i = 0; i < 17; i++)
		p[i] = malloc(16 * (i + 1));
	for (int i = 0; i < 17; i++)
		free(p[i]); /* into the thread's cache, which the C library frees once more at its end */
	if (twice)
		free(p[3]);
	return NULL;
}

int main(int argc, char **argv)
{
	for (int n = 0; n < 5; n++) {
		pthread_t t;

		pthread_create(&t, NULL, come_and_go, argc > 1 && n == 4 ? argv : NULL);
		pthread_join(t, NULL);
	}
	return 0;
}
"""


def test_what_the_c_library_does_when_a_thread_ends(tmp_path):
    """It releases what its cache has, once more, and the cache itself, which nobody was given: no program's fault."""
    (tmp_path / "threads.c").write_text(THREADS)
    program = tmp_path / "threads"
    subprocess.run(["gcc", "-g", "-O1", "-fno-builtin", "-w", "-o", program, tmp_path / "threads.c"], check=True)
    result, [report] = run_report("--pairs", "malloc", command=[program])
    assert result.returncode == 0, result
    assert report["findings"] == [] and not any(report["drops"].values()), report["findings"]
    assert report["calls"]["malloc"] >= 5 * 17 and report["calls"]["free"] >= 2 * 5 * 17, report["calls"]
    result, [report] = run_report("--pairs", "malloc", command=[program, "twice"])
    [finding] = report["findings"]
    assert (finding["kind"], finding["count"]) == ("double-release", 1) and finding["stack"][0]["symbol"] == "come_and_go", finding
