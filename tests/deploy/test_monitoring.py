"""Prometheus' rules and Grafana's dashboard, against what a real gateway's /metrics has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.image import ROOT
from tests.docs.pages import DOCS, in_code, section, table
from tests.examples.real_gateway import RealGateway

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
NAME = re.compile(r"\b(?:visiongate|process)_\w+")
NOT_OURS = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that of buckets."""


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    variables = [v["definition"] for v in DASHBOARD["templating"]["list"] if "definition" in v]
    return [*panels, *variables, *(rule["expr"] for rule in RULES)]


@pytest.fixture(scope="module")
def exposed(behind: RealGateway) -> dict[str, set[str]]:
    """The gateway's metrics as its /metrics tells them, each with its labels."""
    text = requests.get(f"{behind.address}/metrics", timeout=30).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        for suffix in suffixes.get(family.type, [""]):
            found.setdefault(family.name + suffix, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_metric_that_is_named_is_there(expression: str, exposed: dict[str, set[str]]) -> None:
    for named in NAME.findall(expression):
        assert named in exposed


def labels_in(expression: str) -> Iterator[tuple[str, str]]:
    """Yield each metric and label that ``expression`` selects or sums by."""
    metrics = NAME.findall(expression)
    for metric, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
        for label in re.findall(r"(\w+) *(?:=~|!~|!=|=)", selector):
            yield metric, label
    for by in re.findall(r"by \(([^)]*)\)", expression):
        for label in by.split(","):
            for metric in metrics:
                yield metric, label.strip()


def test_every_label_that_is_named_is_in_the_code(exposed: dict[str, set[str]]) -> None:
    source = (ROOT / "visiongate" / "web" / "metrics.py").read_text()
    declared: dict[str, set[str]] = {}
    for name, labels in re.findall(
        r'\(\s*"(visiongate_\w+)",\s*"[^"]*",\s*(?:\(([^)]*)\))?', source
    ):
        declared[name] = set(re.findall(r'"(\w+)"', labels))
    assert declared["visiongate_requests"] == {"method", "route", "status"}
    for expression in expressions():
        for metric, label in labels_in(expression):
            if label in NOT_OURS or not metric.startswith("visiongate_"):
                continue
            base = re.sub("_(total|bucket|count|sum)$", "", metric)
            assert label in declared[base], expression


def promtool(*arguments: object) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool (Debian's package prometheus)")
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_its_configuration_and_rules() -> None:
    said = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert f"{len(RULES)} rules found" in said


def test_each_alert_rings_when_it_should(tmp_path: Path) -> None:
    plan = Path(__file__).parent / "alerts.test.yml"
    for file in (plan, PROMETHEUS / "alerts.yml"):
        shutil.copy(file, tmp_path)
    promtool("test", "rules", tmp_path / plan.name)
    rung = {
        expected["alertname"]
        for test in yaml.safe_load(plan.read_text())["tests"]
        for expected in test["alert_rule_test"]
        if expected["exp_alerts"]
    }
    assert rung == {rule["alert"] for rule in RULES}


def test_prometheus_can_evaluate_every_panel(tmp_path: Path) -> None:
    own = {"$__rate_interval": "5m", "$job": "visiongate", "$instance": ".*"}
    rules = []
    for number, target in enumerate(t["expr"] for p in DASHBOARD["panels"] for t in p["targets"]):
        for variable, value in own.items():
            target = target.replace(variable, value)
        assert "$" not in target
        rules.append({"record": f"panel:{number}", "expr": target})
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)


def test_every_alert_says_what_to_do() -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    part = section(page, "### What to alert on").split("\n## ")[0]
    told = {in_code(row[0])[0]: row[-1] for row in table(part)}
    assert told.keys() == {rule["alert"] for rule in RULES}
    assert all(told.values())
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_the_dashboard_can_be_imported_and_overlaps_nowhere() -> None:
    assert DASHBOARD["uid"] == "visiongate"
    assert "__inputs" not in DASHBOARD
    assert DASHBOARD.get("id") is None
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place: dict[str, Any] = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["title"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_what_compose_provisions_is_what_the_dashboard_asks() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "visiongate.yml").read_text())[
        "providers"
    ]
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    mounted = [volume.split(":")[1] for volume in compose["services"]["grafana"]["volumes"]]
    assert any(Path(path).parent == Path(provider["options"]["path"]) for path in mounted)
