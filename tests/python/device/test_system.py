"""What ttnn's names for clusters mean, and how much room traces get there."""

import pytest

import fake_card
from ttdirect import generator
from ttdirect.device.mesh import fabric_for
from ttdirect.device.system import System, look_at
from ttdirect.device.trace_region import DEFAULT_BYTES, trace_region_bytes


def system(cluster, chips=1):
    return System(chips, cluster, is_card=True)


@pytest.mark.parametrize(
    ("cluster", "board"),
    [
        ("N150", "N150"),
        ("N300", "N300"),
        ("N300_2x2", "N300"),
        ("T3K", "N300"),
        ("GALAXY", "GALAXY"),
        ("TG", "GALAXY"),
        ("P100", "P100"),
        ("P150", "P150"),
        ("P150_X2", "P150"),
        ("P150_X4", "P150"),
        ("P150_X8", "P150"),
        ("P300", "P300"),
        ("P300_X2", "P300"),
        ("BLACKHOLE_GALAXY", "BLACKHOLE_GALAXY"),
    ],
)
def test_every_cluster_of_ttnn_is_made_of_known_boards(cluster, board):
    """The names of `ttnn.cluster.get_cluster_type()` (generator-api.md, section 9)."""
    assert system(cluster).board.name == board


@pytest.mark.parametrize("cluster", ["CUSTOM", "INVALID", "SIMULATOR_WORMHOLE_B0", ""])
def test_other_clusters_have_no_board(cluster):
    assert system(cluster).board is None
    assert system(cluster).name_of(1) == ""


@pytest.mark.parametrize(
    ("cluster", "chips", "name"),
    [
        ("N150", 1, "N150"),
        ("N300", 2, "N300"),
        ("N300", 1, "N150"),
        ("T3K", 8, "T3K"),
        ("T3K", 2, "N300"),
        ("P100", 1, "P100"),
        ("P150_X4", 4, "P150x4"),
        ("P150_X4", 1, "P150"),
        ("P300_X2", 4, "P300x2"),
        ("T3K", 3, ""),
    ],
)
def test_a_part_of_a_system_is_called_by_architecture_and_number(cluster, chips, name):
    assert system(cluster).name_of(chips) == name


@pytest.mark.parametrize(
    ("cluster", "chips", "fabric"),
    [
        ("N150", 1, ""),
        ("T3K", 1, ""),
        ("N300", 2, "FABRIC_1D"),
        ("T3K", 8, "FABRIC_1D"),
        ("TG", 32, "FABRIC_1D"),
        ("P150_X4", 4, "FABRIC_1D"),
        ("GALAXY", 32, "FABRIC_1D_RING"),
        ("GALAXY", 2, "FABRIC_1D_RING"),
        ("BLACKHOLE_GALAXY", 32, "FABRIC_2D_TORUS_XY"),
    ],
)
def test_several_chips_need_a_fabric(cluster, chips, fabric):
    """vllm-tt-plugin's rule (generator-api.md, section 9)."""
    assert fabric_for(system(cluster), chips) == fabric


@pytest.mark.parametrize(
    ("model", "name", "size"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "N150", 60_000_000),
        ("/models/Llama-3.1-8B-Instruct/", "N300", 70_000_000),
        ("meta-llama/Llama-3.1-8B-Instruct", "T3K", 117_000_000),
        ("meta-llama/Llama-3.1-8B-Instruct", "P150", 90_000_000),
        ("meta-llama/Llama-3.1-8B-Instruct", "", DEFAULT_BYTES),
        ("meta-llama/Llama-3.3-70B-Instruct", "T3K", 224_000_000),
        ("meta-llama/Llama-3.2-1B-Instruct", "N150", DEFAULT_BYTES),
        ("somebody/else", "N150", DEFAULT_BYTES),
    ],
)
def test_the_trace_region_is_what_is_known_for_model_and_system(model, name, size):
    """generator-api.md, sections 8 and 9. Never 0: older versions fail at capture then."""
    assert trace_region_bytes(model, name) == size > 0


def test_ttnn_is_asked_what_is_there(monkeypatch):
    monkeypatch.setenv("FAKE_CARD", '{"chips": 2, "cluster": "N300"}')
    assert look_at(fake_card) == System(2, "N300", is_card=True)
    assert look_at(generator) == System(1, "", is_card=False)
