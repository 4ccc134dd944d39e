"""`ttdirect create`."""

import shlex
import subprocess
import sys

import pytest

from ttdirect.cli import settings
from ttdirect.cli.main import main
from ttdirect.script.device import DetectedDevice
from ttdirect.script.render import ScriptSettings, render


@pytest.fixture
def path(plain_environment):
    """Where the script goes unless told otherwise."""
    return plain_environment / "tt-api-server-direct.py"


def test_the_path_is_data_and_the_rest_is_told_on_stderr(capsys, path):
    assert main(["create"]) == 0
    output = capsys.readouterr()
    assert output.out == f"{path}\n"
    lines = output.err.splitlines()
    assert lines[0] == "Created the script."
    assert lines[1] == "Device: cpu. No /dev/no-card, so the CPU answers."
    assert lines[2] == "Model: demo (it ships with ttdirect; HF_MODEL names another)"
    assert lines[3].endswith(shlex.quote(str(path)))
    assert path.read_text(encoding="utf-8") == render(ScriptSettings("cpu", "demo"))


def test_every_option_reaches_the_script(capsys, tmp_path):
    output = tmp_path / "deep" / "server.py"
    arguments = ["--device", "tenstorrent", "--model", "some/model", "--port", "9000"]
    assert main(["create", "--output", str(output), *arguments, "--host", "::1"]) == 0
    expected = render(ScriptSettings("tenstorrent", "some/model", 9000, "::1"))
    assert output.read_text(encoding="utf-8") == expected
    assert "Device: tenstorrent. As --device says." in capsys.readouterr().err


def test_the_device_is_found_by_itself(capsys, path, monkeypatch):
    found = DetectedDevice("tenstorrent", "There is a card.")
    monkeypatch.setattr(settings, "detect_device", lambda: found)
    assert main(["create"]) == 0
    assert path.read_text(encoding="utf-8") == render(ScriptSettings("tenstorrent", ""))
    err = capsys.readouterr().err
    assert "Device: tenstorrent. There is a card." in err
    assert "Model: none yet; the server takes it from HF_MODEL" in err
    assert "Next, start the server: HF_MODEL=meta-llama/" in err


def test_hf_model_is_named_but_not_written_into_the_script(capsys, path, monkeypatch):
    monkeypatch.setenv("HF_MODEL", "other/model")
    main(["create"])
    assert "Model: other/model (as HF_MODEL says, while it is set)" in capsys.readouterr().err
    assert "other/model" not in path.read_text(encoding="utf-8")


def test_a_model_folder_is_written_with_its_full_path(tmp_path, path, monkeypatch):
    """The server may be started in another folder than the script was created in."""
    (tmp_path / "weights").mkdir()
    monkeypatch.chdir(tmp_path)
    main(["create", "--model", "weights"])
    assert f'"{tmp_path / "weights"}"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("model", ["x" * 300, "~nobody-of-that-name/model", "a/b"])
def test_a_model_that_is_no_folder_is_written_as_it_is(path, model):
    assert main(["create", "--model", model]) == 0
    assert f'"{model}"' in path.read_text(encoding="utf-8")


def test_creating_again_says_that_nothing_changed(capsys):
    main(["create"])
    capsys.readouterr()
    assert main(["create"]) == 0
    assert "the same to the letter" in capsys.readouterr().err


def test_a_script_that_nobody_changed_is_refreshed(capsys):
    main(["create"])
    assert main(["create", "--port", "9000"]) == 0
    assert "Refreshed the script, which you had not changed." in capsys.readouterr().err


def test_changes_of_the_user_are_refused_with_the_commands_that_help(capsys, path):
    path.write_text("mine")
    assert main(["create"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        f"error: {path} holds changes of yours, so it was left as it is\n"
        "fix:   see the difference with: ttdirect create --diff; replace it, keeping a backup, "
        "with: ttdirect create --force\n"
    )
    assert path.read_text() == "mine"


def test_the_commands_that_help_name_another_path_too(capsys, tmp_path):
    other = tmp_path / "my server.py"
    other.write_text("mine")
    assert main(["create", "--output", str(other)]) == 1
    assert f"ttdirect create --output '{other}' --force" in capsys.readouterr().err


def test_force_keeps_a_backup_and_says_where(capsys, path):
    path.write_text("mine")
    assert main(["create", "--force"]) == 0
    assert f"Yours is kept in {path}.bak" in capsys.readouterr().err
    assert path.with_name(f"{path.name}.bak").read_text() == "mine"


def test_diff_shows_the_difference_and_writes_nothing(capsys, path):
    path.write_text("mine\n")
    assert main(["create", "--diff"]) == 1
    output = capsys.readouterr()
    assert output.out.startswith("--- ")
    assert "\n-mine\n" in output.out
    assert path.read_text() == "mine\n"


def test_diff_of_the_same_is_empty_and_succeeds(capsys):
    main(["create"])
    capsys.readouterr()
    assert main(["create", "--diff"]) == 0
    assert capsys.readouterr().out == ""


def test_diff_and_force_contradict_each_other(capsys):
    assert main(["create", "--diff", "--force"]) == 2
    assert "error: --diff writes nothing" in capsys.readouterr().err


def test_a_folder_at_the_path_is_an_error_in_two_lines(capsys, tmp_path):
    assert main(["create", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path} is a folder\n"
        f"fix:   name a file, for example {tmp_path / 'tt-api-server-direct.py'}\n"
    )


def test_a_home_that_is_not_known_is_an_error_in_two_lines(capsys):
    assert main(["create", "--output", "~nobody-of-that-name/server.py"]) == 1
    assert "error: the home folder in" in capsys.readouterr().err


def test_the_next_command_runs_this_very_python(capsys, tmp_path):
    main(["create", "--output", str(tmp_path / "my server.py")])
    command = capsys.readouterr().err.splitlines()[-1].partition(": ")[2]
    python, script = shlex.split(command)
    assert script == str(tmp_path / "my server.py")
    prefix = subprocess.run(
        [python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert prefix.stdout.strip() == sys.prefix
