# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
The screen, in a real terminal, of recordings made by hand: so every character of it is known. What is to be seen are the
files of tests/golden/screen.
"""

import re
import subprocess
import time

import pytest

import newcomer
import pictures
import recorded
from harness import SLOW, TOP, run_tool, wait_until
from tmux import Tmux


@pytest.fixture(scope="module")
def leak(tmp_path_factory):
    return recorded.leak(tmp_path_factory.mktemp("screen") / "leak.jtr")


def opened(file, columns, rows, *args, env=None):
    return Tmux(columns, rows, "report", file, *args, env=env)


def test_screens_at_80x24(leak):
    with opened(leak, 80, 24) as t:
        t.expect("leak-80x24")
        t.keys("Enter")
        t.expect("site-80x24")
        t.keys("NPage")
        t.expect("site-end-80x24")
        t.keys("Escape", "f")
        t.expect("findings-80x24")
        t.keys("?")
        t.expect("help-80x24")
        t.keys("Escape", "Escape", "g", "g")
        t.expect("class-80x24")
        t.keys("g")
        t.expect("library-80x24")
        t.keys("7")
        t.expect("caller-80x24")
        t.keys("1", "/", "java:25")
        t.expect("typing-80x24")


def test_screens_at_120x40(leak):
    with opened(leak, 120, 40) as t:
        t.expect("leak-120x40")
        t.keys("Down")
        t.expect("clean-120x40")
        t.keys("Up", "Enter")
        t.expect("site-120x40")
        t.keys("f")
        t.expect("findings-120x40")
        t.keys("Escape", "Escape", "2")
        t.expect("function-120x40")
        t.keys("4")
        t.expect("class-120x40")
        t.keys("6")
        t.expect("library-120x40")


def test_screens_at_200x60(leak):
    with opened(leak, 200, 60) as t:
        t.expect("leak-200x60")


@pytest.mark.parametrize("columns, rows", [(60, 12), (40, 8), (20, 5)])
def test_small_screens(leak, columns, rows):
    """Columns go by what they are worth; no line wraps."""
    with opened(leak, columns, rows) as t:
        t.expect(f"leak-{columns}x{rows}")


def test_ascii(leak):
    with opened(leak, 80, 24, env={"LC_ALL": "C"}) as t:
        t.expect("ascii-80x24")
        t.keys("Enter")
        t.expect("ascii-site-80x24")


def test_several_processes(tmp_path):
    """One begins with a row for each, and opens it."""
    with opened(recorded.two(tmp_path / "two.jtr"), 100, 24) as t:
        t.expect("processes-100x24")
        t.keys("Down", "Enter")
        t.until("jnitrace 31000 com.acme.Other")
        t.expect("process-100x24")
        t.keys("Escape")
        t.until("2 of 2 by pid")


def test_what_looks_alike(tmp_path):
    """Sites that read the same are told apart by the function, or by the place in the line; classes by as much as it takes."""
    with opened(recorded.alike(tmp_path / "alike.jtr"), 80, 24) as t:
        t.expect("alike-80x24")
    with opened(tmp_path / "alike.jtr", 120, 24) as t:
        t.expect("alike-120x24")


def test_before_the_verdict(leak):
    """The first answer is how long until there is one, and what grows fastest."""
    with opened(leak, 80, 24, "--at", "30") as t:
        t.expect("wait-80x24")


def test_what_anyone_must_find(leak):
    """Leak, class, owner and rate are on the first screen, whatever its size."""
    for columns, rows in ((80, 24), (120, 40), (200, 60)):
        with opened(leak, columns, rows) as t:
            t.until("moment 71 of 71")
            screen = t.until("LEAK")
            [answer] = [line for line in screen.splitlines() if line.startswith("LEAK")]
            assert "libthumb.so" in answer and "Registry::add" in answer and "+300/min" in answer, answer
            row = t.chosen()
            assert "GROWING" in row and "Listener" in row and "+5.0/s" in row and "Server.java:25" in row, row


SIXTEEN = "xterm-sixteen|xterm of 16 colours, colors#16, pairs#256, use=xterm,\n"
TERMS = ("xterm", "xterm-sixteen", "xterm-256color")


def luminance(colour):
    """Of one of xterm's 256, of those that are the same on every terminal: a cube, and greys. By WCAG 2."""
    n = colour - 16
    levels = [8 + 10 * (n - 216)] * 3 if n >= 216 else [55 + 40 * (n // step % 6) if n // step % 6 else 0 for step in (36, 6, 1)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (level / 255 for level in levels))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def looks(screen):
    """All that a terminal is told of how characters look: (colours of text, all else)."""
    colours, others = set(), set()
    for codes in re.findall(r"\x1b\[([0-9;]*)m", screen):
        codes = [int(code or 0) for code in codes.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 38:
                assert codes.pop(0) == 5
                colours.add(codes.pop(0))
            elif 30 <= code < 38:
                colours.add(code - 30)
            else:
                others.add(code)
    return colours, others


@pytest.mark.parametrize("term", TERMS)
def test_colours_on_light_and_dark(tmp_path, term):
    """
    What leaks is red and bold, what is clean green. Nobody can ask for the background, so none is set, and all can be read on
    a white one and on a black one, that of the chosen row, too, which is turned round.
    """
    source = tmp_path / "source"
    source.write_text(SIXTEEN)
    subprocess.run(["tic", "-x", "-o", tmp_path / "terminfo", source], check=True, capture_output=True)
    red, green, screens = (196, 28, []) if term == "xterm-256color" else (1, 2, [])
    env = {"NO_COLOR": "", "TERM": term, "TERMINFO_DIRS": f"{tmp_path}/terminfo:"}
    code = {n: f"38;5;{n}" if n > 7 else f"3{n}" for n in (red, green)}
    with opened(recorded.leak(tmp_path / "leak.jtr"), 120, 40, env=env) as t:
        screens.append(t.until("moment 71 of 71", "-e"))
        assert re.search(rf"^\x1b\[(1;{code[red]}|1m\x1b\[{code[red]})mLEAK", screens[0], re.M), screens[0]
        assert re.search(rf"\x1b\[{code[green]}mclean", screens[0]), screens[0]
        for key, wanted in (("Enter", "Stack, innermost"), ("f", "acquired by:"), ("?", "Keys"), ("/", "Keys")):
            t.keys(key)
            t.until(wanted)
            screens.append(t.screen("-e"))
    for make in (newcomer.cache, newcomer.held, newcomer.sick):
        with opened(make(tmp_path / "other.jtr"), 120, 40, env=env) as t:
            screens.append(t.until(f"moment {newcomer.SECONDS} of {newcomer.SECONDS}", "-e"))
    colours, others = (set().union(*sets) for sets in zip(*map(looks, screens)))
    assert others <= {0, 1, 4, 7, 39, 49} and 7 in others, others
    if term == "xterm-256color":
        assert len(colours) == 5, colours
        for colour in colours:
            on_black, on_white = (luminance(colour) + 0.05) / 0.05, 1.05 / (luminance(colour) + 0.05)
            assert colour >= 16 and min(on_black, on_white) >= 3.9, (colour, on_black, on_white)
    else:  # of which the terminal chooses how they look, so that they can be read, if they are not yellow
        assert colours == {1, 2, 5, 6}, colours


def test_no_color(leak):
    """With NO_COLOR what grows is bold."""
    with opened(leak, 80, 24) as t:
        screen = t.until("moment 71 of 71", "-e")
        assert not looks(screen)[0] and looks(screen)[1] <= {0, 1, 4, 7, 39, 49}, screen
        assert re.search(r"\x1b\[1m[^\n]*LEAK", screen), screen


def mouse(term, button, column, row):
    """What a terminal sends: xterm of today its places as numbers, others as characters. A button comes up again."""
    if term == "xterm-256color":
        up = f"\x1b[<{button};{column + 1};{row + 1}m" if button < 64 else ""
        return f"\x1b[<{button};{column + 1};{row + 1}M{up}".encode()
    place = bytes([33 + column, 33 + row])
    return b"\x1b[M" + bytes([32 + button]) + place + (b"\x1b[M\x23" + place if button < 64 else b"")


@pytest.mark.parametrize("term", ["tmux-256color", "xterm-256color"])
def test_mouse(leak, term):
    """A row is chosen, and opened when it is clicked once more; the head sorts; the wheel moves."""
    with opened(leak, 100, 30, env={"TERM": term}) as t:
        lines = t.until("moment 71 of 71").splitlines()
        [head] = [i for i, line in enumerate(lines) if line.startswith(" VERDICT")]

        def click(column, row, button=0):
            t.type_bytes(mouse(term, button, column, row))

        click(20, head + 3)
        t.until("3 of 6 by site")
        assert "Server.java:24" in t.chosen()
        click(20, head + 3)
        t.until(lambda screen: "line 1 of" in screen and "Server.java:24" in screen)
        t.keys("Escape")
        t.until("3 of 6 by site")
        click(20, head + 1, 65)
        t.until("6 of 6 by site")
        click(20, head + 1, 64)
        t.until("3 of 6 by site")
        live = lines[head].index("LIVE") + 1
        click(live, head)
        t.until("LIVE\u2193")
        click(live, head)
        t.until("LIVE\u2191")
        click(20, 0)  # the title is no place for it
        t.keys("Left")
        t.until("moment 70 of 71")
        assert "LIVE\u2191" in t.screen()


def test_next_row_and_pane(leak):
    with opened(leak, 80, 24) as t:
        t.until("moment 71 of 71")
        t.keys("n")
        t.until("2 of 6 by site")
        t.keys("n", "n", "n", "n", "n")
        t.until(lambda screen: "1 of 6 by site" in screen and "NewGlobalRef: 355 live" in screen)
        t.keys("t")
        t.until(lambda screen: "NewGlobalRef: 355 live" not in screen and "1 of 6 by site" in screen)
        t.keys("Down", "t")
        t.until(lambda screen: "2 of 6 by site" in screen and "Java_com_acme_Held_churn held.c:31 (libheld.so" in screen)


def test_sort_by_columns(leak):
    """To the right and to the left, by each that the table has, and round."""
    with opened(leak, 200, 30) as t:
        t.until("moment 71 of 71")
        seen = []
        for key in "<>><,.s":
            before = t.screen()
            t.keys(key)
            screen = t.until(lambda screen: "\u2193" in screen and screen != before)
            seen += re.findall("(\\S+)\u2193", screen)
        assert seen == ["SITE", "VERDICT", "LIVE", "VERDICT", "SITE", "VERDICT", "LIVE"], seen


def test_sort_by_name(leak):
    """A column by its name, or how that begins; what is none is told. Reversed it is upside down."""
    with opened(leak, 120, 30) as t:
        t.until("moment 71 of 71")
        t.keys("S")
        t.until("sort by ")
        t.type("acq")
        t.until("sort by acq  ACQUIRED")
        t.keys("Enter")
        t.until(lambda screen: "VERDICT\u2193" not in screen and "1 of 6 by site" in screen)
        assert "Held_churn" in t.chosen()
        t.keys("S")
        t.type("nothing")
        t.until("no such column")
        t.keys("Enter")
        t.until("no column here is called nothing")
        t.keys("S")
        t.type("live")
        t.keys("Enter")
        first = t.until(lambda screen: "LIVE\u2193" in screen and "moment 71 of 71" in screen)
        t.keys("r")
        second = t.until("LIVE\u2191")
        table = [[line[1:] for line in screen.splitlines() if re.match("[> ](GROWING|clean|before) ", line)] for screen in (first, second)]
        assert len(table[0]) == 6 and table[0] == table[1][::-1], table


def test_rows_of_several_sites(leak):
    """Enter shows their sites, by a filter that is seen; whose what was there before is nobody knows."""
    with opened(leak, 120, 40) as t:
        for group, by, filtered in (("6", "library", "of libthumb.so  2 of 6 rows"), ("7", "caller", "decode  2 of 6 rows"),
                                    ("4", "class", "Listener  1 of 6 rows")):
            t.keys(group)
            t.until(lambda screen: re.search("^>GROWING", screen, re.M) and f"by {by}" in screen and "live, at " in screen)
            t.keys("Enter")
            t.until(lambda screen: filtered in screen and re.search("^>GROWING .* Registry::add", screen, re.M))
            t.keys("Escape")
            t.until("1 of 6 by site")
        t.keys("6", "Enter")
        t.until("of libthumb.so  2 of 6 rows")
        t.keys("/", "Enter")  # what is typed begins anew
        t.until("1 of 6 by site")
        t.keys(*["Down"] * 5)
        t.until("6 of 6 by site")
        t.keys("Enter")
        t.until("acquired before attach: by whom is not known")
        t.keys("3")
        t.until("there is one process alone")
        t.keys("e")
        t.until("a recording has the families that were traced when it was made")


def test_twins(leak):
    """To the next row of the same name, and round; what has none is told."""
    with opened(leak, 80, 24) as t:
        t.until("moment 71 of 71")
        t.keys("=")
        t.until("3 of 6 by site")
        assert "Registry::add \u2190Server.java:24" in t.chosen()
        t.keys("=")
        t.until("1 of 6 by site")
        t.keys("Down", "=")
        t.until("no other row has this name")


def test_time_line(leak):
    with opened(leak, 80, 24) as t:
        t.until("moment 71 of 71")
        t.keys("Left")
        t.until("moment 70 of 71")
        t.keys("Home")
        screen = t.until("moment 1 of 71")
        assert "WAIT  judging, 44 s more" in screen
        t.keys("Right", "Right")
        t.until("moment 3 of 71")
        t.keys("End")
        assert "LEAK" in t.until("moment 71 of 71")
        t.keys("[", "[", "]")
        t.until("moment 64 of 71")
        t.keys("End", "Left", "Left", "Left")
        t.until("moment 68 of 71")
        t.keys("Space")
        t.until(lambda screen: "moment 71 of 71" in screen and "playing" not in screen)


def test_a_recording_that_ends_early(tmp_path):
    """It is told, and the moment that is not whole is not shown."""
    with opened(recorded.cut(tmp_path / "cut.jtr", 41), 80, 24) as t:
        screen = t.until("moment 41 of 41, ends early")
        assert " 41.0s of 41.0s  moment" in screen, screen
        assert screen.splitlines()[-1].rstrip() == "the recording ends early, after 41.0 s: what came behind is not known", screen
        t.keys("Left")
        t.until(" 40.0s of 41.0s  moment 40 of 41, ends early")
        t.keys("Right")
        t.until(" 41.0s of 41.0s  moment 41 of 41, ends early")


def test_the_chosen_row_stays_chosen(leak):
    """While the leak climbs above it, and while rows are sorted anew."""
    with opened(leak, 80, 24, "--at", "44") as t:
        t.until("moment 44 of 71")
        t.keys("Down", "Down")
        t.until(lambda screen: re.search("^>.*Server.java:24", screen, re.M))
        t.keys("Right")
        t.until("moment 45 of 71")
        assert "Server.java:24" in t.chosen()
        t.keys("r")
        t.until(lambda screen: "VERDICT\u2191" in screen)
        assert "Server.java:24" in t.chosen()


def test_filter_sort_baseline(leak):
    with opened(leak, 100, 30, "--at", "50") as t:
        t.until("moment 50 of 71")
        t.keys("/", "c", "h", "u", "r", "n", "Enter")
        screen = t.until("/churn  1 of 6 rows")
        assert "Java_com_acme_Held_churn" in t.chosen() and "Registry" not in screen.split("VERDICT")[1]
        t.keys("Escape")
        t.until("1 of 6 by site")
        t.keys("/", "(", "a")
        t.until("is no regular expression yet")
        t.keys("Escape", ">")
        t.until(lambda screen: "VERDICT\u2193" not in screen and "\u2193" in screen)
        t.keys("b")
        t.until("SINCE b")
        t.keys("Right", "Right")
        t.until("moment 52 of 71")
        assert re.search(r"GROWING +260 +\+10 ", t.screen()), t.screen()
        t.keys("b")
        t.until(lambda screen: "SINCE b" not in screen)


def written(t, folder, key, wanted):
    """What the tool writes from a key on until this is seen."""
    file, done = folder / "written", folder / "done"
    done.unlink(missing_ok=True)
    t.tmux("pipe-pane", f"cat > {file}; touch {done}")
    t.keys(key)
    t.until(wanted)
    t.tmux("pipe-pane")
    wait_until(done.exists)
    return file.read_bytes()


def test_only_what_changes_is_written(leak, tmp_path):
    """So that nothing flickers: cells that stay as they are are not written again, and nothing is wiped."""
    with opened(leak, 120, 40) as t:
        t.until("moment 71 of 71")
        before = t.screen()
        for key, wanted in (("Left", "moment 70 of 71"), ("Down", "2 of 6 by site")):
            text = written(t, tmp_path, key, wanted)
            after = t.screen()
            changed = sum(a != b for was, now in zip(before.splitlines(), after.splitlines()) for a, b in zip(was.ljust(120), now.ljust(120)))
            drawn = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\(.|[\x00-\x1f]", b"", text).decode()
            # two rows change their style, too
            assert 0 < len(drawn) <= changed + 2 * 120, (key, len(drawn), changed, text)
            assert not re.search(rb"\x1b\[[0-3]?J", text), text
            before = after
        assert not written(t, tmp_path, "F11", lambda screen: screen == before)


def test_quit(leak):
    """The terminal is as it was, and what report prints into a file comes below."""
    with opened(leak, 120, 40) as t:
        t.until("moment 71 of 71")
        t.keys("q")
        assert t.exit_code() == 0
        screen = t.screen("-S", "-")
        assert "jnitrace - PID 26708 com.acme.pay.Server" in screen and "moment" not in screen, screen
        assert "growing" in screen


def test_a_long_one(leak, tmp_path):
    """It is seen before all of it is read, keys are answered meanwhile, and who leaves waits for nothing."""
    long, moments = tmp_path / "long.jtr", 1_000_000
    begin = subprocess.run(["zstd", "-q", "-d", "-c", leak], capture_output=True, check=True).stdout
    begin = begin[:begin.rindex(b'{"record": "report"')]
    with open(long, "wb") as out, subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=out) as zstd:
        zstd.stdin.write(begin)
        for i in range(71, moments):
            zstd.stdin.write(b'{"record":"report","process":1,"elapsed_s":%d}\n{"record":"moment","skipped":0}\n' % i)
        zstd.stdin.close()
    with opened(long, 100, 24) as t:
        t.until(lambda screen: re.search(r"moment 1 of \d+  reading \d+ %", screen))
        t.keys("Right", "Right")
        t.until(lambda screen: re.search(r"moment 3 of \d+  reading \d+ %", screen))
        first = int(re.search(r"moment 3 of (\d+)", t.screen())[1])
        t.until(lambda screen: int(re.search(r"moment 3 of (\d+)", screen)[1]) > first)
        t.keys("?")
        t.until("the next row of the same name")
        t.keys("Escape", "q")
        assert t.exit_code() == 0
        screen = t.screen("-S", "-", "-J")
        assert "it was left before all of it was read: this is how it was after" in screen, screen
        assert "jnitrace - PID 26708 com.acme.pay.Server" in screen, screen


def test_ctrl_c(leak):
    with opened(leak, 120, 40) as t:
        t.until("moment 71 of 71")
        t.keys("C-c")
        assert t.exit_code() == 0
        assert "jnitrace - PID 26708 com.acme.pay.Server" in t.screen("-S", "-")


def write_to(t, file):
    """Its answer."""
    t.keys("w")
    t.until("write to ")
    t.type(str(file))
    t.keys("Enter")
    screen = t.until(lambda screen: re.search("written|record", screen.splitlines()[-1]))
    return screen.splitlines()[-1].rstrip()


@pytest.mark.asan
def test_write(leak, tmp_path):
    """What is shown, as its name says: the same as report writes of that moment. What was there stays as it is."""
    formats = {"json": "json", "csv": "csv", "folded": "folded", "pb.gz": "pprof", "html": "html"}
    with opened(leak, 250, 30, "--at", "50") as t:
        t.until("moment 50 of 71")
        for suffix, name in formats.items():
            file = tmp_path / f"now.{suffix}"
            if suffix == "html" and "html" not in run_tool("--help").stdout:
                continue
            assert re.fullmatch(rf"written: {re.escape(str(file))} \({name}, [0-9.]+ [KM]?B\)", write_to(t, file))
            assert file.stat().st_mode & 0o777 == 0o600
            out = tmp_path / f"report.{suffix}"
            assert run_tool("report", leak, "--at", "50", "--format", name, "-o", out).returncode == 0
            assert file.read_bytes() == out.read_bytes(), name
        if "html" in run_tool("--help").stdout:  # the way to there, whatever lies behind it
            t.keys("End")
            t.until("moment 71 of 71")
            t.keys("Left", "Left")
            t.until("moment 69 of 71")
            write_to(t, tmp_path / "later.html")
            [times] = re.findall(rb'"history":\{"elapsed_s":\[([^]]*)\]', (tmp_path / "later.html").read_bytes())
            assert [float(time) for time in times.split(b",")] == list(range(1, 70))
        taken = tmp_path / "now.csv"
        before = taken.read_bytes()
        assert write_to(t, taken) == f"not written: {taken}: File exists"
        assert taken.read_bytes() == before
        assert "No such file or directory" in write_to(t, tmp_path / "none" / "now.csv")
        assert "nothing is known that ends so" in write_to(t, tmp_path / "now.txt")
        assert "this is a recording already" in write_to(t, tmp_path / "now.jtr")
        t.keys("w")
        t.type("abc")
        t.until("write to abc")
        t.keys("BSpace")
        t.until(lambda screen: "write to ab " in screen)
        t.keys("Escape")
        t.until("1 of 6 by site")
        t.keys("w", "Enter")
        t.until("1 of 6 by site")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".txt", ".jtr")) == []


HOSTILE = ("evil\x1b[2J\x1b]0;title\x07\nsecond\tline\u202eright\u200b\ufeff\u6f22\u5b57::\u0085f\u0301",
           "a.\x1b[31mred\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57$\u202eX\u2028Y\x7f")


@pytest.mark.asan
def test_hostile_names(tmp_path):
    """Of functions and classes: they are shown as what they are, in their cells, and columns stay where they are."""
    file = recorded.leak(tmp_path / "hostile.jtr", names=HOSTILE)
    for columns, rows in ((80, 24), (120, 40)):
        with opened(file, columns, rows, env={"NO_COLOR": ""}) as t:
            t.expect(f"hostile-{columns}x{rows}")
            t.keys("Enter")
            t.expect(f"hostile-site-{columns}x{rows}")
            assert t.tmux("display-message", "-p", "#{pane_title}").strip() != "title"


@pytest.mark.asan
def test_resize_storm(leak):
    with opened(leak, 80, 24) as t:
        t.until("moment 71 of 71")
        for i in range(40):
            t.resize(20 + i * 37 % 281, 4 + i * 17 % 97)
            if i % 8 == 0:
                t.keys("Enter" if i % 16 else "Escape")
        t.keys("Escape")
        t.resize(300, 100)
        t.until(lambda screen: max(map(len, screen.splitlines())) > 290 and "1 of 6 by site" in screen)
        t.resize(80, 24)
        t.expect("leak-80x24")


def test_many_sites(tmp_path):
    """A thousand of them: keys are answered while they are drawn."""
    file = recorded.many(tmp_path / "many.jtr")
    with opened(file, 120, 40) as t:
        t.until("1 of 1,000 by site")
        t.keys("NPage", "NPage")
        t.until(lambda screen: not re.search("^>.* 1 of 1,000", screen) and re.search(r"\b[5-9]\d of 1,000 by site", screen))
        start = time.monotonic()
        for _ in range(20):
            t.keys("Down")
        t.until(lambda screen: re.search(r"\b(7[5-9]|8\d|9\d) of 1,000 by site", screen))
        assert time.monotonic() - start < SLOW


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_pictures(name):
    """What the README shows is what the screen shows; make pictures writes them anew."""
    file = pictures.FOLDER / f"{name}.svg"
    assert f"({file.relative_to(TOP)})" in (TOP / "README.md").read_text()
    assert file.read_text() == pictures.picture(name)
