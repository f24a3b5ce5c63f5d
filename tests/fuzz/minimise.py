#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
The few inputs from which a fuzz target starts in CI. Usage: minimise.py PROGRAM CORPUS FOLDER...

CORPUS is made anew from the inputs in it and in the FOLDERs: of all those that libFuzzer's merge says reach code that
no other does, the ones that reach most for their size, until together they have MOST_BYTES.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_BYTES, MOST_INPUT_BYTES = 16384, 8192


def reached(program, folders):
    """The code that each input reaches, by its path: numbers of its edges."""
    with tempfile.TemporaryDirectory() as scratch:
        control = Path(scratch) / "control"
        empty = Path(scratch) / "empty"
        empty.mkdir()
        subprocess.run([program, "-merge=1", "-use_counters=0", f"-merge_control_file={control}", empty, *folders], check=True, capture_output=True)
        lines = control.read_text().split("\n")
    paths = lines[2:2 + int(lines[0])]
    return {Path(paths[int(words[1])]): set(words[2:]) for words in map(str.split, lines[2 + len(paths):]) if words and words[0] == "FT"}


def choose(code):
    chosen, have, left = [], set(), MOST_BYTES
    while True:
        fit = [(len(edges - have) / (64 + path.stat().st_size), str(path)) for path, edges in code.items()
               if path.stat().st_size <= min(left, MOST_INPUT_BYTES)]
        gain, path = max(fit, default=(0, ""))
        if not gain:
            return chosen, have
        path = Path(path)
        chosen.append(path)
        have |= code[path]
        left -= path.stat().st_size


def main():
    program, corpus, folders = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    corpus.mkdir(parents=True, exist_ok=True)
    code = reached(program, [corpus, *folders])
    chosen, have = choose(code)
    contents = [path.read_bytes() for path in chosen]
    shutil.rmtree(corpus)
    corpus.mkdir()
    for data in contents:
        (corpus / hashlib.sha1(data).hexdigest()[:12]).write_bytes(data)
    print(f"{corpus}: {len(contents)} inputs, {sum(map(len, contents))} bytes, {len(have)} of {len(set().union(*code.values()))} edges")


main()
