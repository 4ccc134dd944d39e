"""The settings of a deployment: what the templates say in their own words."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import ttdirect
from ttdirect.deploy.facts import NotDeployableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.deploy.facts import ScriptFacts

SPARE_THREADS = 8
"""Beside those that wait for answers: for /health, refusals and slow senders."""

DRAIN_SECONDS, CLOSING_SECONDS, CARD_LOADING_SECONDS = 25, 10, 600
"""Times that the server takes to stop; a test compares them with `ttdirect.server`."""

_ODD = re.compile(r"[^\w /.,:@+=~%-]")
"""Characters in paths that one of the languages of these files would read as its own."""

_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")

IMAGE_USER = 1000
"""The user in an image when the files are written by root, whom no container should run as."""


@dataclass(frozen=True)
class Plan:
    """What is deployed, and how.

    Args:
        script: what the script says of itself.
        folder: where the files go, a full path.
        model: the value of HF_MODEL for the service; empty leaves it to the script.
        ports: one for each instance of the server.
        domain: the name under which clients reach nginx.
        certificate: the folder of nginx with fullchain.pem and privkey.pem.
        key_file: the file with the API keys; None for one that is made beside the files.
        variables: more environment variables, such as those that lead to tt-metal's clone.
        tt_metal: the clone of tt-metal, if there is one.
        python: the Python of the service.

    Raises:
        NotDeployableError: If a path or the domain holds a character that the files cannot.
    """

    script: ScriptFacts
    folder: Path
    model: str = ""
    ports: tuple[int, ...] = ()
    domain: str = "localhost"
    certificate: Path | None = None
    key_file: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    tt_metal: Path | None = None
    python: str = sys.executable

    def __post_init__(self) -> None:
        if not _DOMAIN.fullmatch(self.domain):
            raise NotDeployableError(
                f"{self.domain!r} is no name of a computer", fix="use --domain api.example.com"
            )
        of_script = (self.script.path, self.folder, self.python, self.local_model)
        for text in (*of_script, self.keys, self.certificates, self.tt_metal or ""):
            if odd := _ODD.search(str(text)):
                raise NotDeployableError(
                    f"{str(text)!r} holds the character {odd[0]!r}, which these files cannot write",
                    fix="rename the folder or the file, or choose another place for it",
                )

    @property
    def unit(self) -> str:
        """The name of the service, without the port of its instance."""
        return self.script.module

    @property
    def card(self) -> bool:
        """Whether a Tenstorrent card computes."""
        return self.script.device == "tenstorrent"

    @property
    def port(self) -> int:
        """The port of the first instance."""
        return self.ports[0]

    @property
    def threads(self) -> int:
        """As many requests as can run and wait, and some more."""
        return self.script.answered + self.script.waiting + SPARE_THREADS

    @property
    def stopping_seconds(self) -> int:
        """How long gunicorn waits for answers and device before it kills its worker."""
        return (CARD_LOADING_SECONDS if self.card else DRAIN_SECONDS) + CLOSING_SECONDS + 5

    @property
    def keys(self) -> Path:
        """The file with the API keys."""
        return self.key_file or self.folder / "api-keys"

    @property
    def certificates(self) -> Path:
        """The folder with nginx's certificate; certbot's, unless told otherwise."""
        return self.certificate or Path("/etc/letsencrypt/live", self.domain)

    @property
    def script_folder(self) -> str:
        """The script's folder as seen from that of the files."""
        return os.path.relpath(self.script.path.parent, self.folder)

    @property
    def folder_name(self) -> str:
        """The folder of the files as seen from the script's."""
        return os.path.relpath(self.folder, self.script.path.parent)

    @property
    def local_model(self) -> str:
        """The folder of the model if it is one on this computer, else empty."""
        model = self.model or self.script.model
        return model if Path(model).is_absolute() else ""

    @property
    def downloads(self) -> bool:
        """Whether the service fetches its model from the hub."""
        return (self.model or self.script.model) != "demo" and not self.local_model

    @property
    def in_homes(self) -> bool:
        """Whether the service needs a file in somebody's home folder."""
        needed = (self.script.path, self.folder, self.python, self.local_model, self.tt_metal or "")
        return any(str(path).startswith(("/home/", "/root/")) for path in needed)

    @property
    def user(self) -> str:
        """The owner of the script, as whom the service runs; empty for root."""
        try:
            owner = self.script.path.owner()
        except (KeyError, OSError):  # nobody that this computer knows
            return ""
        return "" if owner == "root" else owner

    @property
    def image_user(self) -> int:
        """The number of the user in an image: the script's owner, who can read the keys."""
        return self.script.path.stat().st_uid or IMAGE_USER

    @property
    def version(self) -> str:
        """The version of ttdirect that an image installs."""
        return ttdirect.__version__
