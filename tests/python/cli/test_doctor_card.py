"""`ttdirect doctor` and `ttdirect hardware` on a computer with a Tenstorrent card."""

import json
import os
import subprocess
import sys

import pytest

from hardware.driver_files import SNAPSHOTS, fake_driver, fake_tt_smi, snapshot, write
from ttdirect.cli.checks import computer
from ttdirect.cli.checks.hardware import check_hardware
from ttdirect.cli.main import main
from ttdirect.cli.report import redact
from ttdirect.hardware import sysfs, tt_smi
from ttdirect.hardware.readings import Chip, Hardware, Holder, group
from ttdirect.script import device

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def seen(name, **others):
    """The hardware of a snapshot of tt-smi."""
    boards = group(tt_smi.chips_of(snapshot(name)), through_pcie=False)
    return Hardware("tt-smi", "2.7.0", boards, pci_cards=1, **others)


def checks_of(hardware, model="", device="tenstorrent"):
    return {check.name: check for check in check_hardware(hardware, model, device)}


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Put boards into this computer, in the files of the driver."""

    def put_in(*cards, **options):
        roots = fake_driver(tmp_path / "computer", cards, **options)
        monkeypatch.setattr(sysfs, "THIS_COMPUTER", roots)
        monkeypatch.setattr(device, "DEVICE_FOLDER", roots.dev / "tenstorrent")
        return roots

    return put_in


# Boards


def test_a_board_is_shown_with_its_chips_and_readings():
    checks = checks_of(seen("n300"))
    assert checks["driver"].message == "tt-kmd 2.7.0, read from tt-smi"
    assert checks["board 0"].status == "ok"
    assert checks["board 0"].message == (
        "N300; 2 chips wormhole_b0, 25.6 GB DRAM; firmware 18.7.0.0; "
        "38 °C, 19 W, 500 MHz; 41 °C, 17 W, 500 MHz"
    )


@pytest.mark.parametrize("name", ["n150", "n300", "p150", "p300"])
def test_every_board_of_the_snapshots_is_well(name):
    checks = checks_of(seen(name), "")
    assert {check.status for check in checks.values()} == {"ok"}
    assert checks["system"].message.startswith(f"{name.upper()}, a mesh of 1 x ")


def test_a_wedged_board_fails_with_the_command_that_resets_it():
    check = checks_of(seen("wedged"))["board 0"]
    assert check.status == "fail"
    assert "no readings; it hangs" in check.message
    assert check.fix.endswith("tt-smi -r")


def test_memory_that_did_not_come_up_is_told():
    devices = json.loads(json.dumps(snapshot("n150")).replace("true", "false"))
    hardware = Hardware("tt-smi", "", group(tt_smi.chips_of(devices), through_pcie=False))
    assert "its DRAM did not come up" in checks_of(hardware)["board 0"].message


def test_a_hot_board_is_a_warning():
    devices = json.loads(json.dumps(snapshot("n150")).replace(" 45.2", " 71.0"))
    hardware = Hardware("tt-smi", "", group(tt_smi.chips_of(devices), through_pcie=False))
    assert checks_of(hardware)["board 0"].status == "warn"


def test_a_card_without_a_driver_is_told():
    (check,) = check_hardware(Hardware("none", pci_cards=1), LLAMA, "cpu")
    assert (check.name, check.status) == ("driver", "fail")
    assert "modprobe tenstorrent" in check.fix


def test_who_uses_the_board_is_named():
    checks = checks_of(seen("n150", holders=(Holder(4242, "python"), Holder(0))))
    assert checks["in use"].status == "warn"
    assert "by python (4242), a process outside this container;" in checks["in use"].message


def test_tt_smi_that_fails_is_a_warning():
    checks = checks_of(seen("n150", problem="tt-smi gave no answer within 20 s"))
    assert checks["driver"].status == "warn"


# Models


def test_a_model_that_fits_is_told_with_the_numbers_and_what_to_expect():
    checks = checks_of(seen("n150"), LLAMA)
    assert checks["fit"].status == "ok"
    assert f"{LLAMA} takes 11.3 GB of 12.8 GB DRAM: 9.0 GB for the weights" in checks["fit"].message
    assert checks["fit"].message.endswith("(tt-metal allows up to 32,768 on N150)")
    assert checks["expected"].message == (
        "Llama-3.1-8B on N150: 1 request: 28.3 tokens/s each, first token after 104 ms (measured "
        "in 2025, superseded); 32 requests: 23.5 tokens/s each, first token after 113 ms (CI "
        "target of 2026, not a measurement)"
    )


def test_a_model_that_tt_metal_does_not_name_for_the_board_is_a_warning():
    check = checks_of(seen("p150"), "meta-llama/Llama-3.2-3B-Instruct")["support"]
    assert check.status == "warn"
    assert check.message.startswith("tt-metal does not name Llama-3.2-3B for P150")
    assert check.fix.startswith("it is named for N150, N300, T3K;")
    assert "support" not in checks_of(seen("n150"), LLAMA)


def test_the_longest_context_is_told_and_what_the_script_sets_beyond_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    check = checks_of(seen("n150"), LLAMA)["context"]
    assert (check.status, check.message) == (
        "ok",
        "Llama-3.1-8B on N150: up to 32,768 tokens, of which one pass reads 4,096",
    )
    script = tmp_path / "tt-api-server-direct.py"
    script.write_text("MAX_SEQ_LEN = 65_536\nCACHE_TOKENS = 32768\n")
    check = checks_of(seen("n150"), LLAMA)["context"]
    assert check.status == "warn"
    assert check.message.endswith("one pass reads 4,096; the script has MAX_SEQ_LEN = 65,536")
    assert check.fix == "set MAX_SEQ_LEN to at most 32768"
    script.write_text("MAX_SEQ_LEN = 65_536\nCACHE_TOKENS = 65_536\n")
    assert "MAX_SEQ_LEN and CACHE_TOKENS" in checks_of(seen("n150"), LLAMA)["context"].fix
    assert checks_of(seen("n300"), LLAMA)["context"].status == "ok"


def test_a_whole_galaxy_has_room_for_what_no_row_of_32_fits():
    """32 chips, one board: `choose_shape` makes 4 rows of 8 of them."""
    chip = Chip(card_type="tt-galaxy-wh", bus="0000:01:00.0", ai_clock_mhz=500.0)
    hardware = Hardware("tt-smi", "2.7.0", group([chip] * 32, through_pcie=False))
    checks = checks_of(hardware, LLAMA)
    assert checks["system"].message.startswith("TG, a mesh of 4 x 8 chips")
    assert checks["fit"].status == "ok"


def test_a_model_that_does_not_fit_fails_with_the_numbers():
    check = checks_of(seen("p150"), "Qwen/Qwen2.5-Coder-32B-Instruct")["fit"]
    assert check.status == "fail"
    assert "35.5 GB" in check.message
    assert "choose a smaller model" in check.fix


def test_a_model_that_the_cpu_will_serve_need_not_fit_the_board():
    model = "Qwen/Qwen2.5-Coder-32B-Instruct"
    assert checks_of(seen("p150"), model, "cpu")["fit"].status == "warn"


def test_a_model_whose_heads_cannot_be_shared_out_fails():
    check = checks_of(seen("n150"), "Qwen/Qwen2.5-7B-Instruct")["fit"]
    assert (check.status, "2" in check.message) == ("fail", True)


def test_mesh_device_says_how_much_of_the_board_is_used(monkeypatch):
    monkeypatch.setenv("MESH_DEVICE", "N150")
    checks = checks_of(seen("n300"), LLAMA)
    assert "of 12.8 GB DRAM" in checks["fit"].message
    assert checks["expected"].message.startswith("Llama-3.1-8B on N150")


def test_a_mesh_device_that_is_none_fails(monkeypatch):
    monkeypatch.setenv("MESH_DEVICE", "N151")
    assert checks_of(seen("n150"), LLAMA)["fit"].status == "fail"


def test_the_size_of_an_unknown_model_is_not_guessed():
    checks = checks_of(seen("n150"), "some/model")
    assert "its size is not known yet" in checks["fit"].message
    assert "expected" not in checks


def test_boards_that_tt_metal_has_no_name_for_are_a_warning(card):
    roots = card("n150", "p150a")
    hardware = Hardware("sysfs", "", group(sysfs.read_chips(roots), through_pcie=True))
    assert checks_of(hardware)["system"].status == "warn"


def test_a_model_is_recommended_to_those_with_and_without_an_account():
    message = checks_of(seen("n150"))["system"].message
    assert f"is {LLAMA}, which asks for an account on the hub; without one: microsoft/" in message


# tt-metal


@pytest.fixture
def clone(tmp_path):
    """A clone of tt-metal with an environment that has ttnn."""
    folder = tmp_path / "clone of tt-metal"
    (folder / "models/tt_transformers").mkdir(parents=True)
    write(folder / "VERSION", "v0.61.0")
    python = folder / "python_env/bin/python"
    write(python, "#!/bin/sh")
    python.chmod(0o755)
    packages = folder / "python_env/lib/python3.10/site-packages"
    (packages / "ttnn-0.61.0.dist-info").mkdir(parents=True)
    (packages / "pip").mkdir()
    return folder


def test_without_a_card_tt_metal_does_not_matter():
    assert computer.check_tt_metal() == []


@pytest.mark.parametrize(("ttnn", "status"), [(True, "fail"), (False, "warn")])
def test_a_card_that_shall_answer_needs_tt_metal(card, monkeypatch, ttnn, status):
    card("n150")
    monkeypatch.setattr(computer, "has_ttnn", lambda: ttnn)
    check = computer.check_tt_metal()[0]
    assert check.status == status
    assert "TT_METAL_HOME" in check.fix


def test_a_wrong_tt_metal_home_is_told(card, monkeypatch, tmp_path):
    card("n150")
    monkeypatch.setenv("TT_METAL_HOME", str(tmp_path))
    check = computer.check_tt_metal()[0]
    assert check.status == "fail"
    assert "TT_METAL_HOME names it" in check.message


def test_another_python_is_told_how_to_become_the_right_one(card, clone, monkeypatch):
    card("n150")
    monkeypatch.setenv("TT_METAL_HOME", str(clone))
    check = computer.check_tt_metal()[0]
    assert check.status == "warn"
    assert "v0.61.0 at" in check.message
    assert "has ttnn 0.61.0; this Python is another one" in check.message
    assert "-m pip install --constraint" in check.fix


def test_a_clone_in_a_usual_folder_needs_no_variable(card, monkeypatch, plain_environment):
    """A script finds it there, too (`device/clone.py`)."""
    card("n150")
    monkeypatch.setattr(computer, "has_ttnn", lambda: True)
    (plain_environment / "tt-metal/models/tt_transformers").mkdir(parents=True)
    check = computer.check_tt_metal()[0]
    assert (check.status, "named by ~/tt-metal" in check.message) == ("ok", True)


def test_a_clone_that_python_finds_is_fine(card, clone, monkeypatch):
    card("n150")
    monkeypatch.setattr(computer, "has_ttnn", lambda: True)
    monkeypatch.syspath_prepend(clone)
    check = computer.check_tt_metal()[0]
    assert (check.status, "named by PYTHONPATH" in check.message) == ("ok", True)


# The commands


def test_doctor_shows_the_boards_among_its_checks(capsys, card, free_port):
    card("n150")
    main(["doctor", "--port", str(free_port)])
    names = [line[6:18].strip() for line in capsys.readouterr().out.splitlines()]
    assert names[9:14] == ["device", "tt-metal", "driver", "board 0", "system"]


def test_doctor_asks_tt_smi(capsys, card, free_port, tmp_path, monkeypatch):
    card("n300")
    folder = fake_tt_smi(tmp_path / "bin", f"cat {SNAPSHOTS}/n300.json")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    main(["doctor", "--json", "--port", str(free_port)])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["driver"]["message"].endswith("read from tt-smi")
    assert checks["board 0"]["message"].count("°C") == 2


def test_hardware_as_json_has_numbers_with_units(capsys, card):
    card("n300", holders=[4242])
    assert main(["hardware", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["source"], found["driver"], found["system"]) == ("sysfs", "2.7.0", "N300")
    (board,) = found["boards"]
    assert (board["name"], board["chips_of_board"], len(board["chips"])) == ("N300", 2, 1)
    assert board["chips"][0]["temperature_celsius"] == 45.25
    assert board["chips"][0]["answers"] is True
    assert found["holders"] == [{"pid": 4242, "name": "python"}]


@pytest.mark.parametrize(
    ("name", "chips"), [("n150", 1), ("n300", 2), ("p150", 1), ("p300", 2), ("wedged", 1)]
)
def test_where_the_drivers_files_tell_nothing_tt_smi_does(
    capsys, card, tmp_path, monkeypatch, name, chips
):
    """An old driver has no attributes. The extension then asks with `--tt-smi` (hardwareWatch)."""
    card("unknown", hanging=[0])
    folder = fake_tt_smi(tmp_path / "bin", f"cat {SNAPSHOTS}/{name}.json")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    main(["hardware", "--json"])
    from_files = json.loads(capsys.readouterr().out)
    assert (from_files["source"], from_files["boards"][0]["name"]) == ("sysfs", "unknown board")
    assert not any(chip["answers"] for chip in from_files["boards"][0]["chips"])
    main(["hardware", "--json", "--tt-smi"])
    found = json.loads(capsys.readouterr().out)
    board = found["boards"][0]
    assert (found["source"], len(board["chips"])) == ("tt-smi", chips)
    assert board["name"] == ("N300" if name == "wedged" else name.upper())
    assert [chip["answers"] for chip in board["chips"]] == [name != "wedged"] * chips


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), []),
        (("--model", "meta-llama/Llama-3.1-8B-Instruct"), [(1, 44.2), (32, 33.5)]),
        (("--model", "Llama-3.1-8B", "--system", "N150"), [(1, 28.3), (32, 23.5)]),
        (("--model", "ttdirect-demo"), []),
        (("--model", "Llama-3.1-8B", "--system", "CPU"), []),
    ],
)
def test_hardware_as_json_tells_what_is_published_for_a_model(capsys, card, options, expected):
    card("n300")
    assert main(["hardware", "--json", *options]) == 0
    published = json.loads(capsys.readouterr().out)["published"]
    assert [(f["batch"], f["tokens_per_second"]) for f in published] == expected


def test_hardware_is_told_in_lines(capsys, card):
    card("n150", "n150", hanging=[1], holders=[0])
    assert main(["hardware"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "driver 2.7.0, read from sysfs",
        "board 0: N150",
        (
            "  0000:01:00.0  45.25 °C, 22 W, 0.75 V, 1000 MHz, 540 MHz ARC, 900 MHz AXI, "
            "firmware 18.7.0.0"
        ),
        "board 1: unknown board",
        "  0000:02:00.0  no answer",
        "in use by a process outside this container",
    ]


def test_who_learns_nothing_from_the_driver_is_told_of_tt_smi(capsys, card):
    card("n150", hanging=[0])
    main(["hardware"])
    assert capsys.readouterr().out.splitlines()[-1] == (
        "the driver tells nothing of these chips: they hang, or it is an old one; "
        "ttdirect hardware --tt-smi asks them"
    )


def test_no_hardware_is_no_failure(capsys):
    assert main(["hardware"]) == 0
    assert capsys.readouterr().out == "There is no Tenstorrent card in this computer.\n"


def test_polling_imports_nothing_that_takes_time():
    code = (
        "import sys; from ttdirect.cli.main import main; main(['hardware', '--json']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"torch", "flask", "transformers", "requests", "numpy", "importlib.metadata"}
    assert not slow & set(run.stderr.split())
    assert json.loads(run.stdout)["source"] in {"none", "sysfs"}


# The report


@pytest.fixture
def report(capsys, free_port):
    def make():
        main(["doctor", "--report", "--port", str(free_port)])
        return capsys.readouterr().out

    return make


def test_the_report_holds_what_helps_and_the_commands_that_follow(
    report, card, clone, monkeypatch, plain_environment
):
    card("n150")
    monkeypatch.setenv("TT_METAL_HOME", str(clone))
    monkeypatch.setenv("HF_MODEL", LLAMA)
    text = report()
    for line in (
        "== Hardware\ndriver 2.7.0, read from sysfs\nboard 0: N150\n",
        "== tt-metal\nv0.61.0 at ",
        f"HF_MODEL={LLAMA}\n",
        "ok    board 0       N150; 1 chip wormhole_b0",
        "tt-smi -s --snapshot_no_tty\n",
        "ttdirect bench --concurrency 1,32",
    ):
        assert line in text


ERA_0 = """\
class Generator:
    def prefill_forward_text(self, tokens, page_table): ...
    def decode_forward_text(self, tokens, sampling_params): ...
