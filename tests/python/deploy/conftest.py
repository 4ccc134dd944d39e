"""Certificates and environments for deployments."""

import os

import pytest

from deploy.served import make_certificate


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """None of the variables that a developer may have set for the command."""
    for name in [name for name in os.environ if name.startswith("TTDIRECT_")]:
        monkeypatch.delenv(name)
    for name in ("HF_MODEL", "TT_METAL_HOME", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A folder with a certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder)
    return folder
