"""The script as a file. Above all: nothing of the user's is ever lost."""

import os
import stat
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttdirect.script.create import (
    Created,
    FileChanged,
    Refreshed,
    Replaced,
    Unchanged,
    compare,
    create,
    script_state,
)
from ttdirect.script.file import ScriptFileError
from ttdirect.script.render import render


@pytest.fixture
def umask():
    """The usual umask, whatever this process was started with."""
    previous = os.umask(0o022)
    yield
    os.umask(previous)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_script_is_written_executable_with_its_folders(tmp_path, settings, umask):
    path = tmp_path / "a" / "b" / "server.py"
    assert create(path, settings) == Created(path)
    assert path.read_text(encoding="utf-8") == render(settings)
    assert mode(path) == 0o755


def test_a_strict_umask_is_respected(path, settings, umask):
    os.umask(0o077)
    create(path, settings)
    assert mode(path) == 0o700


def test_creating_again_changes_nothing(path, settings):
    create(path, settings)
    before = path.stat()
    assert create(path, settings) == Unchanged(path)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_a_rendering_that_nobody_changed_is_refreshed(path, settings):
    create(path, settings)
    other = replace(settings, port=9000)
    assert create(path, other) == Refreshed(path)
    assert path.read_text(encoding="utf-8") == render(other)


def test_refreshing_keeps_the_mode_and_stays_executable(path, settings):
    create(path, settings)
    path.chmod(0o640)
    create(path, replace(settings, port=9000))
    assert mode(path) == 0o750


def test_a_changed_script_is_refused_with_the_difference(path, settings):
    create(path, settings)
    theirs = path.read_text(encoding="utf-8").replace("PORT = 8080", "PORT = 8888")
    path.write_text(theirs, encoding="utf-8")
    outcome = create(path, settings)
    assert isinstance(outcome, FileChanged)
    assert "-PORT = 8888" in outcome.diff
    assert "+PORT = 8080" in outcome.diff
    assert path.read_text(encoding="utf-8") == theirs


@given(content=st.binary(), overwrite=st.booleans())
def test_whatever_the_user_had_there_is_never_lost(tmp_path, settings, content, overwrite):
    folder = tmp_path / os.urandom(8).hex()
    folder.mkdir()
    path = folder / "server.py"
    path.write_bytes(content)
    try:
        create(path, settings, overwrite=overwrite)
    except ScriptFileError:
        assert not overwrite
    assert content in [file.read_bytes() for file in folder.iterdir()]


def test_overwriting_keeps_every_earlier_version(path, settings):
    for number, name in enumerate(["server.py.bak", "server.py.bak1", "server.py.bak2"]):
        path.write_text(f"mine {number}")
        backup = path.with_name(name)
        assert create(path, settings, overwrite=True) == Replaced(path, backup)
    assert [path.with_name(f"server.py.bak{n}").read_text() for n in ("", 1, 2)] == [
        "mine 0",
        "mine 1",
        "mine 2",
    ]


def test_a_backup_is_as_private_as_the_original(path, settings):
    path.write_text("API_KEY = 'secret'")
    path.chmod(0o600)
    outcome = create(path, settings, overwrite=True)
    assert mode(outcome.backup) == 0o600
    assert mode(path) == 0o700


def test_overwriting_an_unchanged_rendering_needs_no_backup(path, settings):
    create(path, settings)
    assert create(path, replace(settings, port=9000), overwrite=True) == Refreshed(path)
    assert list(path.parent.iterdir()) == [path]


def test_windows_line_ends_are_a_change_of_the_user(path, settings):
    path.write_bytes(render(settings).replace("\n", "\r\n").encode())
    assert isinstance(create(path, settings), FileChanged)


def test_a_symbolic_link_is_followed_and_kept(tmp_path, path, settings):
    target = tmp_path / "dotfiles" / "server.py"
    path.symlink_to(target)
    assert create(path, settings) == Created(target)
    assert path.is_symlink()
    assert target.read_text(encoding="utf-8") == render(settings)


def test_a_failure_while_writing_leaves_the_old_file_and_no_other(path, settings, monkeypatch):
    create(path, settings)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ScriptFileError, match="cannot be written: the disk is full"):
        create(path, replace(settings, port=9000))
    path.write_text("mine")
    with pytest.raises(ScriptFileError, match="the disk is full"):
        create(path, settings, overwrite=True)
    assert path.read_text() == "mine"
    path.write_bytes(before)
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_in_its_place_is_an_error_that_names_a_file(tmp_path, settings):
    with pytest.raises(ScriptFileError, match="is a folder") as caught:
        create(tmp_path, settings)
    assert str(tmp_path / "tt-api-server-direct.py") in caught.value.fix


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path, settings):
    (tmp_path / "file").touch()
    with pytest.raises(ScriptFileError, match="a part of the path above it is a file"):
        create(tmp_path / "file" / "server.py", settings)


def test_a_pipe_is_refused_instead_of_waited_for(path, settings):
    os.mkfifo(path)
    with pytest.raises(ScriptFileError, match="not a regular file"):
        create(path, settings)


def test_a_loop_of_links_is_an_error(path, settings):
    path.symlink_to(path)
    with pytest.raises(ScriptFileError):
        create(path, settings)


def test_a_name_that_the_disk_cannot_hold_is_an_error(tmp_path, settings):
    with pytest.raises(ScriptFileError, match="cannot be"):
        create(tmp_path / ("x" * 300), settings)


def test_a_folder_that_others_own_is_an_error(tmp_path, settings, as_ordinary_user):
    with pytest.raises(ScriptFileError, match="no permission"):
        create(tmp_path.parent / "server.py", settings)


def test_a_read_only_disk_is_named(path, settings, monkeypatch):
    def refuse(*arguments):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ScriptFileError, match="the disk is read-only"):
        create(path, settings)


def test_bytes_that_are_no_text_are_refused_unless_kept_as_a_backup(path, settings):
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScriptFileError, match="not UTF-8"):
        create(path, settings)
    outcome = create(path, settings, overwrite=True)
    assert outcome.backup.read_bytes() == b"\xff\xfe"


def test_comparing_writes_nothing(path, settings):
    assert compare(path, settings).startswith("--- ")
    assert not path.exists()
    create(path, settings)
    assert compare(path, settings) == ""


def test_the_difference_is_a_patch(path, settings):
    """Also when the user's last line has no end, which a naive join would glue together."""
    path.write_text("mine", encoding="utf-8")
    patch = compare(path, settings)
    subprocess.run(["patch", "--quiet", str(path)], input=patch, text=True, check=True)
    assert path.read_text(encoding="utf-8") == render(settings)


def test_the_state_of_a_script_tells_whether_the_user_changed_it(path, settings):
    assert script_state(path) == "absent"
    create(path, replace(settings, port=9000))
    assert script_state(path) == "as rendered"
    path.write_bytes(path.read_bytes() + b"\xff")
    assert script_state(path) == "changed"
