# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Pictures of the screen, for the README: what tmux has on it, as SVG whose text is text. Of recordings made by hand, so that
they are the same each time. make pictures writes them; test_recording_screen.py holds them against the screen.
"""

import os
import re
import sys
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

import newcomer
import recorded
from harness import TOP
from tmux import Tmux

FOLDER = TOP / "docs/pictures"
COLUMNS, ROWS = 100, 30
CELL, LINE, FONT, MARGIN = 8.4, 17, 14, 12
STYLE = """
text { font: 14px ui-monospace, 'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace; white-space: pre; fill: #1f2328 }
.paper { fill: #ffffff; stroke: #d0d7de }
.bold { font-weight: bold } .under { text-decoration: underline }
.alarm { fill: #cf222e } .good { fill: #1a7f37 } .note { fill: #9a6700 } .key { fill: #0969da } .dim { fill: #767676 }
.turned { fill: #1f2328 } .on-turned { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .paper { fill: #0d1117; stroke: #30363d }
.alarm { fill: #ff7b72 } .good { fill: #3fb950 } .note { fill: #d29922 } .key { fill: #58a6ff } .dim { fill: #808080 }
.turned { fill: #e6edf3 } .on-turned { fill: #0d1117 }
}
"""
# What the screen has of 256 colours.
COLOURS = {28: "good", 130: "note", 196: "alarm", 30: "key", 243: "dim"}


def leak(t):
    t.until("moment 71 of 71")


def site(t):
    leak(t)
    t.keys("Enter")
    t.until("Stack, innermost first")


def findings(t):
    t.until(f"moment {newcomer.SECONDS} of {newcomer.SECONDS}")
    t.keys("f")
    t.until("called by:")


def processes(t):
    t.until(f"moment {newcomer.SECONDS} of {newcomer.SECONDS}")
    t.until("PID 7002: ")


# By name: the recording, how to get there, and what is to be seen, in words.
PICTURES = {
    "leak": (recorded.leak, leak, "one of two callers of a function leaks"),
    "site": (recorded.leak, site, "the leak, opened: its stack, history and numbers"),
    "processes": (newcomer.sick, processes, "three processes, one of which leaks"),
    "findings": (newcomer.held, findings, "a critical section that is held for long"),
}


class Look:
    """What the terminal is told of the characters that follow."""

    def __init__(self):
        self.classes, self.turned = set(), False

    def take(self, codes):
        codes = [int(code or 0) for code in codes.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.classes, self.turned = set(), False
            elif code in (1, 4):
                self.classes.add({1: "bold", 4: "under"}[code])
            elif code == 7:
                self.turned = True
            elif code == 49:
                pass  # no background is ever set
            elif code in (38, 39):
                self.classes = {c for c in self.classes if c in ("bold", "under")}
                if code == 38:
                    assert codes.pop(0) == 5, codes
                    self.classes.add(COLOURS[codes.pop(0)])
            else:
                raise AssertionError(f"SGR {code}: a colour that the screen does not have")


def runs(line, look):
    """(column, text, classes, turned) of all that looks alike. look goes on from line to line."""
    column = 0
    for text, codes in re.findall(r"([^\x1b]+)|\x1b\[([0-9;]*)m", line):
        if text:
            yield column, text, " ".join(sorted(look.classes)), look.turned
            column += len(text)
        else:
            look.take(codes)


def svg(screen, title):
    width, height = COLUMNS * CELL + 2 * MARGIN, ROWS * LINE + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" role="img">', f"<title>{escape(title)}</title>",
           f"<style>{STYLE}</style>", f'<rect class="paper" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1}" rx="6"/>']
    look = Look()
    for row, line in enumerate(screen.splitlines()):
        for column, text, classes, turned in runs(line, look):
            x, y = MARGIN + column * CELL, MARGIN + row * LINE
            if turned:
                out.append(f'<rect class="turned" x="{x:.1f}" y="{y}" width="{len(text) * CELL:.1f}" height="{LINE}"/>')
                classes = " ".join(c for c in classes.split() if c in ("bold", "under")) + " on-turned"
            if text.strip():
                out.append(f'<text{f""" class="{classes.strip()}" """.rstrip() if classes.strip() else ""} x="{x:.1f}" y="{y + FONT - 1}" '
                           f'textLength="{len(text) * CELL:.1f}" xml:space="preserve">{escape(text)}</text>')
    return "\n".join([*out, "</svg>", ""])


def picture(name):
    make, go, title = PICTURES[name]
    with tempfile.TemporaryDirectory() as folder, \
            Tmux(COLUMNS, ROWS, "report", make(f"{folder}/picture.jtr"), env={"NO_COLOR": "", "TERM": "xterm-256color"}) as t:
        go(t)
        before = None
        while (now := t.screen("-e")) != before:  # it is drawn
            before = now
            t.until(lambda screen: screen.splitlines()[-1].strip())
        return svg(now, f"jnitrace: {title}")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in PICTURES:
        Path(FOLDER, f"{each}.svg").write_text(picture(each), encoding="utf-8")
        print(os.path.relpath(FOLDER / f"{each}.svg", TOP), file=sys.stderr)
