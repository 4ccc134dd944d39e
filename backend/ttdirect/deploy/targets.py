"""What `ttdirect deploy` can write: the files of each target, and what to do with them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.deploy.facts import NotDeployableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttdirect.deploy.plan import Plan

GUNICORN = {"gunicorn.conf.py": "gunicorn.conf.py.j2"}
DOCKER = GUNICORN | {
    "Dockerfile": "Dockerfile.j2",
    "Dockerfile.dockerignore": "Dockerfile.dockerignore.j2",
}


@dataclass(frozen=True)
class Target:
    """A way to put the server into production.

    Args:
        summary: what it is, in a few words.
        files: the template of each file, by the file's name; `{unit}` stands for the service's.
        next: the shell commands to go on with; `{folder}` and the like are filled in.
        in_image: whether Docker has to find the files below the script's folder.
    """

    summary: str
    files: dict[str, str]
    next: tuple[str, ...]
    in_image: bool = False


TARGETS: dict[str, Target] = {
    "gunicorn": Target(
        "gunicorn's settings, for a terminal or a supervisor of yours",
        GUNICORN,
        ("{python} -m gunicorn --config {folder}/gunicorn.conf.py",),
    ),
    "systemd": Target(
        "a service of Linux, started with the computer and after failures",
        GUNICORN | {"{unit}@.service": "unit@.service.j2"},
        (
            "sudo cp {folder}/{unit}@.service /etc/systemd/system/",
            "sudo systemctl daemon-reload",
            "sudo systemctl enable --now {instances}",
        ),
    ),
    "nginx": Target(
        "TLS, limits and several instances in front of the server",
        {"{unit}.nginx.conf": "nginx.conf.j2"},
        (
            "sudo cp {folder}/{unit}.nginx.conf /etc/nginx/conf.d/{unit}.conf",
            "sudo nginx -t && sudo systemctl reload nginx",
        ),
    ),
    "docker": Target(
        "an image with the server",
        DOCKER,
        (
            "cd {script_folder}",
            "docker build --file {folder_name}/Dockerfile --tag {image} .",
        ),
        in_image=True,
    ),
    "compose": Target(
        "the image, its keys, volumes and devices, started by one command",
        DOCKER | {"compose.yaml": "compose.yaml.j2"},
        ("docker compose --file {folder}/compose.yaml up --detach --build --wait",),
        in_image=True,
    ),
    "prometheus": Target(
        "what Prometheus asks the server, and when it should call somebody",
        {
            "prometheus.yml": "prometheus.yml.j2",
            "ttdirect-alerts.yml": "ttdirect-alerts.yml.j2",
        },
        (
            "promtool check config {folder}/prometheus.yml",
            "prometheus --config.file={folder}/prometheus.yml",
        ),
    ),
}


def templates_of(targets: Iterable[str], plan: Plan) -> dict[str, str]:
    """Return the template of each file that the targets have, by the file's name.

    Raises:
        NotDeployableError: If a target cannot be written there.
    """
    files: dict[str, str] = {}
    for name in targets:
        target = TARGETS[name]
        if target.in_image and plan.folder_name.startswith(".."):
            raise NotDeployableError(
                f"Docker sees only what lies below {plan.script.path.parent}, and {plan.folder} "
                "does not",
                fix="leave out --output, or name a folder below the script's",
            )
        files |= {file.format(unit=plan.unit): template for file, template in target.files.items()}
    return files


def next_commands(name: str, plan: Plan) -> list[str]:
    """Return the shell commands that put a target's files to work."""
    words = {
        "python": plan.python,
        "folder": str(plan.folder),
        "folder_name": plan.folder_name,
        "script_folder": str(plan.script.path.parent),
        "unit": plan.unit,
        "image": image_name(plan),
    }
    quoted = {name: shlex.quote(word) for name, word in words.items()}
    instances = " ".join(f"{plan.unit}@{port}" for port in plan.ports)
    return [line.format(**quoted, instances=instances) for line in TARGETS[name].next]


def image_name(plan: Plan) -> str:
    """The name of the image; Docker wants lower case and no "_" at its ends."""
    return plan.unit.lower().strip("_-")
