# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
The stack of the BPF programs. A kernel lets all functions of a chain of calls have 512 bytes together, each rounded up to 32 and no
less (kernel/bpf/verifier.c, check_max_stack_depth(); since 6.13 to 16). A newer one refuses nothing that an older one would take, so
it is reckoned here as the older ones do.
"""

import os
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("JNITRACE_BUILD", "build")
STACK_BYTES, ROUNDED_BYTES = 512, 32
SECTION = re.compile(r"^Disassembly of section (\S+):$")
FUNCTION = re.compile(r"^([0-9a-f]+) <(\w+)>:$")
INSN = re.compile(r"^\s*(\d+):\s+((?:[0-9a-f]{2}\s){8,16})\s*(.*)$")
IN_FRAME = re.compile(r"\(r10 - (0x[0-9a-f]+|\d+)\)")
FRAME_POINTER = re.compile(r"^(r\d) = r10$")
BELOW = re.compile(r"^(r\d) \+= -(0x[0-9a-f]+|\d+)$")
LOCAL_CALL = "85 10 00 00 "  # of a function, by its distance; others are helpers of the kernel
RELOCATED = re.compile(r"R_BPF_64_32\s+(\S+)$")
INSN_BYTES = 8


class Function:
    def __init__(self):
        self.bytes, self.calls = 0, []

    def use(self, text):
        self.bytes = max(self.bytes, int(text, 0))


def disassembled(text):
    """({name: Function}, names of the programs: the rest are called by them only)"""
    functions, programs, starts, now, pointer, section = {}, [], {}, None, None, ".text"
    for line in text.splitlines():
        if m := SECTION.match(line):
            section = m[1]
        elif m := FUNCTION.match(line):
            if m[2].startswith("LBB"):
                continue
            now, pointer = functions.setdefault(m[2], Function()), None
            starts[section, int(m[1], 16) // INSN_BYTES] = m[2]
            if section != ".text":
                programs.append(m[2])
        elif m := RELOCATED.search(line):
            where, _ = now.calls.pop()
            now.calls.append((where, m[1]) if m[1] != ".text" else ((".text", where[2] + 1), None))
        elif m := INSN.match(line):
            if m[2].startswith(LOCAL_CALL):
                distance = int.from_bytes(bytes.fromhex(m[2])[4:8], "little", signed=True)
                now.calls.append(((section, int(m[1]) + 1 + distance, distance), None))
            for used in IN_FRAME.findall(m[3]):
                now.use(used)
            if of := FRAME_POINTER.match(m[3]):
                pointer = of[1]
            elif (of := BELOW.match(m[3])) and of[1] == pointer:
                now.use(of[2])
                pointer = None
    for f in functions.values():
        f.calls = {name or starts[where[:2]] for where, name in f.calls}
    return functions, programs


def deepest(functions, name):
    """[(bytes, name)] of the chain of calls that takes most, from this function on."""
    chains = [deepest(functions, called) for called in functions[name].calls]
    own = functions[name].bytes
    rounded = max(ROUNDED_BYTES, -(-own // ROUNDED_BYTES) * ROUNDED_BYTES)
    return [(rounded, name)] + max(chains, key=lambda c: sum(n for n, _ in c), default=[])


def too_deep(functions, programs):
    for program in programs:
        chain = deepest(functions, program)
        if (taken := sum(n for n, _ in chain)) > STACK_BYTES:
            yield f"{program} takes {taken} bytes of stack: " + ", ".join(f"{name} {n}" for n, name in chain)


def test_every_program_has_room_on_the_stack():
    argv = ["llvm-objdump", "-d", "-r", BUILD / "bpf/jnitrace.bpf.o"]
    functions, programs = disassembled(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    assert "jt_call" in programs and len(programs) > 10
    chain = [name for _, name in deepest(functions, "jt_call")]
    assert len(chain) > 3 and functions["unwind_find"].bytes > 0  # else this reads nothing
    assert list(too_deep(functions, programs)) == []


def test_what_is_too_deep_is_told_with_its_functions():
    functions, programs = disassembled("""
Disassembly of section .text:
0000000000000000 <leaf>:
       0:	7b 1a bf ff 00 00 00 00	*(u64 *)(r10 - 65) = r1
0000000000000010 <middle>:
       2:	bf a2 00 00 00 00 00 00	r2 = r10
       3:	07 02 00 00 00 ff ff ff	r2 += -256
       4:	85 10 00 00 fb ff ff ff	call -5
Disassembly of section uprobe:
0000000000000000 <good>:
       0:	85 10 00 00 ff ff ff ff	call -1
		0000000000000000:  R_BPF_64_32	middle
       1:	85 10 00 00 01 00 00 00	call 1
		0000000000000008:  R_BPF_64_32	.text
0000000000000010 <LBB1_2>:
       2:	07 03 00 00 70 fe ff ff	r3 += -400
0000000000000018 <bad>:
       3:	63 1a 64 ff 00 00 00 00	*(u32 *)(r10 - 0x9c) = r1
       4:	85 00 00 00 70 00 00 00	call 112
       5:	85 10 00 00 ff ff ff ff	call -1
		0000000000000028:  R_BPF_64_32	middle
""")
    assert functions["good"].calls == functions["bad"].calls == {"middle"} and functions["middle"].calls == {"leaf"}
    assert programs == ["good", "bad"]
    assert list(too_deep(functions, programs)) == []
    functions["bad"].use("161")
    assert list(too_deep(functions, programs)) == ["bad takes 544 bytes of stack: bad 192, middle 256, leaf 96"]
