"""The switch between the CPU and a Tenstorrent device: the script's import lines, and no more.

The Generator API has the same names on both. The block of imports that `ttdirect create` writes is
replaced as a whole, with the three other lines that differ; in other scripts each import gets the
module that has the same names.
"""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING, Literal

from ttdirect.script.recipes.model import Edit, UnsureError
from ttdirect.script.recipes.names import meaning_of
from ttdirect.script.render import (
    DEVICE_IMPORTS,
    DEVICE_NAMES,
    INSTALL_HINTS,
    default_model,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.script.device import Device
    from ttdirect.script.recipes.script import Script

Target = Literal["cpu", "tenstorrent"]

OWN_GENERATOR = "ttdirect.generator"

HOMES = {
    "PagedAttentionConfig": "models.tt_transformers.tt.common",
    "create_tt_model": "models.tt_transformers.tt.common",
    "get_padded_prefill_len": "models.tt_transformers.tt.common",
    "Generator": "models.tt_transformers.tt.generator",
    "SamplingParams": "models.tt_transformers.tt.generator",
    "DecodersPrecision": "models.tt_transformers.tt.model_config",
    "ModelArgs": "models.tt_transformers.tt.model_config",
}
"""Where tt-metal keeps the names that `ttdirect.generator` has in one place."""

TTNN_NAMES = frozenset(
    {
        "DataType",
        "DispatchCoreConfig",
        "MeshDevice",
        "MeshShape",
        "bfloat16",
        "bfloat4_b",
        "bfloat8_b",
        "close_mesh_device",
        "float32",
        "get_num_devices",
        "open_mesh_device",
    }
)
"""What of ttnn there is on the CPU."""


def switch(script: Script, target: Target) -> list[Edit]:
    """Return the edits that let another device compute.

    Raises:
        UnsureError: The script uses something that only one of the two has, or neither's imports.
    """
    edits = list(_rendered_block(script, target)) or list(_imports(script, target))
    if not edits:
        raise UnsureError(
            "The imports of ttnn and of the Generator are not written as this recipe knows them."
        )
    return sorted(edits, key=lambda it: it.start)


def line_of(script: Script, target: Target) -> int | None:
    """The line whose import says that `target` computes already."""
    wanted = OWN_GENERATOR if target == "cpu" else "ttnn"
    other = "ttnn" if target == "cpu" else OWN_GENERATOR
    lines: dict[str, int] = {}
    for node in script.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                lines.setdefault(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module:
            is_own = node.module == "ttdirect" and "generator" in {it.name for it in node.names}
            lines.setdefault(OWN_GENERATOR if is_own else node.module, node.lineno)
    return None if other in lines else lines.get(wanted)


def _rendered_block(script: Script, target: Target) -> Iterator[Edit]:
    devices: tuple[Device, ...] = ("cuda", "cpu", "tenstorrent")
    for device in devices:
        if device == target:
            continue
        now = _in_script(script, DEVICE_IMPORTS[device])
        start = script.source.find(now)
        if start >= 0:
            then = _in_script(script, DEVICE_IMPORTS[target])
            label = f"Imports the Generator API of {DEVICE_NAMES[target]}."
            yield Edit(start, start + len(now), then, label)
            yield from _other_lines(script, device, target)
            return


def _other_lines(script: Script, device: Device, target: Target) -> Iterator[Edit]:
    """The lines of a rendered script, beside its imports, that name the device."""
    pairs = [
        (
            f"wrote this file for {DEVICE_NAMES[device]}.",
            f"wrote this file for {DEVICE_NAMES[target]}.",
            "Names the device.",
        ),
        (
            f'print("fix:  ", "{INSTALL_HINTS[device]}", file=sys.stderr)',
            f'print("fix:  ", "{INSTALL_HINTS[target]}", file=sys.stderr)',
            "Says how to install what is missing.",
        ),
        (
            f'os.environ.get("HF_MODEL") or "{default_model(device)}"',
            f'os.environ.get("HF_MODEL") or "{default_model(target)}"',
            "Names the model that is there without HF_MODEL.",
        ),
    ]
    for now, then, label in pairs:
        start = script.source.find(now)
        if start >= 0:
            yield Edit(start, start + len(now), then, label)


def _in_script(script: Script, imports: str) -> str:
    """The imports as a rendered script has them, in a block of their own."""
    text = textwrap.indent(imports.rstrip("\n"), "    ")
    return text.replace("\n", script.lines.newline(1))


def _imports(script: Script, target: Target) -> Iterator[Edit]:
    """Each import by itself, in scripts that were not rendered."""
    if target == "cpu":
        _check_ttnn_names(script)
    for node in script.nodes:
        if isinstance(node, ast.Import) and target == "cpu":
            yield from _ttnn_to_cpu(script, node)
        elif isinstance(node, ast.ImportFrom) and target == "cpu":
            if node.module and node.module.startswith("models."):
                names = [it.name for it in node.names]
                _check_names(names, node.lineno, "on the CPU")
                if {HOMES[it] for it in names} == {node.module}:
                    yield _module(script, node, node.module, OWN_GENERATOR)
                else:
                    raise UnsureError(f"`{node.module}` is not where these names are.", node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "ttdirect":
            yield from _ttnn_to_card(script, node)
        elif isinstance(node, ast.ImportFrom) and node.module == OWN_GENERATOR:
            names = [it.name for it in node.names]
            _check_names(names, node.lineno, "in tt-metal")
            homes = {HOMES[it] for it in names}
            if len(homes) > 1:
                raise UnsureError(
                    "These names have several homes in tt-metal; import each by itself.",
                    node.lineno,
                )
            yield _module(script, node, OWN_GENERATOR, homes.pop())


def _ttnn_to_cpu(script: Script, node: ast.Import) -> Iterator[Edit]:
    for alias in node.names:
        if alias.name != "ttnn":
            continue
        if len(node.names) > 1:
            raise UnsureError("Import ttnn in a line of its own.", node.lineno)
        start, end = script.lines.span(node)
        text = f"from ttdirect import generator as {alias.asname or 'ttnn'}"
        yield Edit(start, end, text, "Lets the package's own Generator stand in for ttnn.")


def _ttnn_to_card(script: Script, node: ast.ImportFrom) -> Iterator[Edit]:
    for alias in node.names:
        if alias.name != "generator":
            continue
        if len(node.names) > 1:
            raise UnsureError("Import the generator in a line of its own.", node.lineno)
        name = alias.asname or "generator"
        text = "import ttnn" if name == "ttnn" else f"import ttnn as {name}"
        start, end = script.lines.span(node)
        yield Edit(start, end, text, "Imports ttnn, the device's own library.")


def _module(script: Script, node: ast.ImportFrom, now: str, then: str) -> Edit:
    start, _ = script.lines.span(node)
    if not script.source.startswith(f"from {now} import", start):
        raise UnsureError("This import is written in an unusual way.", node.lineno)
    begin = start + len("from ")
    return Edit(begin, begin + len(now), then, f"Takes these names from `{then}`.")


def _check_names(names: list[str], line: int, where: str) -> None:
    for name in names:
        if name not in HOMES:
            raise UnsureError(f"`{name}` has no counterpart {where}.", line)


def _check_ttnn_names(script: Script) -> None:
    for node in script.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "ttnn":
            raise UnsureError("Names of ttnn are imported one by one.", node.lineno)
        if (
            isinstance(node, ast.Attribute)
            and node.attr not in TTNN_NAMES
            and meaning_of(node.value, (script.module,)) == "ttnn"
        ):
            raise UnsureError(f"`ttnn.{node.attr}` has no counterpart on the CPU.", node.lineno)
