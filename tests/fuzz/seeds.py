#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What fuzz targets start from whose input has parts. Usage: seeds.py FOLDER: FOLDER/NAME/SEED of each target NAME there."""

import struct
import sys
from pathlib import Path

MAPS = b"""\
55d0c5a00000-55d0c5a01000 r-xp 00000000 08:01 1311    /usr/lib/jvm/java-17/bin/java
7f1c40000000-7f1c40021000 rw-p 00000000 00:00 0
7f1c5e000000-7f1c5f200000 r-xp 00001000 08:01 1312    /srv/root/usr/lib/jvm/java-17/lib/server/libjvm.so
7f1c60000000-7f1c60001000 r--s 00000000 00:1f 77      /tmp/with\\012newline.so (deleted)
7ffd2a5c0000-7ffd2a5e1000 rw-p 00000000 00:00 0       [stack]
"""
STAT = b"4242 (java) x) S 1 4242 4242 0 -1 4194560 3021 0 0 0 12 4 0 0 20 0 23 0 123456 98765 4321 18446744073709551615"
STATUS = b"Name:\tjava\nNSpid:\t4242\t7\nUid:\t1000\t1001\t1000\t1000\nThreads:\t23\n"
CGROUP = b"12:cpu,cpuacct:/\n0::/system.slice/docker-" + b"0123456789abcdef" * 4 + b".scope\n"
COMMANDS = [b"java\0-Xmx1g\0-cp\0/opt/a.jar:/opt/b.jar\0--add-opens\0a/b=ALL\0com.acme.Main\0arg\0", b"java\0-jar\0/srv/app.jar\0",
            b"java\0-m\0acme/com.acme.Main\0", b"java\0@options\0-Dx=\xff\x1b[2J\0Main\0"]
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1001:1001::/:\n"


def part(p):
    return struct.pack("<H", len(p)) + p


def auxv(*pairs):
    return b"".join(struct.pack("<QQ", *p) for p in (*pairs, (0, 0)))


def seeds_proc():
    for i, command in enumerate(COMMANDS):
        files = [MAPS, STAT, STATUS, CGROUP, command, PASSWD, b"pool-1-thread-1\n", b"1234567 89 3\n", auxv((3, 0x40), (5, 13)),
                 b"OTEL_RESOURCE_ATTRIBUTES=service.name=a%2Fb,container.image.name=c,container.image.tags=1\0POD_NAME=d\0"]
        yield f"command{i}", b"".join(map(part, files))


def seeds_linker():
    start, at = 0x10000, 0x40
    headers = struct.pack("<IIQQQQQQ", 6, 4, 0x40, 0x40, 0, 112, 112, 8) + struct.pack("<IIQQQQQQ", 2, 6, 0x100, 0x100, 0, 64, 64, 8)
    dynamic = struct.pack("<QQQQQQ", 1, 1, 21, start + 0x180, 0, 0)
    debug = struct.pack("<QQQQ", 1, 0, 0x7F0000001000, 0)
    memory = (b"\0" * at + headers).ljust(0x100, b"\0") + dynamic.ljust(0x80, b"\0") + debug + b"\0" * 64
    yield "program", part(auxv((3, start + at), (4, 56), (5, 2))) + memory


def seeds_perf():
    entries = b""
    for name in (b"java.cls.loadedClasses", b"java.cls.unloadedClasses"):
        entries += struct.pack("<IIIBBBBI", 64, 20, 0, ord("J"), 0, 0, 0, 56) + name.ljust(36, b"\0") + struct.pack("<Q", 3)
    yield "counters", struct.pack("<IBBBBIIQII", 0xC0C0FECA, 1, 2, 0, 1, 32 + len(entries), 0, 0, 32, 2) + entries


