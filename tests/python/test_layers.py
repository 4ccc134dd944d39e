"""The house rules of DESIGN: who may import whom. See docs/architecture.md for the picture."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ttdirect

PACKAGE = Path(ttdirect.__file__).parent

MAY_IMPORT = {
    "cli": {
        "server",
        "language_server",
        "script",
        "deploy",
        "engine",
        "generator",
        "demo_model",
        "hardware",
        "device",
    },
    "deploy": {"script"},
    "language_server": {"script", "schema"},
    "script": set(),
    "schema": set(),
    "server": {"engine", "device", "schema"},
    "engine": {"device"},
    "generator": {"demo_model"},
    "demo_model": set(),
    "hardware": set(),
    "device": {"hardware"},
}
"""A layer may import these layers, itself, and the version in `ttdirect/__init__.py`."""

MUST_NOT_IMPORT = {
    "deploy": {"torch", "flask", "ttnn", "transformers", "requests", "numpy"},
    "language_server": {"torch", "flask", "ttnn", "transformers", "requests", "pydantic"},
    "schema": {"torch", "flask", "ttnn", "transformers", "requests", "pydantic"},
    "script": {"torch", "flask", "ttnn", "transformers", "requests"},
    "server": {"torch", "transformers", "ttnn"},
    "engine": {"flask", "gunicorn", "requests", "transformers", "ttnn"},
    "generator": {"flask", "gunicorn", "requests"},
    "hardware": {"torch", "flask", "ttnn", "transformers", "requests", "numpy"},
    "device": {"torch", "flask", "ttnn", "transformers", "requests", "numpy"},
}


def imports_of(path: Path):
    """Every module a file imports, as (dotted name, line), relative imports made absolute."""
    package = ["ttdirect", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module, node.lineno
            if module == "ttdirect":
                for alias in node.names:
                    yield f"ttdirect.{alias.name}", node.lineno


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def test_every_layer_has_a_rule():
    layers = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert layers == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_layer_imports_only_those_below_it(path):
    layer = path.relative_to(PACKAGE).parts[0]
    allowed = MAY_IMPORT[layer] | {layer}
    for module, line in imports_of(path):
        parts = module.split(".")
        where = f"{path.name}:{line} imports {module}"
        assert parts[0] not in MUST_NOT_IMPORT.get(layer, set()), where
        if parts[0] == "ttdirect" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir():
            assert parts[1] in allowed, where


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("ttdirect.schema.routes", {"torch", "flask", "pydantic", "requests", "numpy"}),
        ("ttdirect.cli.main", {"torch", "flask", "transformers", "requests", "numpy"}),
        ("ttdirect.script", {"torch", "flask", "transformers", "requests", "numpy"}),
        ("ttdirect.server", {"transformers"}),
        ("ttdirect.generator", {"transformers", "flask"}),
    ],
)
def test_importing_a_layer_does_not_drag_in_what_it_must_not_wait_for(module, heavy):
    code = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(run.stdout.split())


def test_the_protocol_stays_in_its_folder():
    for path in (PACKAGE / "language_server").rglob("*.py"):
        if path.parent.name != "lsp":
            for module, line in imports_of(path):
                knows = module.split(".")[0] in {"pygls", "lsprotocol", "cattrs"}
                assert not knows, f"{path.name}:{line} imports {module}"
