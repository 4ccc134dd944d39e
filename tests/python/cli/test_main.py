"""The command as a whole: help, wrong usage, exit codes, and being quick."""

import re
import subprocess
import sys

import pytest

import ttdirect
from ttdirect.cli import create
from ttdirect.cli import main as main_module
from ttdirect.cli.errors import CommandError
from ttdirect.cli.main import main
from ttdirect.cli.parser import CommandParser, Commands

COMMANDS = [
    "create",
    "add",
    "serve",
    "chat",
    "bench",
    "deploy",
    "check",
    "doctor",
    "models",
    "download",
    "mcp",
    "language-server",
]
HEAVY = {"torch", "flask", "transformers", "requests", "tokenizers", "safetensors", "ttnn", "ssl"}


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ttdirect", *arguments], capture_output=True, text=True, check=False
    )


def test_the_version_is_data():
    done = run_command("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"ttdirect {ttdirect.__version__}\n"


def test_without_a_command_the_help_is_shown_as_wrong_usage(capsys):
    assert main([]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert all(command in output.err for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(capsys, command):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    examples = text.partition("examples:\n")[2]
    assert re.search(rf"ttdirect {command}\b", examples)


def test_every_option_has_help_and_every_example_is_valid():
    """What the help shows can be typed: each example's options exist."""
    parser = CommandParser(prog="ttdirect")
    commands = Commands(parser)
    for module in (getattr(main_module, name.replace("-", "_")) for name in COMMANDS):
        module.add_parser(commands)
    for name in COMMANDS:
        command = commands.find(name)
        assert all(action.help for action in command._actions), f"{name}: an option has no help"
        for example in command.epilog.splitlines()[1:]:
            options = re.findall(r"--[a-z-]+", example)
            assert all(option in command.format_usage() for option in options), example


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["serve", "--help"], ["bench", "--help"]]
)
def test_help_and_version_load_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from ttdirect.cli.main import main\n"
        f"main({arguments})\n"
        f"print(*{HEAVY} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "\n"


@pytest.mark.parametrize(
    ("arguments", "what", "fix"),
    [
        pytest.param(
            ["crate"],
            "there is no command 'crate'; did you mean 'create'?",
            "choose from: create, add, serve, chat, bench, deploy, check, doctor, hardware, "
            "models, download, mcp, language-server",
            id="command",
        ),
        pytest.param(
            ["create", "--prot", "9000"],
            "'ttdirect create' has no option '--prot'; did you mean '--port'?",
            "ttdirect create --help shows every option",
            id="option",
        ),
        pytest.param(
            ["doctor", "--prot=9000"],
            "'ttdirect doctor' has no option '--prot'; did you mean '--port'?",
            "ttdirect doctor --help shows every option",
            id="option with a value",
        ),
        pytest.param(
            ["create", "there"],
            "unexpected argument 'there'",
            "ttdirect create --help shows every option",
            id="argument",
        ),
        pytest.param(
            ["--verson"],
            "'ttdirect' has no option '--verson'; did you mean '--version'?",
            "ttdirect --help shows every option",
            id="option of ttdirect",
        ),
        pytest.param(
            ["create", "--port", "70000"],
            "argument --port: a port is a whole number from 1 to 65535, not '70000'",
            "ttdirect create --help shows every option",
            id="port",
        ),
        pytest.param(
            ["create", "--out", "x"],
            "'ttdirect create' has no option '--out'; did you mean '--output'?",
            "ttdirect create --help shows every option",
            id="abbreviation",
        ),
    ],
)
def test_wrong_usage_is_answered_in_two_lines(capsys, arguments, what, fix):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"error: {what}\nfix:   {fix}\n"


@pytest.mark.parametrize("port", ["0", "-1", "x", "", "8080.0", "٣", "99999999999999999999"])
def test_what_is_no_port_is_refused(capsys, port):
    assert main(["create", f"--port={port}"]) == 2
    assert "a port is a whole number from 1 to 65535" in capsys.readouterr().err


def test_ctrl_c_is_130_without_a_traceback(capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(create, "compare", interrupt)
    assert main(["create", "--diff"]) == 130
    assert capsys.readouterr().err == ""


def test_an_error_is_coloured_only_on_a_terminal_that_wants_it(capsys, monkeypatch, terminal):
    main(["crate"])
    assert "\x1b" not in capsys.readouterr().err
    terminal(sys.stderr)
    monkeypatch.setenv("TERM", "xterm")
    main(["crate"])
    assert capsys.readouterr().err.startswith("\x1b[31merror:\x1b[0m there is")
    monkeypatch.setenv("NO_COLOR", "1")
    main(["crate"])
    assert "\x1b" not in capsys.readouterr().err


def test_a_reader_that_leaves_early_ends_the_command_quietly():
    done = subprocess.run(
        [f"{sys.executable} -m ttdirect create --diff | head -n 1; exit ${{PIPESTATUS[0]}}"],
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("--- ")
    assert done.stderr == ""
    assert done.returncode in (0, 1)  # 1 where the pipe held the whole difference


def test_a_closed_reader_is_no_error():
    """The sure way to a broken pipe: it has no reader from the start."""
    code = (
        "import os, sys\n"
        "read, write = os.pipe()\n"
        "os.dup2(write, 1)\n"
        "os.close(read)\n"
        "from ttdirect.cli.main import main\n"
        "sys.exit(main(['--version']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_carry_what_happened_and_what_to_do():
    error = CommandError("it rains", fix="take an umbrella")
    assert (str(error), error.fix, error.exit_code) == ("it rains", "take an umbrella", 1)
