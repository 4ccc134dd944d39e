"""Where tt-metal's models come from."""

import os
import sys

import pytest

from ttdirect.device import clone


@pytest.fixture
def tt_metal(tmp_path, monkeypatch):
    """A clone that TT_METAL_HOME names and PYTHONPATH does not."""
    folder = tmp_path / "tt-metal"
    (folder / "models" / "tt_transformers").mkdir(parents=True)
    (folder / "models" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "other")])
    monkeypatch.setattr(clone, "USUAL_FOLDERS", ())
    monkeypatch.setenv("TT_METAL_HOME", str(folder))
    return folder


def test_a_clone_is_found_by_tt_metal_home_alone(tt_metal):
    assert clone.find_on_path() is None
    clone.put_on_path()
    assert clone.find_on_path() == tt_metal


def test_it_goes_before_another_package_called_models(tt_metal, tmp_path):
    other = tmp_path / "other" / "models"
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    clone.put_on_path()
    assert clone.find_on_path() == tt_metal


def test_pythonpath_goes_before_tt_metal_home(tt_metal, tmp_path):
    (tmp_path / "other" / "models" / "tt_transformers").mkdir(parents=True)
    clone.put_on_path()
    assert sys.path == [str(tmp_path / "other")]


@pytest.mark.parametrize("home", ["", "/no/such/folder"])
def test_a_home_without_models_changes_nothing(tt_metal, tmp_path, monkeypatch, home):
    monkeypatch.setenv("TT_METAL_HOME", home)
    clone.put_on_path()
    assert sys.path == [str(tmp_path / "other")]


def test_where_nobody_names_it_a_usual_folder_will_do(tt_metal, monkeypatch):
    """TT_METAL_HOME is set then, because tt-metal's own code reads it."""
    monkeypatch.delenv("TT_METAL_HOME")
    monkeypatch.setattr(clone, "USUAL_FOLDERS", ("~/no such folder", str(tt_metal)))
    clone.put_on_path()
    assert clone.find_on_path() == tt_metal
    assert os.environ["TT_METAL_HOME"] == str(tt_metal)


def test_a_wrong_tt_metal_home_is_no_reason_to_guess(tt_metal, monkeypatch):
    monkeypatch.setenv("TT_METAL_HOME", "/no/such/folder")
    monkeypatch.setattr(clone, "USUAL_FOLDERS", (str(tt_metal),))
    clone.put_on_path()
    assert clone.find_on_path() is None
