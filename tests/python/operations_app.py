"""Small apps over engines on the fake Generator, with the routes of operation."""

from flask import Flask, jsonify
from prometheus_client.parser import text_string_to_metric_families

from ttdirect.server import add_streaming, health_report, protect
from ttdirect.server.operations import add_operations


def app_of(engine):
    """An app with the routes of operation and a few others."""
    app = Flask("test")
    protect(app)
    app.add_url_rule("/health", view_func=lambda: jsonify(health_report(engine)))
    add_streaming(app, engine)
    add_operations(app, engine)
    return app


class Metrics:
    """What `/metrics` says: `metrics["name", label=value]` is one sample."""

    def __init__(self, client):
        response = client.get("/metrics")
        assert response.status_code == 200
        self.text = response.text
        self.samples = [
            sample
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        ]

    def __call__(self, name, **labels):
        """The value of the one sample with this name and at least these labels."""
        (value,) = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return value

    def names(self):
        return {sample.name for sample in self.samples}


def metrics_of(source):
    """The metrics of an engine, or of the app that a client asks, as of now."""
    return Metrics(source if hasattr(source, "get") else app_of(source).test_client())
