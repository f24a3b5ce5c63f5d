# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What docs/agent has for operators: rules that Prometheus takes and that fire as meant, of metrics that there are."""

import json
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FILES = TOP / "docs/agent"
RULES = (FILES / "rules.yml").read_text()


def test_rules_fire_as_their_tests_say():
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
        result = subprocess.run(["promtool", *command], cwd=FILES, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_queries_of_the_dashboard_are_ones(tmp_path):
    panels = json.loads((FILES / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(queries) > 10
    rules = tmp_path / "rules.yml"
    rules.write_text(json.dumps({"groups": [{"name": "queries", "rules": [{"record": f"query{i}", "expr": re.sub(r"\$\w+", ".*", query)}
                                                                       for i, query in enumerate(queries)]}]}))
    result = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_is_tested_and_has_a_runbook():
    alerts = re.findall(r"^  - alert: (\w+)$", RULES, re.M)
    assert len(alerts) > 5
    assert re.findall(r"^## (\w+)$", (FILES / "runbooks.md").read_text(), re.M) == alerts
    assert re.findall(r"^      runbook: runbooks\.md#(\w+)$", RULES, re.M) == [a.lower() for a in alerts]
    assert set(re.findall(r"alertname: (\w+)", (FILES / "rules_test.yml").read_text())) == set(alerts)


def test_rules_and_documents_name_metrics_that_there_are():
    source = (TOP / "user/export/metrics.c").read_text()
    metrics = {name + "_total" * (kind == "COUNTER") for name, kind in
               re.findall(r'\{"(\w+)", "\w*",\s*(?:"(?:[^"\\]|\\.)*"\s*)+,\s*(\w+),', source)} | {"jnitrace_site_outstanding", "jnitrace_sites_left_out"}
    assert len(metrics) > 25 and metrics >= {"jnitrace_up", "jnitrace_acquired_total"}
    text = re.sub(r"service_family:\w+:sum", "", RULES) + (FILES / "dashboard.json").read_text() + (FILES / "README.md").read_text() + (FILES / "runbooks.md").read_text()
    assert set(re.findall(r"\b(?:jnitrace|process)_[a-z_]+[a-z]\b(?![*_])", text)) - {"jnitrace_vm"} <= metrics


def test_unit_is_one():
    unit = FILES / "jnitrace-agent.service"
    result = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=40", unit], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-500:] + result.stderr
