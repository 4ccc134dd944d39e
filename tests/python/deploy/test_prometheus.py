"""Real Prometheus with the generated settings asks a running server: everything has an answer."""

import contextlib
import json
import math
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests
import yaml

from deploy.served import METRICS, Deployment, check, tool
from processes import free_port

DOCS = Path(__file__).parents[3] / "docs"
DASHBOARD = json.loads((DOCS / "grafana-dashboard.json").read_text())
MODEL = "fake-1b"

HEALTHY = {
    'up{job="ttdirect", instance="a"}': "1+0x60",
    'ttdirect:state{instance="a", state="ready"}': "1+0x60",
    'ttdirect:step_seconds{instance="a"}': "0.02+0x60",
    'ttdirect:failed_steps_total{instance="a"}': "3+0x60",
    'ttdirect:http_requests_total{instance="a", status="200"}': "0+60x60",
    'ttdirect:http_requests_total{instance="a", status="500"}': "1+0x60",
    'ttdirect:http_requests_total{instance="a", status="503"}': "0+60x60",
    'ttdirect:http_requests_total{instance="a", status="504"}': "0+60x60",
    'ttdirect:request_queue_time_seconds_bucket{instance="a", le="10"}': "0+60x60",
    'ttdirect:request_queue_time_seconds_bucket{instance="a", le="+Inf"}': "0+60x60",
    'ttdirect:admission_rejections_total{instance="a", reason="queue_full"}': "7+0x60",
    'ttdirect:admission_rejections_total{instance="a", reason="prompt_too_long"}': "0+1x60",
    'ttdirect:request_success_total{instance="a", finished_reason="deadline"}': "2+0x60",
    'ttdirect:request_success_total{instance="a", finished_reason="stop"}': "0+60x60",
}
"""A server in its best hour, minute by minute, with troubles of yesterday and refusals that are no
fault of its own."""

TROUBLES = {
    "TTDirectDown": {'up{job="ttdirect", instance="a"}': "0+0x60"},
    "TTDirectNotReady": {'ttdirect:state{instance="a", state="ready"}': "0+0x60"},
    "TTDirectStuck": {'ttdirect:step_seconds{instance="a"}': "61+60x60"},
    "TTDirectFailedSteps": {'ttdirect:failed_steps_total{instance="a"}': "3+0x55 4+0x5"},
    "TTDirectErrors": {
        'ttdirect:http_requests_total{instance="a", status="500"}': "0+3x60",
    },
    "TTDirectQueueLong": {
        'ttdirect:request_queue_time_seconds_bucket{instance="a", le="10"}': "0+53x60",
        'ttdirect:request_queue_time_seconds_bucket{instance="a", le="30"}': "0+60x60",
    },
    "TTDirectQueueFull": {
        'ttdirect:admission_rejections_total{instance="a", reason="queue_full"}': "7+1x60"
    },
    "TTDirectDeadlines": {
        'ttdirect:request_success_total{instance="a", finished_reason="deadline"}': "2+0x55 3+0x5"
    },
}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    """The files for one instance."""
    folder = tmp_path_factory.mktemp("watched")
    return Deployment(folder, "systemd", "prometheus", options=("--port", str(free_port())))


def alerts_of(deployment):
    (group,) = yaml.safe_load(deployment["ttdirect-alerts.yml"])["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def test_each_alert_calls_in_its_trouble_and_in_no_other(deployment, tmp_path):
    assert set(TROUBLES) == set(alerts_of(deployment))
    scenes = {"": {}, **TROUBLES}
    tests = [
        {
            "name": trouble or "no trouble",
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values} for series, values in (HEALTHY | scene).items()
            ],
            # Each name is asked for, so that an alert that also calls elsewhere is noticed.
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": "58m",
                    "exp_samples": [{"labels": f'{{alertname="{trouble}"}}', "value": 1}]
                    if trouble
                    else [],
                }
            ],
        }
        for trouble, scene in scenes.items()
    ]
    file = tmp_path / "scenes.yml"
    rules = [str(deployment.folder / "ttdirect-alerts.yml")]
    file.write_text(
        yaml.safe_dump({"rule_files": rules, "evaluation_interval": "1m", "tests": tests})
    )
    assert "SUCCESS" in check(tool("promtool"), "test", "rules", file)


def test_no_alert_goes_without_a_word_on_what_to_do(deployment):
    (group,) = yaml.safe_load(deployment["ttdirect-alerts.yml"])["groups"]
    for rule in group["rules"]:
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")


class Prometheus:
    """A running Prometheus, by its address."""

    def __init__(self, url):
        self.url = url

    def values(self, query):
        """The values of the series that a query has."""
        answer = requests.get(f"{self.url}/api/v1/query", {"query": query}, timeout=30).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        return [float(series["value"][1]) for series in answer["data"]["result"]]

    def wait_for(self, query):
        """The values of a query as soon as one of them is a number."""
        until = time.monotonic() + 60
        while not any(map(math.isfinite, values := self.values(query))):
            assert time.monotonic() < until, f"no data: {query}: {values}"
            time.sleep(0.1)
        return values


@contextlib.contextmanager
def prometheus(deployment, folder):
    """Prometheus with the generated settings, but in a hurry."""
    settings = deployment["prometheus.yml"].replace(": 15s", ": 250ms")
    assert settings.count("250ms") == 2
    file = deployment.folder / "hurried.yml"
    file.write_text(settings)
    port = free_port()
    command = [tool("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={folder}/tsdb"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(command, cwd=folder, start_new_session=True)
    try:
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def load(server):
    """Clients that ask until the end, with prompts that begin alike; one answer fails."""
    stop = threading.Event()

    def ask():
        number = 0
        while not stop.is_set():
            number += 1
            server.chat(f"repeat 20 {'a word ' * 30}{number}", max_tokens=20)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


@pytest.mark.slow
def test_every_expression_of_dashboard_and_alerts_has_data(deployment, tmp_path):
    port = int(re.search(r"127\.0\.0\.1:(\d+)", deployment["prometheus.yml"])[1])
    assert (deployment.folder / "prometheus-key").read_text() == METRICS
    card = json.dumps({"step_seconds": 0.005, "fail_at_step": 40})
    with deployment.instance(port, card) as server, prometheus(deployment, tmp_path) as watching:
        server.wait_ready()
        with load(server):
            until = time.monotonic() + 60
            while True:
                with contextlib.suppress(requests.ConnectionError):
                    if 1.0 in watching.values('up{job="ttdirect"}'):
                        break
                assert time.monotonic() < until, "Prometheus does not reach the server"
                time.sleep(0.1)
            expressions = [
                target["expr"].replace("$__rate_interval", "5s").replace("$model_name", MODEL)
                for panel in DASHBOARD["panels"]
                for target in panel["targets"]
            ]
            assert len(expressions) > 20
            for expression in expressions:
                watching.wait_for(expression)
            for alert, expression in alerts_of(deployment).items():
                # Whether it calls is the comparison at its end; before it stands what it watches.
                watched, compares = re.subn(r" (==|>) [\d.]+$", "", expression.strip())
                assert compares, alert
                watching.wait_for(watched)
