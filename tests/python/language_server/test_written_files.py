"""Files that scripts write from the code, and that must not fall behind it."""

import importlib.util
from pathlib import Path

import pytest

from ttdirect.language_server.rules.catalogue import RULES

ROOT = Path(__file__).parents[3]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("script", "make"),
    [("write_request_schemas", "request_schemas"), ("write_diagnostics", "page")],
)
def test_what_is_written_is_what_would_be_written(script, make):
    module = load(script)
    assert module.FILE.read_text(encoding="utf-8") == getattr(module, make)()


def test_the_catalogue_shows_every_rule_with_its_examples():
    page = (ROOT / "docs/diagnostics.md").read_text(encoding="utf-8")
    for rule in RULES:
        section = page.split(f"\n## {rule.code}\n", 1)[1].split("\n## ", 1)[0]
        for part in (rule.name, rule.severity.value, rule.why, rule.bad, rule.good):
            assert part in section
