"""`ttdirect add`, and `ttdirect create --with`."""

import stat

import pytest

from recipe_scripts import FIXTURES
from ttdirect.cli.main import main
from ttdirect.script.recipes import BY_ID, apply, edits
from ttdirect.script.render import ScriptSettings, render

RENDERED = render(ScriptSettings("cpu", "demo"))


def with_recipes(source, *recipe_ids):
    for recipe_id in recipe_ids:
        source = apply(source, edits(recipe_id, source))
    return source


@pytest.fixture
def path(plain_environment):
    """The script where `ttdirect create` puts it, just written."""
    path = plain_environment / "tt-api-server-direct.py"
    path.write_text(RENDERED, encoding="utf-8")
    return path


def test_a_recipe_goes_into_the_usual_script(capsys, path):
    assert main(["add", "authentication"]) == 0
    assert path.read_text(encoding="utf-8") == with_recipes(RENDERED, "authentication")
    output = capsys.readouterr()
    assert output.out == f"{path}\n"
    assert output.err.startswith("Added authentication.\nSet TTDIRECT_API_KEY to a secret")


def test_a_recipe_goes_into_another_script_and_its_line_ends_and_mode_stay(tmp_path):
    path = tmp_path / "server.py"
    path.write_bytes(FIXTURES["crlf"].encode())
    path.chmod(0o640)
    assert main(["add", "cors", str(path)]) == 0
    assert path.read_bytes() == with_recipes(FIXTURES["crlf"], "cors").encode()
    assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_adding_twice_changes_nothing_and_says_where_it_is(capsys, path):
    main(["add", "cors"])
    before = path.stat()
    capsys.readouterr()
    assert main(["add", "cors"]) == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino
    err = capsys.readouterr().err
    line = 1 + path.read_text().splitlines().index(
        'os.environ.setdefault("TTDIRECT_CORS_ORIGINS", "http://localhost:3000")'
    )
    assert err == f"Already there: TTDIRECT_CORS_ORIGINS is used in line {line}.\n"


def test_what_was_added_can_be_taken_out_again(capsys, path):
    for recipe_id in ("authentication", "request-logging", "cors"):
        assert main(["add", recipe_id]) == 0
    for recipe_id in ("authentication", "request-logging", "cors"):
        assert main(["add", recipe_id, "--remove"]) == 0
    assert path.read_text(encoding="utf-8") == RENDERED
    assert "Took out cors." in capsys.readouterr().err


def test_what_is_not_there_cannot_be_taken_out(capsys, path):
    assert main(["add", "cors", "--remove"]) == 1
    assert capsys.readouterr().err.startswith(
        f"error: 'cors' was not taken out of {path}: The script does not have this.\nfix:   "
    )


def test_a_refusal_says_which_line_and_what_to_do(capsys, tmp_path):
    path = tmp_path / "server.py"
    path.write_text(FIXTURES["two_apps"])
    assert main(["add", "cors", str(path)]) == 1
    assert capsys.readouterr().err == (
        f"error: 'cors' was not added to {path}: This script makes a Flask app in more than one "
        "line (7 and 8).\n"
        "fix:   change that by hand, or begin with a new script: ttdirect create --output PATH "
        "--with cors\n"
    )
    assert path.read_text() == FIXTURES["two_apps"]


def test_a_package_that_is_needed_is_named(capsys, tmp_path):
    path = tmp_path / "server.py"
    path.write_text(FIXTURES["minimal"])
    assert main(["add", "metrics", str(path)]) == 0
    assert "pip install prometheus-client" in capsys.readouterr().err


def test_diff_shows_the_change_and_writes_nothing(capsys, path):
    assert main(["add", "rate-limiting", "--diff"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"--- {path}\n+++ with rate-limiting\n")
    assert "\n+REQUESTS_PER_MINUTE = 60\n" in out
    assert path.read_text(encoding="utf-8") == RENDERED
    main(["add", "rate-limiting"])
    capsys.readouterr()
    assert main(["add", "rate-limiting", "--diff"]) == 0
    assert main(["add", "rate-limiting", "--remove", "--diff"]) == 1
    assert "\n-REQUESTS_PER_MINUTE = 60\n" in capsys.readouterr().out


def test_form_feeds_do_not_break_a_diff(capsys, tmp_path):
    path = tmp_path / "server.py"
    path.write_bytes(FIXTURES["form_feeds"].encode())
    assert main(["add", "cors", str(path), "--diff"]) == 1
    assert "No newline" not in capsys.readouterr().out


def test_the_list_shows_all_recipes_and_what_becomes_of_each(capsys, path):
    assert main(["add", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(BY_ID)
    states = dict(zip(BY_ID, (line.strip() for line in lines[1::2]), strict=True))
    assert states["authentication"] == "Can be added."
    assert states["streaming"].startswith("Already there: server.add_streaming is called in line ")


def test_the_list_needs_no_script(capsys, path):
    path.unlink()
    assert main(["add", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(BY_ID)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["add"], "no recipe was named"),
        (["add", "autentication"], "there is no recipe 'autentication'; did you mean"),
        (["add", "--list", "a", "b"], "--list takes a file and nothing else"),
        (["add", "--list", "--diff"], "--list takes a file and nothing else"),
        (["create", "--with", "cors,lights"], "there is no recipe 'lights'"),
    ],
)
def test_wrong_usage_is_two_lines(capsys, path, arguments, what):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {what}")


@pytest.mark.parametrize("arguments", [["cors", "no-such.py"], ["--list", "no-such.py"]])
def test_a_missing_file_is_two_lines(capsys, arguments):
    assert main(["add", *arguments]) == 1
    assert capsys.readouterr().err == (
        "error: there is no file no-such.py\nfix:   ttdirect create writes a script\n"
    )


def test_a_file_that_is_no_text_is_two_lines(capsys, path):
    path.write_bytes(b"\xff\xfe")
    for arguments in (["add", "cors"], ["add", "--list"]):
        assert main(arguments) == 1
        assert "is not UTF-8 text" in capsys.readouterr().err


def test_create_with_recipes_gives_what_add_gives(capsys, path):
    path.unlink()
    assert main(["create", "--with", "authentication, request-logging,streaming"]) == 0
    created = path.read_text(encoding="utf-8")
    path.write_text(RENDERED, encoding="utf-8")
    for recipe_id in ("authentication", "request-logging", "streaming"):
        assert main(["add", recipe_id]) == 0
    assert path.read_text(encoding="utf-8") == created
    capsys.readouterr()
    assert main(["create", "--with", "authentication,request-logging"]) == 0
    assert "the same to the letter" in capsys.readouterr().err


def test_a_script_with_recipes_is_the_user_s_own(capsys, path):
    main(["add", "cors"])
    assert main(["create"]) == 1
    assert "holds changes of yours" in capsys.readouterr().err
    assert main(["create", "--with", "cors"]) == 0
    assert main(["create", "--with", "cors,metrics", "--diff"]) == 0
    assert main(["create", "--with", "authentication", "--diff"]) == 1
    assert main(["create", "--with", "authentication"]) == 1
    assert "--with authentication" in capsys.readouterr().err
