# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""scripts/rooms.py on a copy of the tree with a planted fault, which it must find, and no other."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
import rooms  # noqa: E402

BUILD = TOP / os.environ.get("JNITRACE_BUILD", "build")


class House:
    """A copy of the sources, and of the objects that the check reads."""

    def __init__(self, top, before):
        self.top, self.build, self.before = top, top / "build", before
        for side in ("user", "bpf"):
            shutil.copytree(TOP / side, top / side)
            shutil.copytree(BUILD / side, self.build / side, copy_function=os.symlink)

    def faults(self):
        return set(rooms.faults(self.top, self.build))

    def found(self):
        return self.faults() - self.before

    def write(self, name, text):
        (self.top / name).parent.mkdir(parents=True, exist_ok=True)
        (self.top / name).write_text(text)

    def append(self, name, text):
        file = self.top / name
        assert file.exists(), f"{name} is no more: choose another file for this test"
        file.write_text(file.read_text() + text)

    def compile(self, name, text):
        """A source that stands for itself, with its object."""
        self.write(name, text)
        obj = (self.build / name).with_suffix(".o")
        obj.unlink(missing_ok=True)
        subprocess.run(["gcc", "-c", "-o", obj, self.top / name], check=True)


@pytest.fixture(scope="module")
def before():
    return set(rooms.faults(TOP, BUILD))


@pytest.fixture
def house(tmp_path, before):
    return House(tmp_path, before)


def test_copy_has_no_other_faults(house):
    assert house.found() == set()


def test_include_of_a_room_above(house):
    house.append("user/judge/history.h", '#include "run/target.h"\n')
    assert "user/judge/history.h: includes user/run/target.h, which its room may not use" in house.found()


def test_extern_call(house):
    """No include shows it: only the object does."""
    house.compile("user/run/planted.c", "int planted_above(void) { return 1; }\n")
    house.compile("user/base/planted.c", "extern int planted_above(void);\nint planted(void) { return planted_above(); }\n")
    assert house.found() == {"user/base/planted.c: uses planted_above() of user/run/planted.c, which its room may not use"}


def test_extern_variable(house):
    house.compile("user/run/planted.c", "int planted_state;\n")
    house.compile("user/judge/planted.c", "extern int planted_state;\nint planted(void) { return planted_state; }\n")
    assert house.found() == {"user/judge/planted.c: uses planted_state() of user/run/planted.c, which its room may not use"}


@pytest.mark.parametrize("name", ("user/planted.c", "user/attic/planted.c", "user/view/deep/planted.h", "bpf/attic/planted.bpf.h",
                                  "bpf/books/deep/planted.bpf.h", "user/runtime/x/y/planted.c"))
def test_file_in_no_room(house, name):
    house.write(name, "")
    assert f"{name}: is in no room (scripts/rooms.py)" in house.found()


def test_circle_of_includes(house):
    house.write("user/base/planted_a.h", '#include "base/planted_b.h"\n')
    house.write("user/base/planted_b.h", '#include "base/planted_a.h"\n')
    assert house.found() == {"a circle: user/base/planted_a user/base/planted_b"}


def test_circle_of_calls(house):
    """Within one room, through three files, and by symbols alone."""
    for a, b in ("xy", "yz", "zx"):
        house.compile(f"user/base/planted_{a}.c", f"void planted_{b}(void);\nvoid planted_{a}(void) {{ planted_{b}(); }}\n")
    assert house.found() == {"a circle: user/base/planted_x user/base/planted_y user/base/planted_z"}


def test_circle_in_bpf(house):
    house.write("bpf/walk/planted_a.bpf.h", '#include "planted_b.bpf.h"\n')
    house.write("bpf/walk/planted_b.bpf.h", '#include "walk/planted_a.bpf.h"\n')
    assert house.found() == {"a circle: bpf/walk/planted_a bpf/walk/planted_b"}


def test_bpf_room_above(house):
    house.write("bpf/walk/planted.bpf.h", '#include "books/pins.bpf.h"\n')
    assert "bpf/walk/planted.bpf.h: includes bpf/books/pins.bpf.h, which its room may not use" in house.found()


@pytest.mark.parametrize("text", ("/* as HotSpot does */\n", 'static const char name[] = "libjvm.so";\n', "int hotspot_planted;\n"))
@pytest.mark.parametrize("name", ("user/kernel/planted.h", "user/runtime/planted.h", "bpf/walk/planted.bpf.h"))
def test_word_of_a_runtime(house, name, text):
    house.write(name, text)
    assert house.found() == {f"{name}: speaks of hotspot, which only its own folder may"}


