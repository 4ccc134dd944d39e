"""Snapshots of tt-smi and the driver's files become boards, chips and numbers with units."""

import json
import os
import re

import pytest

from hardware.driver_files import SNAPSHOTS, fake_driver, fake_tt_smi, link, snapshot, write
from ttdirect.hardware import sysfs, tt_smi
from ttdirect.hardware.readings import Chip, Holder, group
from ttdirect.hardware.sysfs import Roots
from ttdirect.hardware.telemetry import read_hardware


def boards_of(name):
    return group(tt_smi.chips_of(snapshot(name)), through_pcie=False)


# Snapshots of tt-smi


@pytest.mark.parametrize(
    ("name", "board", "chips", "bus"),
    [
        ("n150", "N150", 1, "0000:01:00.0"),
        ("n300", "N300", 2, "0000:41:00.0"),
        ("p150", "P150", 1, "0000:0a:00.0"),
        ("p300", "P300", 2, "0000:01:00.0"),
    ],
)
def test_each_snapshot_is_one_board_with_its_chips(name, board, chips, bus):
    (reading,) = boards_of(name)
    assert (reading.name, reading.board.name) == (board, board)
    assert len(reading.chips) == chips == reading.board.chips
    assert reading.chips[0].bus == bus
    assert all(chip.answers for chip in reading.chips)


def test_padded_texts_become_numbers():
    (chip,) = boards_of("n150")[0].chips
    assert chip == Chip(
        card_type="n150 L",
        bus="0000:01:00.0",
        board_id="0100018611902015",
        temperature_celsius=45.2,
        temperature_limit_celsius=75.0,
        power_watts=22.0,
        voltage_volts=0.75,
        current_amperes=29.0,
        ai_clock_mhz=500.0,
        dram_trained=True,
        firmware="18.7.0.0",
    )


def test_a_chip_behind_its_neighbour_has_no_address():
    assert [chip.bus for chip in boards_of("n300")[0].chips] == ["0000:41:00.0", ""]


def test_a_wedged_board_is_there_and_says_nothing():
    known, unknown = boards_of("wedged")
    assert (known.name, len(known.chips), known.board.chips) == ("N300", 1, 2)
    assert known.chips[0].dram_trained is False
    assert unknown.name == "unknown board"
    assert not known.chips[0].answers
    assert unknown.chips == (Chip(),)


def test_the_chips_of_two_boards_are_told_apart_by_serial_number():
    left, right = snapshot("n300")["device_info"]
    other_left, other_right = json.loads(json.dumps([left, right]).replace("703043", "709999"))
    # All left chips first, as a T3K lists them.
    listed = tt_smi.chips_of({"device_info": [left, other_left, right, other_right]})
    first, second = group(listed, through_pcie=False)
    assert {chip.board_id for chip in first.chips} == {left["board_info"]["board_id"]}
    assert len(first.chips) == len(second.chips) == 2


def test_chips_without_a_serial_number_are_paired_as_they_come():
    listed = [Chip(card_type="p300c", bus=str(number)) for number in range(4)]
    buses = [[chip.bus for chip in board.chips] for board in group(listed, through_pcie=False)]
    assert buses == [["0", "1"], ["2", "3"]]


def test_the_32_chips_of_a_galaxy_are_one_system():
    listed = [Chip(card_type="tt-galaxy-wh", board_id=str(tray // 8)) for tray in range(32)]
    (galaxy,) = group(listed, through_pcie=False)
    assert (galaxy.name, len(galaxy.chips)) == ("GALAXY", 32)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"device_info": None},
        {"device_info": {}},
        {"device_info": [None, 7, "x", []]},
        {"device_info": [{"board_info": None, "telemetry": [], "limits": "N/A"}]},
        {"device_info": [{"telemetry": {"power": {}, "aiclk": "", "asic_temperature": "nan"}}]},
        {"device_info": [{"telemetry": {"power": "1e999", "voltage": "0x2cf"}}]},
    ],
)
def test_a_broken_snapshot_gives_no_numbers(broken):
    assert set(tt_smi.chips_of(broken)) <= {Chip()}


@pytest.mark.parametrize(
    ("said", "version"),
    [("TT-KMD 2.7.0", "2.7.0"), ("TTKMD 1.34", "1.34"), ("", ""), ("N/A", ""), (None, "")],
)
def test_the_drivers_version_is_taken_out_of_its_name(said, version):
    assert tt_smi.driver_of({"host_info": {"Driver": said}}) == version


# The program tt-smi


def program(folder, script):
    return str(fake_tt_smi(folder, script) / "tt-smi")


