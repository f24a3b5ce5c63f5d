# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The agent's page, in a browser and by keyboard: what it shows is what the agent knows, and no name becomes markup."""

import json
import os
import shutil
import subprocess

from harness import SLOW, TOP, WARM_UP, Oracle, jdk, wait_until
from test_agent import OURS, Ordering, census_of, lines_of, state_of

HACK = "-Dhack=</script><script>globalThis.hacked=1</script><img src=x onerror=globalThis.hacked=2><!--"


def in_browser(agent, folder, pid):
    readers = TOP / "build-readers"
    shutil.copy(TOP / "tests/page/host.mjs", readers)
    result = subprocess.run(["node", readers / "host.mjs", agent.url + "/", folder, str(pid), "open sesame"], env=dict(os.environ, JNITRACE_SEARCH="leak_global"), capture_output=True, text=True, timeout=2 * SLOW, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_page_of_all_jvms(tmp_path):
    with Ordering(tmp_path) as agent, Oracle(jdk("17"), OURS, HACK) as oracle:
        oracle.do(*WARM_UP)
        agent.next_round()
        assert agent.order(oracle.pid, 3600) == 202
        wait_until(lambda: state_of(agent, oracle.pid) == "open")
        oracle.do("run 2 1009 7 503 5")
        assert agent.order(oracle.pid, 0) == 202
        wait_until(lambda: state_of(agent, oracle.pid) == "done")
        agent.next_round()
        assert agent.get("/").startswith("jnitrace agent ")  # for who asks for no page
        sites = sorted((line["site"] for line in lines_of(agent, "/api/v1/sites")), key=lambda s: -s["outstanding"])
        seen = in_browser(agent, tmp_path, oracle.pid)
        report = f"{agent.url}/report#{oracle.pid}-"
        assert not seen["errors"] and seen["back"] == agent.url + "/"
        assert set(seen["requests"]) == {agent.url + "/", seen["report"]["at"]} and seen["report"]["at"].startswith(report)
        assert "frame-ancestors 'none'" in seen["headers"]["content-security-policy"] and seen["headers"]["cache-control"] == "no-store"
        assert seen["hacked"] is None and (seen["scripts"], seen["images"]) == (2, 0)
        assert HACK in seen["opened"][0]
        [row] = [r for r in seen["rows"] if f"PID {oracle.pid}" in r[0]]
        tables = census_of(oracle.pid)
        assert [int(n.replace(",", "")) for n in row[2:4]] == [tables["global"], tables["weak"]]
        assert row[0].startswith("▸Oracle ") and row[7].startswith("done") and seen["curves"]
        assert [row] == [[c.replace("▾", "▸") for c in r] for r in seen["searched"]]
        # the ones that hold most, and where the first of them leads
        assert [int(s[3].replace(",", "")) for s in seen["sites"]] == [s["outstanding"] for s in sites[:10]]
        first = next(s["id"] for s in sites if seen["sites"][0][1] == s["function"] and s["outstanding"] == sites[0]["outstanding"])
        assert seen["report"]["at"].rpartition("-")[2] == first
        assert seen["report"]["one"] and seen["report"]["frames"][0] == f"all outstanding: {sites[0]['outstanding']:,}"
        assert str(oracle.pid) in seen["report"]["title"]
        assert seen["too_wide"] == 0
