# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`make bench` works: one short round of some rows. What it finds out on a busy machine is not judged."""

import json
import subprocess
import sys

from harness import BUILD, ENV, TOP, TOOL_BUILD


def test_some_rows_are_measured():
    assert TOOL_BUILD == BUILD, "the tool and its floor are built alike"
    done = subprocess.run([sys.executable, "-B", TOP / "tests/bench/run.py", BUILD, "--quick", "--rounds", "2", "--only", "hot",
                           "--json", "-"], capture_output=True, text=True, env=ENV, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    rows = {(r["tracer"], r["work"]): r for r in out["rows"]}
    for tracer in ("pair", "count", "walk", "no usdt", "perf"):
        row = rows[tracer, "hot"]
        assert row["left_out"] is None, row
        assert row["floor_ns"] > 100 and row["added_ns"] > 100 and 0.5 < row["ratio"] < 50, row
    # one probe and no pairing costs less than two
    assert rows["count", "hot"]["added_ns"] < rows["pair", "hot"]["added_ns"]
    assert {g["holds"] for g in out["gates"]} <= {True, False, None}
