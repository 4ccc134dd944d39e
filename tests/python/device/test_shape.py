"""Which chips are opened: the script's setting, MESH_DEVICE, or all that are there."""

import pytest

from ttdirect.device import DeviceError
from ttdirect.device.shape import choose_shape


def test_all_chips_in_a_row_unless_something_else_is_wanted():
    assert choose_shape(None, "", 1) == (1, 1)
    assert choose_shape(None, "", 8) == (1, 8)


def test_the_setting_goes_before_mesh_device():
    assert choose_shape((2, 4), "N150", 8) == (2, 4)
    assert choose_shape([1, 1], "T3K", 8) == (1, 1)


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
    assert choose_shape(None, name, 32) == shape


@pytest.mark.parametrize("name", ["N151", "(1,2,3)", "(0,1)", "1x2x", "(-1,2)", "()"])
def test_a_mesh_device_that_cannot_be_meant_is_refused_with_the_names_that_can(name):
    with pytest.raises(DeviceError) as caught:
        choose_shape(None, name, 32)
    assert str(caught.value) == f"MESH_DEVICE={name} is no mesh of chips."
    assert "(1, 2)" in caught.value.fix
    assert "N150, N150x4, N300, T3K" in caught.value.fix


@pytest.mark.parametrize("shape", [(1,), (0, 1), (1, -2), (1, 2, 3)])
def test_a_setting_that_cannot_be_meant_is_refused(shape):
    with pytest.raises(DeviceError, match="MESH_SHAPE = ") as caught:
        choose_shape(shape, "", 32)
    assert caught.value.code == "no-such-mesh"


def test_more_chips_than_there_are(monkeypatch):
    monkeypatch.delenv("TT_VISIBLE_DEVICES", raising=False)
    with pytest.raises(DeviceError) as caught:
        choose_shape(None, "T3K", 2)
    assert caught.value.code == "mesh-too-large"
    assert str(caught.value) == "A mesh of shape (1, 8) needs 8 chips, but 2 are here."
    monkeypatch.setenv("TT_VISIBLE_DEVICES", "0")
    with pytest.raises(DeviceError, match=r"1 are here\. TT_VISIBLE_DEVICES=0 may hide some\."):
        choose_shape((1, 2), "", 1)