def test_runtime_uses_another(house):
    house.write("user/runtime/planted/planted.h", '#include "runtime/hotspot/hotspot.h"\n')
    assert "user/runtime/planted/planted.h: includes user/runtime/hotspot/hotspot.h, which its room may not use" in house.found()


def test_include_of_a_runtime(house):
    """Even a room that may use runtime/ sees runtimes by their row only."""
    house.write("user/run/other.h", '#include "runtime/planted/rows.h"\n')
    house.write("user/runtime/planted/rows.h", "")
    assert "user/run/other.h: includes user/runtime/planted/rows.h, which its room may not use" in house.found()


@pytest.mark.parametrize("line", ("#include <bpf/libbpf.h>", '#include "bpf/bpf.h"', '#include "jnitrace.skel.h"', "# include <linux/bpf.h>"))
def test_libbpf_outside_its_room(house, line):
    house.write("user/run/planted.h", line + "\n")
    assert "user/run/planted.h: only kernel/ may include libbpf" in house.found()


def test_missing_object(house):
    source = min((house.top / "user/base").glob("*.c")).relative_to(house.top)
    (house.build / source.with_suffix(".o")).unlink()
    assert any(f.startswith(f"{source}: no ") and f.endswith("build it first (make)") for f in house.found())


def test_include_that_leads_nowhere(house):
    house.write("user/run/planted.h", '#include "attic/planted.h"\n')
    assert house.found() == {"user/run/planted.h: includes attic/planted.h, which is no file of the house"}


def test_room_that_is_gone(house):
    shutil.rmtree(house.top / "user/sites")
    assert "scripts/rooms.py: user/sites is not there" in house.found()


def test_border_uses_nobody(house):
    house.write("bpf/border/planted.h", '#include "user/base/util.h"\n')
    assert "bpf/border/planted.h: includes user/base/util.h, which its room may not use" in house.found()


@pytest.mark.parametrize("line", ('#include"run/target.h"', '/**/ #include "run/target.h"', '#include /**/ "run/target.h"', '%:include "run/target.h"',
                                  '#\\\ninclude "run/target.h"', '#include_next "run/target.h"', '#import "run/target.h"', "#define PLANTED \"run/target.h\"\n#include PLANTED",
                                  "#include <../user/run/target.h>", '#include "base/../run/target.h"', '#include "../run/target.h"',
                                  "#include <bpf/maps.bpf.h>", '#include "../run/planted.skel.h"', '#include "planted.txt"',
                                  'char a[] = "/*";\n#include "run/target.h"\nchar b[] = "*/";',
                                  "#define A '\"'\n#include \"run/target.h\"\n#define B '\"'",
                                  "#include <./bpf/bpf.h>", "#include <linux//bpf.h>", '#include /**/ <bpf/bpf.h>', '#include/**/"jnitrace.skel.h"',
                                  '#include "tests/unit/planted.h"', '??=include "run/target.h"'))
def test_include_in_another_form(house, line):
    """What the compiler takes, the check takes, too, or refuses."""
    house.write("user/run/planted.skel.h", "")
    house.write("user/base/planted.h", line + "\n")
    assert any(fault.startswith("user/base/planted.h: ") for fault in house.found())


def test_include_of_a_source(house):
    house.write("user/base/planted.h", '#include "run/targets.c"\n')
    assert house.found() == {"user/base/planted.h: includes user/run/targets.c, which is a source, no header",
                             "user/base/planted.h: includes user/run/targets.c, which its room may not use"}


def test_weak_extern_call(house):
    house.compile("user/run/planted.c", "int planted_above(void) { return 1; }\n")
    house.compile("user/base/planted.c",
                  "__attribute__((weak)) int planted_above(void);\nint planted(void) { return planted_above ? planted_above() : 0; }\n")
    assert house.found() == {"user/base/planted.c: uses planted_above() of user/run/planted.c, which its room may not use"}


def test_extern_ifunc(house):
    house.compile("user/run/planted.c", "static int one(void) { return 1; }\nstatic void *choose(void) { return one; }\n"
                                        'int planted_above(void) __attribute__((ifunc("choose")));\n')
    house.compile("user/base/planted.c", "extern int planted_above(void);\nint planted(void) { return planted_above(); }\n")
    assert house.found() == {"user/base/planted.c: uses planted_above() of user/run/planted.c, which its room may not use"}