def seeds_package():
    path, listed = b"/usr/lib/libthumb.so.1", b"/.\n/lib/libthumb.so.1\n/usr/lib/libother.so\n"
    dpkg = b"Package: p\nArchitecture: i386\nVersion: 1\n\nPackage: p\nArchitecture: amd64\nVersion: 1.2-3\nDescription: x\n\n"
    apk = b"P:thumb\nV:1.2-r3\nF:usr/lib\nR:libthumb.so.1\nF:etc\nR:thumb.conf\n\nP:next\nV:2\n"
    yield "dpkg", part(path) + part(listed) + dpkg
    yield "apk", part(path) + part(b"/.\n") + apk


def note(args, provider=b"hotspot", name=b"NewGlobalRef__entry", address=0x400200):
    text = struct.pack("<QQQ", address, 0, 0) + provider + b"\0" + name + b"\0" + args + b"\0"
    return struct.pack("<III", 8, len(text), 3) + b"stapsdt\0" + text.ljust(-(-len(text) // 4) * 4, b"\0")


def seeds_usdt():
    yield "x86", b"\0" + note(b"8@%rdi -8@-24(%rbp) -4@%esi 8@(%r15)") + note(b"8@$5 4@%r8d", name=b"other")
    yield "arm64", b"\1" + note(b"8@x0 8@[sp, 8] -4@w19 8@[x29, -16] 8@[sp]")


def seeds_insn():
    yield "x86", b"\0" + bytes.fromhex("f30f1efa 554889e5 4881ec00100000 660f1f440000 48b80102030405060708 e900000000 f644240801 c3")
    yield "arm64", b"\1" + bytes.fromhex("5f2403d5 3f2303d5 fd7bbea9 fd030091 00000094 c0035fd6")


def unsigned5(v, excluded):
    """As the VM writes numbers (user/runtime/hotspot/methods.h); excluded: 1 from JDK 20 on."""
    out = b""
    while v >= 192 - excluded:
        out += bytes([192 + (v - 192 + excluded) % 64])
        v = (v - out[-1] + excluded) >> 6
    return out + bytes([v + excluded])


def seeds_scopes():
    for version in (0, 1):
        inner = b"\1" + b"".join(unsigned5(v, version) for v in (0, 1, 6))   # sender, method, bci + 1
        outer = b"".join(unsigned5(v, version) for v in (1, 2, 1)) + b"".join(unsigned5(v, version) for v in (len(inner), 1, 300))
        pcs = b"".join(struct.pack("<IIII", pc, scope, 0, 0) for pc, scope in ((4, 1), (8, len(inner)), (12, len(inner) + 3), (16, 0)))
        lines = bytes([8 * 3 + 1, 8 * 4 + 2, 0xFF]) + unsigned5(60, version) + unsigned5(7, version) + b"\0"
        yield f"version{version}", bytes([version, 0]) + part(pcs) + part(inner + outer) + part(lines)
        yield f"changed{version}", bytes([version, 2]) + struct.pack("<HIHI", 0x18, 2, 0x60, 9) + part(pcs) + part(inner + outer) + part(lines)


def seeds_helper():
    line = struct.pack("<i??", 7, True, True) + b"function".ljust(1025, b"\0") + b"outer::".ljust(256, b"\0") + b"file.c".ljust(259, b"\0")
    for n in (1, 2):
        yield f"answers{n}", part(struct.pack("<i", 0)) + part(struct.pack("<i", n) + line * n) * 2
    yield "refuses", part(struct.pack("<i", -122))


class Memory:
    """Of a process, from START on: put() says where the words and bytes of an object are."""
    START = 0x10000

    def __init__(self):
        self.bytes = b""

    def put(self, *parts):
        at = self.START + len(self.bytes)
        data = b"".join(p if isinstance(p, bytes) else struct.pack("<Q", p & (2**64 - 1)) for p in parts)
        self.bytes += data + b"\0" * (-len(data) % 8)
        return at

    def seed(self, which, at, place=0):
        return struct.pack("<BHI", which, (at - self.START) // 8, place and place - self.START) + self.bytes


def fields(size, words):
    """An object of this size with words at these offsets: (format, value), or 8 bytes."""
    data = bytearray(size)
    for at, word in words.items():
        struct.pack_into(*(("<" + word[0], data, at, word[1]) if isinstance(word, tuple) else ("<Q", data, at, word)))
    return bytes(data)


def v8_string(m, maps, text):
    return m.put(maps["string"] + 1, struct.pack("<II", 0, len(text)), text) + 1


def of_v8(which, shared_name, shared_script, types, place_first):
    m = Memory()
    maps = {name: m.put(0x7001, struct.pack("<IHH", 0, number, 0)) for name, number in {"string": 8, "cons": 1, "script": 167, **types}.items()}
    script = m.put(maps["script"] + 1, v8_string(m, maps, b"\n\nfunction leak() {\n}\n"), v8_string(m, maps, b"/srv/app.js")) + 1
    name, local = v8_string(m, maps, b"leak"), v8_string(m, maps, b"x")
    place, variables = (2 << 32, 20 << 32), (local, 7 << 32, name, -1 << 32)
    scope = m.put(maps["scope"] + 1, 0, 0, 1 << 32, *(place + variables if place_first else variables + place), 0, 0, *[0] * 12) + 1
    both = m.put(maps["cons"] + 1, struct.pack("<II", 0, 8), name, name) + 1
    for kind, what in (("plain", name), ("scope", scope), ("cons", both)):
        shared = m.put(fields(64, {0: maps["shared"] + 1, shared_name: what, shared_script: script}))
        yield f"v8-{which}-{kind}", m.seed(which, shared)


def of_ruby(which, insns_info, length_in_string):
    m = Memory()

    def string(text):
        return m.put(5, len(text), text) if length_in_string else m.put(5 | len(text) << 14, text)

    label, path = string(b"block in leak"), string(b"/srv/a.rb")
    array = m.put(7 | 1 << 13, 0, path, path)
    entries = m.put(*[struct.pack("<iII", line, 0, 0) for line in range(3, 90)])
    table = m.put(*[0x0123456789ABCDEF] * 6, *[3, 5, 0x5555, 1, 2, 3, 4, 5, 6, 7] * 2)
    for n, file in ((1, path), (87, array)):
        code = m.put(0x8000, *[0] * 99)
        body = m.put(fields(168, {4: ("I", 100), 8: code, 64: file, 80: label, 88: ("I", 3), insns_info: entries, insns_info + 16: ("I", n), insns_info + 24: table}))
        for place in (0, 9, 70):
            yield f"ruby-{which}-{n}-{place}", m.seed(which, body, code + 8 * place + 8)


def of_python(which, first_line, stack_size, instructions, ascii_bytes):
    m = Memory()

    def string(text, state=4 | 32 | 64):
        return m.put(fields(ascii_bytes, {16: len(text), 32: ("I", state)}) + text)

    name, file = string(b"Texture.__init__"), string(b"/srv/driver.py")
    rows = m.put(fields(32, {16: 12}) + bytes([0x80 | 13 << 3 | 1, 2, 0x80 | 10 << 3, 1, 2, 0x80 | 14 << 3, 0x42, 1, 0, 1, 1, 0x80 | 15 << 3]))
    code = m.put(fields(instructions + 64, {8: 0x7008, first_line: ("i", 7), stack_size: ("i", 3), 112: file, 128: name, 136: rows}))
    for unit in (0, 2, 3, 20):
        yield f"python-{which}-{unit}", m.seed(which, code, code + instructions + 2 * unit)


def seeds_scripts():
    yield from of_v8(0, 16, 32, {"shared": 262, "scope": 261}, False)
    yield from of_v8(1, 24, 40, {"shared": 282, "scope": 280}, True)
    yield from of_ruby(2, 120, False)
    yield from of_ruby(3, 112, True)
    yield from of_python(4, 72, 68, 184, 48)
    yield from of_python(5, 68, 64, 200, 40)


for name, seeds in [(n[6:], f) for n, f in globals().items() if n.startswith("seeds_")]:
    folder = Path(sys.argv[1]) / name
    if folder.is_dir():
        for seed, data in seeds():
            (folder / seed).write_bytes(data)
