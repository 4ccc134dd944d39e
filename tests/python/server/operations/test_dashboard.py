"""The dashboard and its page in the docs name metrics that exist."""

import json
import re
from pathlib import Path

from engine_on_fakes import running_engine
from operations_app import app_of, metrics_of

DOCS = Path(__file__).parents[4] / "docs"


def test_every_metric_of_the_dashboard_exists():
    with running_engine() as engine:
        client = app_of(engine).test_client()
        client.get("/health").close()
        known = metrics_of(client).names()
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    used = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"(?:ttdirect:|process_)\w+", target["expr"])
    }
    assert len(used) > 20
    assert used <= known


def test_every_metric_that_the_docs_name_exists():
    with running_engine() as engine:
        client = app_of(engine).test_client()
        client.get("/health").close()
        known = metrics_of(client).names()
    text = (DOCS / "operations.md").read_text()
    table = text.partition("| metric |")[2].partition("\n## ")[0]
    named = {
        re.match(r"\w+", code)[0]
        for row in table.splitlines()[2:]
        for code in re.findall(r"`(\w[^`]*)`", row.split("|")[1] if row else "")
    }
    assert len(named) > 15
    for name in named:
        assert {f"ttdirect:{name}", f"ttdirect:{name}_count"} & known, name
