"""docs/tenstorrent.md says the same as the tables, and names every command of the report."""

import re
from pathlib import Path

from ttdirect.cli.report import NEXT
from ttdirect.hardware.boards import BOARDS, PRESETS
from ttdirect.hardware.limits import limits_for
from ttdirect.hardware.models import MODELS
from ttdirect.hardware.published import FIGURES

GUIDE = (Path(__file__).parents[3] / "docs" / "tenstorrent.md").read_text()


def rows_below(head):
    """The cells of the table whose first line begins with `head`."""
    table = re.search(rf"(?m)^{re.escape(head)}.*\n\|[-|]+\n((?:\|.*\n)+)", GUIDE)
    return [tuple(re.findall(r"[^|]+?(?= \|)", row)) for row in table[1].splitlines()]


def cells(*values):
    return tuple(f" {value}" for value in values)


def test_the_boards_are_those_of_the_table():
    assert rows_below("| board |") == [
        cells(board.name, board.chips, board.architecture, f"{board.dram_bytes / 1e9:.1f} GB")
        for board in BOARDS
    ]


def test_the_systems_are_those_of_the_table():
    assert rows_below("| `MESH_DEVICE` |") == [
        cells(preset.name, "{} x {}".format(*preset.shape), f"{preset.count} {preset.board.name}")
        for preset in PRESETS
    ]


def test_the_models_are_those_of_the_table():
    assert rows_below("| model | weights") == [
        cells(
            model.name,
            f"{model.shape.weights_bytes / 1e9:.1f} GB",
            f"{model.shape.kv_bytes_per_token * 32_768 / 1e9:.1f} GB",
            ", ".join(model.verified) or "-",
            ", ".join(model.configured) or "-",
        )
        for model in MODELS
    ]


def test_the_limits_are_those_of_the_table():
    """Every pair that has a limit of its own."""
    limits = [
        (model, preset, limits_for(model, preset))
        for model in MODELS
        for preset in PRESETS
        if preset.name in (*model.verified, *model.configured)
    ]
    assert rows_below("| model | system | context") == [
        cells(
            model.name,
            preset.name,
            f"{its.context:,}",
            f"{its.one_pass:,}" if its.is_named else f"{its.one_pass:,} (not named)",
            ", ".join(map(str, its.traced)) or "-",
        )
        for model, preset, its in limits
    ]


def test_the_published_figures_are_those_of_the_table():
    assert rows_below("| model | system | requests") == [
        cells(
            figure.model,
            figure.system,
            figure.batch,
            f"{figure.tokens_per_second:g}",
            f"{figure.ttft_ms:g}",
            figure.source.state,
        )
        for figure in FIGURES
    ]


def test_the_commands_of_the_report_are_explained_in_their_order():
    last = GUIDE.index("## What could not be verified without a card, and what to run")
    for command in (*NEXT, "ttdirect doctor --report"):
        assert f"`{command}" in GUIDE[last:], command
        last = GUIDE.index(f"`{command}", last)
