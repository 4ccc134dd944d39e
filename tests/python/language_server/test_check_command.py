"""`ttdirect check` and `ttdirect language-server` on the command line."""

import json
import subprocess
import sys

import pytest

from ttdirect.cli.main import main

GOOD = "import os\n"
BAD = "x = 1\r\napi_key = 'é😀abcd1234'\r\n"


def test_what_is_found_is_printed_with_its_place(tmp_path, capsys):
    path = tmp_path / "server.py"
    path.write_bytes(BAD.encode())
    assert main(["check", str(path)]) == 1
    line = capsys.readouterr().out
    assert line.startswith(f"{path}:2:11: TT007 warning: Whoever reads this file")


def test_the_default_is_the_script_and_good_files_say_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tt-api-server-direct.py").write_text(GOOD)
    assert main(["check"]) == 0
    assert capsys.readouterr().out == ""


def test_json(tmp_path, capsys):
    path = tmp_path / "server.py"
    path.write_text("api_key = 'abcd1234'\n")
    assert main(["check", "--json", str(path)]) == 1
    (item,) = json.loads(capsys.readouterr().out)
    assert (item["file"], item["line"], item["column"]) == (str(path), 1, 11)
    assert (item["code"], item["severity"]) == ("TT007", "warning")
    assert item["fixes"] == ["Read API_KEY from the environment"]


def test_markdown_is_compared_with_the_script_beside_it(tmp_path, capsys):
    script, text = tmp_path / "tt-api-server-direct.py", tmp_path / "README.md"
    script.write_text("PORT = 9000\n")
    text.write_text("ttdirect\n\n```sh\ncurl http://127.0.0.1:8080/health\n```\n")
    assert main(["check", str(text), str(script)]) == 1
    assert "tt-api-server-direct.py listens on port 9000" in capsys.readouterr().out


def test_a_file_that_python_cannot_read_is_named(tmp_path, capsys):
    path = tmp_path / "a.py"
    path.write_text("def (\n")
    assert main(["check", str(path)]) == 0
    assert f"{path}: Python cannot read all of this file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("a.txt", b"", "neither Python nor Markdown"), ("a.py", None, "cannot be read"),
     ("b.py", b"\xff\xfe", "not UTF-8")],
)  # fmt: skip
def test_files_that_cannot_be_checked(name, content, words, tmp_path, capsys):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["check", str(tmp_path / name)]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", [["check", "a.py"], ["language-server", "--stdio"]])
def test_a_missing_package_is_named_with_what_to_install(command):
    program = (
        "import sys\n"
        "sys.modules |= {'tree_sitter': None, 'pygls.lsp.server': None}\n"
        "from ttdirect.cli.main import main\n"
        f"sys.exit(main({command!r}))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "which this Python lacks" in run.stderr
    assert "pip install 'ttdirect[language-server]'" in run.stderr
