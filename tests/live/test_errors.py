# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Exit codes and error lines by contract."""

import os
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from harness import JNITRACE, SLOW, WARM_UP, WORK, Oracle, Tracer, assert_error, jdk, run_tool

WITHOUT_BPF = ["setpriv", "--bounding-set=-bpf,-sys_admin,-perfmon", "--inh-caps=-bpf,-sys_admin,-perfmon"]
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]


@pytest.mark.asan
@pytest.mark.parametrize("args", [
    [],
    ["--nonsense"],
    ["-p", "1one"],
    ["1234"],
    ["help", "nothing"],
    ["census", "-p", "1", "--fail-on", "error"],
    ["probes", "-p", "1", "-d", "1"],
    ["probes", "-p", "1", "--format", "folded"],
    ["-p", "0"],
    ["-p", "-5"],
    ["-p", "99999999999999999999"],
    ["-p", "1,,2"],
    ["-p", "1", "-i", "0"],
    ["-p", "1", "-i", "nan"],
    ["-p", "1", "-n", "x"],
    ["-p", "1", "-e", "nothing"],
    ["-p", "1", "--sort", "nothing"],
    ["-p", "1", "--format", "nothing"],
    ["-p", "1", "--max-refs", "0"],
    ["-p", "1", "-a"],
    ["-p", "1", "extra"],
    ["nothing", "-p", "1"],
], ids=" ".join)
def test_usage(args):
    assert_error(run_tool(*args), 2)


@pytest.mark.asan
@pytest.mark.parametrize("option", ["--help", "-h", "--version", "-V"])
def test_help_and_version(option):
    result = run_tool(option)
    assert result.returncode == 0 and result.stderr == ""
    assert "jnitrace" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


@pytest.mark.asan
def test_no_permission_for_bpf(oracle):
    assert_error(run_tool("-p", oracle.pid, "-d", "1", prefix=WITHOUT_BPF), 3)


def test_no_permission_at_all(oracle, tmp_path):
    # A copy that anyone can reach.
    assert_error(run_tool("-p", oracle.pid, "-d", "1", prefix=AS_NOBODY), 3)


class Named(Oracle):
    """An oracle that is run from a jar file of its own."""

    def __init__(self, on, jar):
        self.jar = jar
        super().__init__(on)

    def main(self, fixtures):
        return ["-jar", str(self.jar), *super().main(fixtures)[1:]]


def test_by_name(tmp_path):
    """A name that one JVM has is as good as its id; where several have it they are listed."""
    on = jdk("17")
    name = f"by-name-{os.getpid()}"
    jar = tmp_path / f"{name}.jar"
    (tmp_path / "classes").symlink_to(on.fixtures())
    with zipfile.ZipFile(jar, "w") as file:
        file.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: Oracle\nClass-Path: classes/\n")
    assert_error(run_tool("census", "-p", name), 4)
    with Named(on, jar) as one:
        one.do(*WARM_UP)
        for args in [(name,), (jar.name,), (f"{name},{one.pid}",)]:
            result = run_tool("census", "-p", *args, "--json")
            assert result.returncode == 0 and f'"pid":{one.pid},' in result.stdout, result
        result = run_tool("-p", name, "-n", "1", "-i", "0.1", "-b")
        assert result.returncode == 0 and f"tracing {one.pid}:" in result.stderr, result
        with Named(on, jar) as other:
            other.do(*WARM_UP)
            result = run_tool("census", "-p", name)
            assert_error(result, 4)
            assert f"{one.pid} {name}.jar" in result.stderr and f"{other.pid} {name}.jar" in result.stderr, result.stderr


@pytest.mark.asan
def test_no_such_process():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert_error(run_tool("-p", gone.pid, "-d", "1"), 4)
    assert_error(run_tool("probes", "-p", gone.pid), 4)


@pytest.mark.asan
def test_process_without_a_jvm():
    sleep = subprocess.Popen(["sleep", "100"])
    try:
        assert_error(run_tool("-p", sleep.pid, "-d", "1"), 4)
        assert_error(run_tool("probes", "-p", sleep.pid), 4)
    finally:
        sleep.kill()
        sleep.wait()


def elf32():
    """A 32-bit program that waits: eax = 29 (pause); int 0x80; again."""
    code = b"\xb8\x1d\x00\x00\x00\xcd\x80\xeb\xf7"
    base, header = 0x08048000, 52 + 32
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    ehdr = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + header, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    phdr = struct.pack("<IIIIIIII", 1, 0, base, base, header + len(code), header + len(code), 5, 0x1000)
    return ehdr + phdr + code


@pytest.mark.asan
def test_32_bit_target(tmp_path):
    program = tmp_path / "program32"
    program.write_bytes(elf32())
    program.chmod(0o755)
    target = subprocess.Popen([str(program)])
    try:
        result = run_tool("-p", target.pid, "-d", "1")
        assert target.poll() is None, "this kernel does not run 32-bit programs"
        assert_error(result, 4)
        assert "32" in result.stderr
    finally:
        target.kill()
        target.wait()


@pytest.mark.asan
def test_one_of_several_targets_is_missing(oracle):
    gone = subprocess.Popen(["true"])
    gone.wait()
    result = run_tool("-p", f"{oracle.pid},{gone.pid}", "-d", "1", "--json")
    assert result.returncode == 4 and str(gone.pid) in result.stderr


