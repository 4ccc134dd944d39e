"""Which chips are opened: the script's setting, MESH_DEVICE, or all that are there."""

import pytest

from ttdirect.device import DeviceError
from ttdirect.device.shape import choose_shape, part_of
from ttdirect.device.system import System
from ttdirect.hardware.models import MODELS


def chips(count, cluster="CUSTOM"):
    return System(count, cluster, is_card=True)


@pytest.mark.parametrize(
    ("count", "cluster", "shape"),
    [
        (1, "N150", (1, 1)),
        (2, "N300", (1, 2)),
        (8, "T3K", (1, 8)),
        (4, "P150_X4", (1, 4)),
        (3, "CUSTOM", (1, 3)),
        (1, "", (1, 1)),
        (8, "GALAXY", (1, 8)),  # so many of them, if TT_VISIBLE_DEVICES hides the others
    ],
)
def test_all_chips_in_a_row_unless_something_else_is_wanted(count, cluster, shape):
    assert choose_shape(None, "", chips(count, cluster)) == shape


@pytest.mark.parametrize("cluster", ["GALAXY", "TG", "BLACKHOLE_GALAXY"])
def test_a_galaxy_is_no_row_of_32_which_no_model_fits(cluster):
    """ModelArgs asserts `n_kv_heads % cols == 0` (generator-api.md, section 4)."""
    _, columns = shape = choose_shape(None, "", chips(32, cluster))
    assert shape == (4, 8)
    fitting = {model.name for model in MODELS if model.shape.splits_over(columns)}
    assert {"Llama-3.1-8B", "Llama-3.1-70B", "Qwen3-32B"} <= fitting
    wide = {model.name for model in MODELS if model.shape.splits_over(32)}
    assert wide <= {"SmolLM2-1.7B", "Phi-3-mini"}


def test_the_setting_goes_before_mesh_device():
    assert choose_shape((2, 4), "N150", chips(8)) == (2, 4)
    assert choose_shape([1, 1], "T3K", chips(8)) == (1, 1)


class TestParts:
    @pytest.mark.parametrize(
        ("shape", "parts", "part"),
        [
            ((1, 1), 1, (1, 1)),
            ((2, 4), 1, (2, 4)),
            ((1, 2), 2, (1, 1)),
            ((1, 8), 4, (1, 2)),
            ((4, 8), 4, (1, 8)),  # tt-metal's CI runs a Galaxy in 4, 16 and 32 parts
            ((4, 8), 16, (1, 2)),
            ((4, 8), 32, (1, 1)),
        ],
    )
    def test_parts_are_pieces_of_rows(self, shape, parts, part):
        assert part_of(shape, parts) == part

    @pytest.mark.parametrize(
        ("shape", "parts", "possible"),
        [
            ((1, 1), 2, "to 1 (more: "),
            ((1, 8), 3, "to 1 or 2, 4, 8 (more: "),
            ((4, 8), 2, "to 1 or 4, 8, 16, 32 (more: "),
            ((1, 2), 0, "to 1 or 2 (more: "),
            ((1, 2), -2, "to 1 or 2 (more: "),
        ],
    )
    def test_other_parts_are_refused_with_those_that_can_be(self, shape, parts, possible):
        with pytest.raises(DeviceError, match="cannot be divided into") as caught:
            part_of(shape, parts)
        assert caught.value.code == "no-such-parts"
        assert possible in caught.value.fix


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("N150", (1, 1)),
        ("P100", (1, 1)),
        ("P150", (1, 1)),
        ("N300", (1, 2)),
        ("P300", (1, 2)),
        ("P150x2", (1, 2)),
        ("N150x4", (1, 4)),
        ("P150x4", (1, 4)),
        ("P300x2", (1, 4)),
        ("T3K", (1, 8)),
        ("P150x8", (1, 8)),
        ("TG", (4, 8)),
        ("BH-Galaxy", (4, 8)),
        ("t3k", (1, 8)),
        (" N300 ", (1, 2)),
        ("(2,4)", (2, 4)),
        ("(1, 8)", (1, 8)),
        ("2,2", (2, 2)),
    ],
)
def test_mesh_device_is_a_preset_or_a_pair(name, shape):
    """The presets of vllm-tt-plugin's utils/dp_discovery.py (generator-api.md, section 10)."""
    assert choose_shape(None, name, chips(32)) == shape


@pytest.mark.parametrize("name", ["N151", "(1,2,3)", "(0,1)", "1x2x", "(-1,2)", "()"])
def test_a_mesh_device_that_cannot_be_meant_is_refused_with_the_names_that_can(name):
    with pytest.raises(DeviceError) as caught:
        choose_shape(None, name, chips(32))
    assert str(caught.value) == f"MESH_DEVICE={name} is no mesh of chips."
    assert "(1, 2)" in caught.value.fix
    assert "N150, N150x4, N300, T3K" in caught.value.fix


@pytest.mark.parametrize("shape", [(1,), (0, 1), (1, -2), (1, 2, 3)])
def test_a_setting_that_cannot_be_meant_is_refused(shape):
    with pytest.raises(DeviceError, match="MESH_SHAPE = ") as caught:
        choose_shape(shape, "", chips(32))
    assert caught.value.code == "no-such-mesh"


def test_more_chips_than_there_are(monkeypatch):
    monkeypatch.delenv("TT_VISIBLE_DEVICES", raising=False)
    with pytest.raises(DeviceError) as caught:
        choose_shape(None, "T3K", chips(2))
    assert caught.value.code == "mesh-too-large"
    assert str(caught.value) == "A mesh of shape (1, 8) needs 8 chips, but 2 are here."
    monkeypatch.setenv("TT_VISIBLE_DEVICES", "0")
    with pytest.raises(DeviceError, match=r"1 are here\. TT_VISIBLE_DEVICES=0 may hide some\."):
        choose_shape((1, 2), "", chips(1))