def test_the_program_is_asked_for_a_snapshot_without_a_terminal(tmp_path):
    script = f'[ "$*" = "-s --snapshot_no_tty" ] && cat {SNAPSHOTS}/p300.json'
    assert tt_smi.take_snapshot(program(tmp_path, script)) == snapshot("p300")


def test_log_lines_and_a_second_object_do_not_disturb(tmp_path):
    script = f"echo ' Detected 1 chip'; cat {SNAPSHOTS}/n150.json {SNAPSHOTS}/n150.json"
    assert tt_smi.take_snapshot(program(tmp_path, script)) == snapshot("n150")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("exit 1", "tt-smi ended with exit code 1"),
        ("echo no chips", "tt-smi printed no snapshot"),
        ("echo '{\"device_info\": ['", "tt-smi printed no snapshot"),
        ("echo '[]'", "tt-smi printed no snapshot"),
        ("yes", "tt-smi printed more than a snapshot"),
    ],
)
def test_a_program_that_fails_is_told_in_a_sentence(tmp_path, script, sentence):
    with pytest.raises(tt_smi.TtSmiError, match=f"^{sentence}$"):
        tt_smi.take_snapshot(program(tmp_path, script))


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path):
    script = f"echo $$ > {tmp_path}/pid; sleep 600 & wait"
    with pytest.raises(tt_smi.TtSmiError, match=r"no answer within 0\.5 s"):
        tt_smi.take_snapshot(program(tmp_path, script), seconds=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_is_none_is_told(tmp_path):
    with pytest.raises(tt_smi.TtSmiError, match="cannot be started"):
        tt_smi.take_snapshot(str(tmp_path / "tt-smi"))


def test_it_is_found_in_the_environment_of_the_installer(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert tt_smi.find_tt_smi() is None
    folder = fake_tt_smi(tmp_path / ".tenstorrent-venv" / "bin", "true")
    assert tt_smi.find_tt_smi() == str(folder / "tt-smi")


# The driver's files


def test_files_become_chips_with_units(tmp_path):
    roots = fake_driver(tmp_path, ["n150"])
    assert sysfs.read_chips(roots) == [
        Chip(
            card_type="n150",
            bus="0000:01:00.0",
            board_id="0100014511703000",
            temperature_celsius=45.25,
            temperature_limit_celsius=75.0,
            power_watts=22.0,
            voltage_volts=0.75,
            current_amperes=29.0,
            ai_clock_mhz=1000.0,
            arc_clock_mhz=540.0,
            axi_clock_mhz=900.0,
            firmware="18.7.0.0",
        )
    ]
    assert sysfs.driver_version(roots) == "2.7.0"
    assert sysfs.count_pci_cards(roots) == 1


def test_the_driver_shows_one_chip_of_an_n300_and_both_of_a_p300(tmp_path):
    hardware = read_hardware(fake_driver(tmp_path, ["n300", "p300c", "p300c"]))
    assert [(board.name, len(board.chips)) for board in hardware.boards] == [
        ("N300", 1),
        ("P300", 2),
    ]
    assert hardware.preset is None


def test_chips_come_in_the_order_of_their_numbers(tmp_path):
    roots = fake_driver(tmp_path, ["p150a"] * 11)
    assert [node.name for node in sysfs.device_nodes(roots)] == [str(n) for n in range(11)]


def test_a_chip_that_hangs_says_nothing(tmp_path):
    hardware = read_hardware(fake_driver(tmp_path, ["n150", "n150"], hanging=[1]))
    known, hanging = hardware.boards
    assert known.chips[0].answers
    assert (hanging.name, hanging.chips[0].bus) == ("unknown board", "0000:02:00.0")
    assert not hanging.chips[0].answers


@pytest.mark.parametrize("ones", [["4294967295"] * 3, ["65535", "65535000", "65535000000"]])
def test_a_chip_that_has_gone_answers_with_ones_only_and_that_is_no_answer(tmp_path, ones):
    """PCIe has all bits set where nothing answers; the driver hands them on, in its units."""
    roots = fake_driver(tmp_path, ["n150", "n150"])
    folder = roots.sys / "class/tenstorrent/tenstorrent!1"
    clock, temperature, power = ones
    for name in ("tt_aiclk", "tt_arcclk", "tt_axiclk"):
        write(folder / name, clock)
    for name, value in {
        "temp1_input": temperature,
        "temp1_max": temperature,
        "power1_input": power,
        "curr1_input": temperature,
        "in0_input": "4294967295",
    }.items():
        write(folder / "device/hwmon/hwmon3" / name, value)
    alive, gone = sysfs.read_chips(roots)
    assert alive.answers
    assert gone == Chip(
        card_type="n150", bus="0000:02:00.0", board_id=gone.board_id, firmware="18.7.0.0"
    )
    assert not gone.answers


def test_65535_thousandths_of_a_degree_are_a_temperature(tmp_path):
    roots = fake_driver(tmp_path, ["n150"])
    write(roots.sys / "class/tenstorrent/tenstorrent!0/device/hwmon/hwmon3/temp1_input", "65535")
    assert sysfs.read_chips(roots)[0].temperature_celsius == 65.535


def test_a_container_sees_only_the_chips_that_it_was_given(tmp_path, monkeypatch):
    roots = fake_driver(tmp_path, ["n150", "p150a"])
    (roots.dev / "tenstorrent/1").unlink()
    # The one file that is left is the host's chip 1.
    link(roots.sys / "dev/char/241:1", (roots.sys / "class/tenstorrent/tenstorrent!1").resolve())
    monkeypatch.setattr(sysfs, "_device_number", lambda node: "241:1")
    assert [chip.card_type for chip in sysfs.read_chips(roots)] == ["p150a"]


def test_the_number_of_a_character_device_is_its_own(tmp_path):
    null = sysfs.Path("/dev/null").stat().st_rdev
    assert sysfs._device_number(sysfs.Path("/dev/null")) == f"{os.major(null)}:{os.minor(null)}"
    assert sysfs._device_number(tmp_path) is None
    assert sysfs._device_number(tmp_path / "none") is None


def test_who_holds_a_chip_is_listed_once_with_its_name(tmp_path):
    roots = fake_driver(tmp_path, ["p300c", "p300c"], holders=[4242, os.getpid(), 4242, 0])
    assert sysfs.holders(roots) == [Holder(4242, "python"), Holder(0)]
    assert list(map(str, sysfs.holders(roots))) == [
        "python (4242)",
        "a process outside this container",
    ]


def test_without_a_card_there_is_nothing(tmp_path):
    hardware = read_hardware(Roots(tmp_path / "sys", tmp_path / "dev", tmp_path / "proc"))
    assert (hardware.source, hardware.boards, hardware.pci_cards) == ("none", (), 0)
    assert hardware.preset is None


def test_a_card_without_its_driver_is_seen_on_pci(tmp_path):
    roots = Roots(tmp_path / "sys", tmp_path / "dev", tmp_path / "proc")
    write(roots.sys / "bus/pci/devices/0000:01:00.0/vendor", "0x1e52")
    write(roots.sys / "bus/pci/devices/0000:02:00.0/vendor", "0x10de")
    assert read_hardware(roots).pci_cards == 1


# Which of the two is asked


@pytest.fixture
def tt_smi_says(tmp_path, monkeypatch):
    """Put a program `tt-smi` on the PATH, which runs a line of shell."""

    def say(script):
        folder = fake_tt_smi(tmp_path / "bin", script)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return say


def test_tt_smi_knows_more_and_is_asked_on_demand(tmp_path, tt_smi_says):
    tt_smi_says(f"cat {SNAPSHOTS}/n300.json")
    roots = fake_driver(tmp_path, ["n300"])
    assert read_hardware(roots).source == "sysfs"
    hardware = read_hardware(roots, ask_tt_smi=True)
    assert hardware.source == "tt-smi"
    assert [len(board.chips) for board in hardware.boards] == [2]
    assert hardware.preset.name == "N300"
    assert hardware.driver == "2.7.0"  # the loaded one


def test_tt_smi_is_left_alone_while_a_model_runs(tmp_path, tt_smi_says):
    tt_smi_says(f"touch {tmp_path}/asked; cat {SNAPSHOTS}/n300.json")
    roots = fake_driver(tmp_path, ["n300"], holders=[4242])
    hardware = read_hardware(roots, ask_tt_smi=True)
    assert (hardware.source, hardware.holders) == ("sysfs", (Holder(4242, "python"),))
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("script", "problem"),
    [("exit 3", "exit code 3"), ("echo '{\"device_info\": []}'", "lists no chip")],
)
def test_the_files_answer_when_tt_smi_does_not(tmp_path, tt_smi_says, script, problem):
    tt_smi_says(script)
    hardware = read_hardware(fake_driver(tmp_path, ["n150"]), ask_tt_smi=True)
    assert (hardware.source, hardware.preset.name) == ("sysfs", "N150")
    assert re.search(problem, hardware.problem)
