"""Opening and closing: what is asked of ttnn, in which order, on every way out."""

import json
import os
import sys
import types

import pytest

import fake_card
from hardware.driver_files import fake_driver
from ttdirect import generator
from ttdirect.device import DeviceError, mesh, open_card, open_mesh

MODEL = "meta-llama/Llama-3.2-1B-Instruct"


@pytest.fixture
def card(monkeypatch):
    """A function that says what the fake card is like."""
    monkeypatch.delenv("MESH_DEVICE", raising=False)
    monkeypatch.delenv("TT_VISIBLE_DEVICES", raising=False)
    fake_card.calls.clear()

    def describe(**options):
        monkeypatch.setenv("FAKE_CARD", json.dumps(options))

    describe(chips=1, cluster="N150")
    return describe


def asked():
    return [(name, about) for name, about, _ in fake_card.calls if name != "get_num_devices"]


def test_one_chip_needs_no_fabric(card):
    opened = open_mesh(fake_card, model=MODEL)
    assert opened.device.shape == (1, 1)
    opened.close()
    assert asked() == [("open_mesh_device", (1, 1)), ("close_mesh_device", (1, 1))]


def test_the_fabric_is_set_up_before_opening_and_taken_down_after_closing(card):
    """Without the last step the next opening fails (generator-api.md, section 11)."""
    card(chips=2, cluster="N300")
    open_mesh(fake_card, model=MODEL).close()
    assert asked() == [
        ("set_fabric_config", "FABRIC_1D"),
        ("open_mesh_device", (1, 2)),
        ("close_mesh_device", (1, 2)),
        ("set_fabric_config", "DISABLED"),
    ]


def test_the_fabric_is_taken_down_when_opening_fails(card):
    card(chips=2, cluster="N300", error_in_opening="TT_FATAL @ a.cpp:1: x\ninfo:\nno luck\n")
    with pytest.raises(DeviceError, match="The device failed: no luck"):
        open_mesh(fake_card, model=MODEL)
    assert asked()[-1] == ("set_fabric_config", "DISABLED")


def test_the_fabric_is_taken_down_when_closing_fails(card, monkeypatch):
    card(chips=2, cluster="N300")
    opened = open_mesh(fake_card, model=MODEL)

    def fail(_device):
        raise RuntimeError("lost")

    monkeypatch.setattr(fake_card, "close_mesh_device", fail)
    with pytest.raises(RuntimeError, match="lost"):
        opened.close()
    assert asked()[-1] == ("set_fabric_config", "DISABLED")


def test_a_mesh_is_divided_and_its_parts_are_closed_before_it(card):
    card(chips=8, cluster="T3K")
    opened = open_mesh(fake_card, model=MODEL, data_parallel=4)
    assert [part.shape for part in opened.parts] == [(1, 2)] * 4
    opened.close()
    assert asked() == [
        ("set_fabric_config", "FABRIC_1D"),
        ("open_mesh_device", (1, 8)),
        ("create_submeshes", (1, 2)),
        *[("close_mesh_device", (1, 2))] * 4,
        ("close_mesh_device", (1, 8)),
        ("set_fabric_config", "DISABLED"),
    ]
    assert opened.parts == []


def test_a_mesh_that_is_not_divided_is_its_only_part(card):
    opened = open_mesh(fake_card, model=MODEL)
    assert opened.parts == [opened.device]
    opened.close()


def test_a_mesh_that_cannot_be_divided_so_is_not_opened(card):
    card(chips=2, cluster="N300")
    with pytest.raises(DeviceError, match="cannot be divided into 3"):
        open_mesh(fake_card, model=MODEL, data_parallel=3)
    assert asked() == []
    with pytest.raises(DeviceError, match="cannot be divided into 2"):
        open_mesh(generator, model="demo", data_parallel=2)


def test_a_mesh_is_closed_when_ttnn_cannot_divide_it(card, monkeypatch):
    card(chips=2, cluster="N300")

    def fail(*_):
        raise RuntimeError("lost")

    monkeypatch.setattr(fake_card, "_divide", fail)
    with pytest.raises(RuntimeError, match="lost"):
        open_mesh(fake_card, model=MODEL, data_parallel=2)
    assert asked()[-2:] == [("close_mesh_device", (1, 2)), ("set_fabric_config", "DISABLED")]


def test_each_part_has_to_hold_the_whole_model(card):
    """Eight chips of a T3K hold Llama-3.1-70B together, and two of them do not."""
    card(chips=8, cluster="T3K")
    model = "meta-llama/Llama-3.1-70B-Instruct"
    open_mesh(fake_card, model=model, cache_tokens=8192).close()
    with pytest.raises(DeviceError, match=r"a \(1, 2\) mesh of N300 chips has 25\.\d GB"):
        open_mesh(fake_card, model=model, cache_tokens=8192, data_parallel=4)