def test_output_that_cannot_be_written(oracle):
    oracle.do(*WARM_UP)
    result = run_tool("-p", oracle.pid, "-d", "1", "-o", "/nonexistent/file")
    assert_error(result, 1)
    result = run_tool("-p", oracle.pid, "-d", "1", "-o", "/dev/full", "--json")
    assert result.returncode == 1, result
    with Tracer("-d", "0.1", pids=[oracle.pid]) as tracer:
        tracer.end()


@pytest.mark.parametrize("args", (["--help"], ["--version"], ["help", "columns"]))
def test_help_that_cannot_be_written(args):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([str(JNITRACE), *args], stdout=full, stderr=subprocess.PIPE, text=True, timeout=SLOW, check=False)
    assert (result.returncode, result.stderr) == (1, "jnitrace: write the output: No space left on device (choose another place)\n")


def limited(limit):
    return ["bash", "-c", f'ulimit {limit}; exec "$0" "$@"']


def test_names_whatever_the_stack_limit(oracle):
    """DWARF is read by recursion."""
    with Tracer(pids=[oracle.pid], prefix=limited("-s 64")) as tracer:
        tracer.wait_tracing()
        oracle.do(*WORK[:3])
        final = tracer.stop()[oracle.pid]
    assert {f["file"] for s in final["sites"] for f in s["stack"] if f["module"] == "liboracle.so"} == {"oracle.c"}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["probes"], ["probes", "--json"], ["census"], ["-d", "0.1"],
                                  ["-d", "0.1", "--json"]], ids=" ".join)
def test_closed_stdout_is_an_error(oracle, args):
    """No output is lost without a word."""
    result = run_tool(*args, *(["-p", oracle.pid] if args[0][:3] not in ("--h", "--v") else []),
                      prefix=["bash", "-c", 'exec "$0" "$@" >&-'])
    assert result.returncode == 1 and "write the output: Bad file descriptor" in result.stderr, result


def test_closed_stdout_does_not_matter_with_a_file(oracle, tmp_path):
    result = run_tool("census", "-p", oracle.pid, "-o", tmp_path / "out", prefix=["bash", "-c", 'exec "$0" "$@" >&-'])
    assert result.returncode == 0 and "global:" in (tmp_path / "out").read_text(), result


@pytest.mark.parametrize("command", ["top", "census", "probes"])
def test_without_the_right_to_look_into_processes(oracle, command):
    """CAP_PERFMON shows the mappings, and nothing else: not a JVM, for all that one can see."""
    result = run_tool(command, "-p", oracle.pid, prefix=["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"])
    assert_error(result, 3)
    assert "needs CAP_SYS_PTRACE" in result.stderr


# What follows is process 1 of a pid namespace, as in a container. Not --mount-proc: in a plain chroot / is no mount.
AS_PROCESS_1 = ["unshare", "--pid", "--mount", "--propagation", "unchanged", "--fork", "--kill-child", "sh", "-c",
                'mount --make-rprivate /proc && mount -t proc proc /proc && exec "$@"', "sh"]


@pytest.mark.waits
@pytest.mark.parametrize("command", ["top", "census", "probes"])
def test_process_1(command):
    """
    As root: that of this machine is no JVM, or the kernel keeps it from this root, too; that of a container may be a shell, or a
    JVM like any other.
    """
    args = [command, "-p", 1, *(["-n", "1", "-i", "0.1", "-b"] if command == "top" else [])]
    try:
        Path("/proc/1/maps").read_bytes()
        code, why = 4, "not a JVM"
    except PermissionError:
        code, why = 3, "the kernel protects it, even from root"
    result = run_tool(*args)
    assert_error(result, code)
    assert why in result.stderr
    result = run_tool(*args, prefix=[*AS_PROCESS_1, "sh", "-c", '"$@"; exit $?', "sh"])
    assert_error(result, 4)
    assert ("PID 1 has not loaded its VM yet" if command == "probes" else "not a JVM") in result.stderr  # the others have waited
    with Oracle(jdk("17"), prefix=AS_PROCESS_1, prefix_forks=True) as oracle:
        assert oracle.do(*WARM_UP)["pid"] == 1
        result = run_tool(*args, prefix=["nsenter", "--target", str(oracle.pid), "--pid", "--mount", "--root"])
    assert result.returncode == 0 and ("NewGlobalRef" if command == "probes" else "HotSpot") in result.stdout, result


def test_too_few_files(oracle):
    for args, files in ((["-p", oracle.pid, "-d", "0.1"], 20), (["census", "-p", oracle.pid], 6)):
        result = run_tool(*args, prefix=limited(f"-n {files}"))
        assert_error(result, 1)
        assert "raise ulimit -n" in result.stderr


@pytest.mark.parametrize("args", [["--" + "x" * 100_000], ["-e", "y" * 100_000], ["-p", "z" * 100_000], ["w" * 100_000],
                                  ["-p", "1", "--format", "q" * 100_000]], ids=["option", "family", "name", "command", "format"])
def test_what_was_typed_is_not_repeated_whole(args):
    result = run_tool(*args)
    assert_error(result, 2)
    assert len(result.stderr) < 400