def test_symbol_of_two_files(house):
    """The linker takes one, and the file that has the other calls into that one."""
    house.compile("user/run/planted.c", "int planted_both(void) { return 1; }\n")
    house.compile("user/base/planted.c", "__attribute__((weak)) int planted_both(void) { return 0; }\nint planted(void) { return planted_both(); }\n")
    assert house.found() == {"user/run/planted.c: defines planted_both, as user/base/planted.c does"}


def test_libbpf_by_symbol(house):
    house.compile("user/run/planted.c", "extern int bpf_map_freeze(int);\nint planted(void) { return bpf_map_freeze(0); }\n")
    assert house.found() == {"user/run/planted.c: uses bpf_map_freeze() of libbpf, which only kernel/ may"}


def test_bpf_system_call(house):
    house.compile("user/run/planted.c", "#include <sys/syscall.h>\n#include <unistd.h>\nlong planted(void) { return syscall(SYS_bpf, 0, 0, 0); }\n")
    assert house.found() == {"user/run/planted.c: only kernel/ may include libbpf"}


def test_libbpf_by_a_header(house):
    """A header of kernel/ hands it to a room that includes it."""
    house.write("user/kernel/planted.h", "#include <bpf/libbpf.h>\n")
    house.write("user/run/planted_a.h", '#include "kernel/planted.h"\n')
    house.write("user/run/planted_b.h", '#include "run/planted_a.h"\n')
    assert house.found() == {"user/run/planted_a.h: only kernel/ may include libbpf, here by user/kernel/planted.h",
                             "user/run/planted_b.h: only kernel/ may include libbpf, here by user/kernel/planted.h"}


@pytest.mark.parametrize("line", ("#include <curses.h>", "#include <ncursesw/ncurses.h>", '#include "term.h"'))
def test_curses_outside_its_file(house, line):
    house.write("user/screen/planted.h", f"{line}\n")
    assert "user/screen/planted.h: only user/screen/terminal.c may include curses" in house.found()


def test_stale_object(house):
    house.compile("user/base/planted.c", "int planted(void) { return 0; }\n")
    os.utime(house.build / "user/base/planted.o", (0, 0))
    assert house.found() == {f"user/base/planted.c: {house.build}/user/base/planted.o is older: build it first (make)"}


def test_stale_object_of_a_header(house):
    header = house.top / "user/base/hash.h"
    os.utime(header, (2**32, 2**32))
    assert f"user/base/hash.c: {house.build}/user/base/hash.o is older than user/base/hash.h: build it first (make)" in house.found()


def test_object_without_symbols(house):
    """As those of -flto are, for an nm without its plugin."""
    house.compile("user/base/planted.c", "static int planted __attribute__((unused));\n")
    assert house.found() == {f"user/base/planted.c: {house.build}/user/base/planted.o defines no symbol"}


@pytest.mark.parametrize("name", ("user/base/planted.inc", "user/run/planted.S", "user/base/planted.cc", "bpf/walk/planted.txt", "user/planted"))
def test_file_of_another_kind(house, name):
    house.write(name, "")
    assert house.found() == {f"{name}: is no .c, .h, .def or .proto"}


def test_link(house):
    (house.top / "user/base/planted.h").symlink_to("../run/target.h")
    assert "user/base/planted.h: is a link" in house.found()


def test_linked_folder(house):
    (house.top / "user/attic").symlink_to("run")
    assert house.found() == {"user/attic: is a link"}


@pytest.mark.parametrize("line", ('#include "user/base/util.h"', "#include <../user/base/util.h>", '#include "base/util.h"'))
def test_bpf_uses_user(house, line):
    house.write("bpf/walk/planted.bpf.h", line + "\n")
    assert any(fault.startswith("bpf/walk/planted.bpf.h: ") for fault in house.found())


def test_words_of_a_new_runtime(house):
    """A runtime without a row of words has its folder's name as its word."""
    house.write("user/runtime/planted/planted.h", "")
    house.write("user/run/other.h", "/* as Planted does */\n")
    assert house.found() == {"user/run/other.h: speaks of planted, which only its own folder may"}


def test_word_in_a_name(house):
    house.write("user/run/hotspot_planted.h", "")
    assert house.found() == {"user/run/hotspot_planted.h: speaks of hotspot, which only its own folder may"}


@pytest.mark.parametrize("name", ("libj\" \"vm.so", "lib\" \"jvm.so"))
def test_word_in_pieces(house, name):
    house.write("user/kernel/planted.h", f'static const char name[] = "{name}";\n')
    assert house.found() == {"user/kernel/planted.h: speaks of hotspot, which only its own folder may"}