def test_the_trace_region_is_that_of_a_part(card, monkeypatch):
    """On each chip: ModelArgs takes one chip of a T3K for an N150."""
    card(chips=8, cluster="T3K")
    sizes = []
    real = fake_card.open_mesh_device

    def note(shape, trace_region_size, **options):
        sizes.append(trace_region_size)
        return real(shape, trace_region_size, **options)

    monkeypatch.setattr(fake_card, "open_mesh_device", note)
    model = "meta-llama/Llama-3.1-8B-Instruct"
    for parts in (1, 4, 8):
        open_mesh(fake_card, model=model, data_parallel=parts).close()
    assert sizes == [117_000_000, 70_000_000, 60_000_000]


def test_closing_twice_does_no_harm(card):
    opened = open_mesh(fake_card, model=MODEL)
    opened.close()
    opened.close()
    assert len(asked()) == 2


def test_mesh_device_counts_on_a_card_and_not_on_the_cpu(card, monkeypatch):
    """A script for the CPU runs on a card's host as well, where the variable may be set."""
    card(chips=8, cluster="T3K")
    monkeypatch.setenv("MESH_DEVICE", "N300")
    assert open_mesh(fake_card, model=MODEL).device.shape == (1, 2)
    on_cpu = open_mesh(generator, model="demo")
    assert tuple(on_cpu.device.shape) == (1, 1)
    on_cpu.close()


def test_without_a_model_nothing_is_opened(card):
    with pytest.raises(DeviceError) as caught:
        open_mesh(fake_card, model="")
    assert caught.value.code == "model-not-chosen"
    assert asked() == []


def test_a_model_that_cannot_fit_is_refused_before_anything_is_opened(card):
    with pytest.raises(DeviceError, match="does not fit") as caught:
        open_mesh(fake_card, model="meta-llama/Llama-3.1-70B-Instruct", cache_tokens=32_768)
    assert caught.value.code == "not-enough-memory"
    assert asked() == []


def test_an_error_that_nobody_knows_stays_what_it_is(card):
    card(error_in_opening="no words for it")
    with pytest.raises(RuntimeError, match="no words for it") as caught:
        open_mesh(fake_card, model=MODEL)
    assert not isinstance(caught.value, DeviceError)


def test_whoever_else_holds_the_device_is_named_before_opening_can_block(
    card, monkeypatch, caplog, tmp_path
):
    """ "Waiting for KMD lock ..." blocks and does not raise (generator-api.md, section 11)."""
    roots = fake_driver(tmp_path, ["n150"], holders=[4242, os.getpid(), 0])
    monkeypatch.setattr(mesh, "THIS_COMPUTER", roots)
    open_mesh(fake_card, model=MODEL)
    (record,) = caplog.records
    assert record.getMessage() == (
        "The Tenstorrent device is in use by python (4242), a process outside this container. If "
        "opening it here does not go on, end that."
    )


def test_nobody_is_named_to_a_server_on_the_cpu(monkeypatch, caplog, tmp_path):
    """It opens no device, so that others have one is nothing to it."""
    monkeypatch.setattr(mesh, "THIS_COMPUTER", fake_driver(tmp_path, ["n150"], holders=[4242]))
    open_mesh(generator, model="demo").close()
    assert caplog.records == []


def test_it_is_known_whether_a_card_is_open(card):
    opened = open_mesh(fake_card, model=MODEL)
    assert open_card
    opened.close()
    assert not open_card

    on_the_cpu = open_mesh(generator, model="demo")
    assert not open_card
    on_the_cpu.close()

    card(chips=1, cluster="N150", error_in_opening="no luck")
    with pytest.raises(RuntimeError, match="no luck"):
        open_mesh(fake_card, model=MODEL)
    assert not open_card


def test_the_process_that_watches_sees_the_card_of_one_that_crashed(card):
    worker = os.fork()
    if worker == 0:
        open_mesh(fake_card, model=MODEL)
        os._exit(0)
    try:
        assert os.waitpid(worker, 0)[1] == 0
        assert open_card
    finally:
        open_card.note(is_open=False)


def test_tt_metals_clone_becomes_the_working_directory(card, monkeypatch, tmp_path):
    clone, elsewhere = tmp_path / "tt-metal", tmp_path / "elsewhere"
    package = clone / "models" / "tt_transformers"
    package.mkdir(parents=True)
    (elsewhere / "my-model").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HF_MODEL", "my-model")
    module = types.ModuleType("models.tt_transformers")
    module.__path__ = [str(package)]
    monkeypatch.setitem(sys.modules, "models.tt_transformers", module)

    open_mesh(generator, model="demo").close()
    assert os.getcwd() == str(elsewhere)  # noqa: PTH109 - the CPU needs no clone

    open_mesh(fake_card, model="my-model").close()
    assert os.getcwd() == str(clone)  # noqa: PTH109
    assert os.environ["HF_MODEL"] == str(elsewhere / "my-model")
