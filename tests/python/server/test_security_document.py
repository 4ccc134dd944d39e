"""docs/security.md and the code name the same settings, files and numbers."""

import re
from pathlib import Path

import ttdirect.server
from ttdirect.server import arrival, protection, worker

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/security.md").read_text()
FLAT = " ".join(TEXT.split())


def test_the_table_lists_every_setting_of_the_server():
    sources = Path(ttdirect.server.__file__).parent.rglob("*.py")
    mentioned = {
        name for path in sources for name in re.findall(r'"(TTDIRECT_[A-Z_]+)"', path.read_text())
    }
    table = re.findall(r"(?m)^\| `(TTDIRECT_[A-Z_]+)` \|", TEXT)
    assert len(table) == len(set(table))
    protections = {name for name in mentioned if f"`{name}" in TEXT}
    assert protections == set(table)
    assert {"TTDIRECT_API_KEY", "TTDIRECT_RATE_LIMIT", "TTDIRECT_ALLOWED_HOSTS"} <= protections


def test_it_names_only_tests_that_exist():
    for name in re.findall(r"`(test_\w+\.py)`", TEXT):
        assert (ROOT / "tests/python/server" / name).exists(), name
    assert (ROOT / "benchmarks/slow_clients.py").exists()


def test_the_numbers_are_those_of_the_code():
    assert f"has {worker.ARRIVAL_SECONDS} s to arrive" in FLAT
    assert f"more than {arrival.LOOKED_AT // 1024} KiB are read while they come" in FLAT
    assert worker.LARGE_AT_ONCE == 8
    assert "eight at a time" in FLAT
    assert f"takes nothing for {worker.UNREAD_SECONDS} s" in FLAT
    assert f"`TTDIRECT_MAX_BODY_KIB` | {protection.DEFAULT_BODY_KIB} |" in FLAT