"""
ERA_D = """\
class Generator:
    def prefill_forward_text(self, tokens, page_table, empty_slots): ...
    def decode_forward(self, tokens, sampling_params, reload_inputs): ...
"""


@pytest.mark.parametrize(
    ("generator", "era"),
    [
        (ERA_0, "0\n"),
        (ERA_D, "D\n"),
        ("import no_such_module", "not known: ModuleNotFoundError: No module named"),
    ],
)
def test_the_report_tells_the_era_of_the_generator(
    report, tmp_path, monkeypatch, plain_environment, generator, era
):
    write(tmp_path / "tt-metal/models/tt_transformers/tt/generator.py", generator)
    monkeypatch.setenv("TT_METAL_HOME", str(tmp_path / "tt-metal"))
    assert f"\nera of its Generator: {era}" in report()


def test_the_report_tells_why_the_last_server_gave_up(report, plain_environment):
    def leave(pid, minute, failure):
        note = plain_environment / f".cache/ttdirect/servers/{pid}.json"
        write(note, json.dumps({"pid": pid, "failure": failure}))
        os.utime(note, (60 * minute, 60 * minute))

    assert "== The last server that gave up\nnone not long ago\n" in report()
    leave(1, 5, {"code": "no-chips", "what": "No chip answers.", "fix": "reset the board"})
    leave(2, 4, {"code": "memory", "what": "It is full.", "fix": "lower it"})
    leave(3, 6, None)
    told = "no-chips: No chip answers. fix: reset the board"
    assert f"gave up\n1970-01-01T00:05:00+00:00  {told}\n" in report()


def test_the_report_keeps_secrets_and_the_home_folder(report, monkeypatch, plain_environment):
    secrets = {
        "HF_TOKEN": "hf_AbCdEfGhIjKlMnOp",
        "TTDIRECT_API_KEY": "correct horse",
        "SOME_PASSWORD": "tr0ub4dor",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HOME", f"{plain_environment}/hub")
    monkeypatch.setenv("HF_ENDPOINT", "https://me:tr0ub4dor@hub.example/")
    monkeypatch.setenv("TT_CACHE_PATH", "/weights/tr0ub4dor/of/hf_ZyXwVuTsRqPo")
    monkeypatch.setenv("AWS_SESSION", "not ours to tell")
    text = report()
    for value in (*secrets.values(), "hf_ZyXwVuTsRqPo", "not ours to tell", str(plain_environment)):
        assert value not in text
    assert "HF_TOKEN=(set, not shown)\n" in text
    assert "HF_HOME=~/hub\n" in text
    assert "HF_ENDPOINT=https://***@hub.example/\n" in text


def test_the_words_of_harmless_settings_stay_in_the_text(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    assert redact("false alarm") == "false alarm"


def test_each_key_of_a_list_is_hidden(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "firstkey, secondkey")
    assert redact("firstkey, secondkey; firstkey and secondkey") == "***; *** and ***"


def test_only_the_home_folder_itself_is_shortened(monkeypatch):
    monkeypatch.setenv("HOME", "/home/kim")
    assert redact("/home/kim/a /home/kimberly/b /home/kim") == "~/a /home/kimberly/b ~"


def test_the_report_of_a_computer_without_a_card_says_so(report):
    assert report().endswith("so there is nothing to try on it\n")


def test_a_failed_check_comes_first_of_what_is_next(report, card):
    card("n150", hanging=[0])
    assert "\nfirst: end what uses it, then: tt-smi -r\n" in report()
