"""What the documents claim, checked against the code, so that they cannot drift apart."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ttdirect
from processes import load_script
from ttdirect.server import CHAT_FIELDS
from ttdirect.server.errors import endpoints

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCS = (
    "docs/architecture.md",
    "docs/deployment.md",
    "docs/diagnostics.md",
    "docs/language-server.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/security.md",
    "docs/tenstorrent.md",
    "docs/vllm.md",
)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *DOCS)


def first_cells(heading):
    """The first cells of the table under a heading of the README."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [re.match(r"\| `([^`]+)`", row)[1] for row in rows]


def test_the_version_stands_in_two_places_and_is_one():
    project = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'(?m)^version = "(.+)"$', project)[1] == ttdirect.__version__


def test_the_readme_lists_every_command():
    shown = subprocess.run(
        [sys.executable, "-m", "ttdirect", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(
        r"(?m)^    ([\w-]+)(?: {2,}|$)", shown.split("commands:")[1].split("start here")[0]
    )
    assert first_cells("On the command line") == [f"ttdirect {command}" for command in commands]


def test_the_readme_lists_every_route_of_the_script(tmp_path):
    section = README.split("## The API\n", 1)[1].split("\n## ", 1)[0]
    named = re.findall(r"`((?:GET|POST) /[^`]*)`", section)
    routes = endpoints(load_script(tmp_path).app)
    assert sorted(set(named)) == [route.replace("<path:", "<") for route in routes]


def test_the_readme_names_every_field_of_a_chat_with_its_limits():
    row = next(line for line in README.splitlines() if line.startswith("| `POST /chat` "))
    for field in CHAT_FIELDS:
        assert f"`{field.name}`" in row
    assert "`max_tokens` 1 to 2048" in row
    assert "`temperature` 0.0 to 2.0" in row


def test_every_make_target_that_a_document_names_exists():
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for name in DOCUMENTS:
        text = (ROOT / name).read_text()
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
        assert named <= targets, name


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_paths_lead_somewhere(name):
    document = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
    for path in re.findall(
        r"`((?:backend|tests|docs|scripts|requirements)/[\w./-]+)`", document.read_text()
    ):
        assert (ROOT / path).exists(), path


def test_the_map_names_only_modules_that_exist():
    text = (ROOT / "docs/architecture.md").read_text()
    for path in re.findall(r"`([a-z_]+/[\w./-]+\.(?:py|ts|template))`", text):
        homes = (ROOT, ROOT / "backend/ttdirect", ROOT / "extension/src")
        assert any((home / path).exists() for home in homes), path


def test_the_package_carries_a_model_of_at_most_12_megabytes():
    folder = ROOT / "backend/ttdirect/demo_model"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 12e6


def test_no_file_names_a_folder_of_somebodys_own_machine():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    files = [
        ROOT / name for name in listed.stdout.splitlines() if not name.endswith(".safetensors")
    ]
    for path in files:
        text = path.read_text(errors="replace")
        assert not re.search(r"/(?:root|home/\w+)/\.?\w+/", text), path
