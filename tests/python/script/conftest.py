"""Settings and folders that every test of the script starts from."""

import os

import pytest

from ttdirect.script.render import ScriptSettings


@pytest.fixture
def settings():
    return ScriptSettings(device="cpu", model="demo")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "server.py"


@pytest.fixture
def as_ordinary_user():
    """Permissions mean nothing to root."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield
