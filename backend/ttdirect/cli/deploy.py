"""`ttdirect deploy`: write the files that put the user's script into production."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ttdirect.cli import settings
from ttdirect.cli.create import DEFAULT_PATH
from ttdirect.cli.errors import DID_NOT_WORK, CommandError, UsageError
from ttdirect.cli.parser import port
from ttdirect.deploy.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from ttdirect.cli.parser import Commands
    from ttdirect.deploy.facts import ScriptFacts
    from ttdirect.deploy.plan import Plan
    from ttdirect.script.create import Outcome

_MOST_INSTANCES = 64
_KEYS_USED_BY = {"gunicorn", "systemd", "docker", "compose"}


def add_parser(commands: Commands) -> None:
    """Add the subcommand `deploy`."""
    listed = "\n".join(f"  {name:<11} {target.summary}" for name, target in TARGETS.items())
    parser = commands.add(
        "deploy",
        summary="write the files that put the script into production",
        description="Write files that put your script into production, each line explained. They "
        "are yours to change:\na file that you changed is never overwritten without --force. "
        f"docs/deployment.md leads through it.\n\ntargets:\n{listed}",
        examples=(
            "ttdirect deploy --target systemd --target nginx --domain api.example.com",
            "ttdirect deploy ./server.py --target compose --model Qwen/Qwen3-0.6B",
            "ttdirect deploy --target nginx --port 8080 --instances 2",
            "ttdirect deploy --target systemd --diff",
        ),
    )
    parser.add_argument(
        "script",
        nargs="?",
        default=DEFAULT_PATH,
        metavar="SCRIPT",
        help=f"the server script (default: {DEFAULT_PATH})",
    )
    parser.add_argument(
        "--target",
        action="append",
        required=True,
        choices=TARGETS,
        metavar="NAME",
        help=f"what to write, may be given several times: {', '.join(TARGETS)}",
    )
    parser.add_argument(
        "--output", metavar="FOLDER", help="where to write it (default: deploy beside the script)"
    )
    parser.add_argument(
        "--model", help="the model to serve, as HF_MODEL (default: HF_MODEL, else the script's own)"
    )
    parser.add_argument(
        "--port", type=port, help="the port of the first instance (default: PORT of the script)"
    )
    parser.add_argument(
        "--instances",
        type=_instances,
        default=1,
        metavar="N",
        help="servers side by side, on ports that follow each other; each loads the model for "
        "itself (default: 1)",
    )
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        help="the file with the API keys (default: api-keys beside the files, made if missing)",
    )
    parser.add_argument(
        "--domain", default="localhost", help="the name under which clients reach nginx"
    )
    parser.add_argument(
        "--certificate",
        metavar="FOLDER",
        help="the folder with fullchain.pem and privkey.pem for nginx (default: certbot's)",
    )
    parser.add_argument(
        "--tt-metal",
        metavar="FOLDER",
        help="your clone of tt-metal, for a Tenstorrent device (default: TT_METAL_HOME, then "
        "PYTHONPATH, then ~/tt-metal)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace files that you changed, keeping yours beside them as backups (.bak)",
    )
    parser.add_argument(
        "--diff",
        action="store_true",
        help="print what would change and write nothing; the exit code is 0 for no difference, 1 "
        "for one",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the files themselves and write nothing"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the files, or show them, and return the exit code.

    Raises:
        CommandError: If the script cannot be deployed, or a file not be written.
    """
    # Imported here because templates take time that `--help` does not have.
    from ttdirect.deploy import files  # noqa: PLC0415

    if options.force and (options.diff or options.dry_run):
        raise UsageError(
            "--diff and --dry-run write nothing, so --force has no meaning beside them",
            fix="leave one of them out",
        )
    targets: list[str] = list(dict.fromkeys(options.target))
    with _explained():
        plan = _plan(options)
        texts = files.render_files(targets, plan)
        if options.diff:
            differences = files.differences(texts)
            print(differences, end="")
            return DID_NOT_WORK if differences else 0
        if options.dry_run:
            print("\n".join(f"==> {path} <==\n{text}" for path, text in texts.items()), end="")
            return 0
        outcomes = files.write_files(texts, overwrite=options.force)
        _refuse_changed(outcomes)
        made = list(_make_keys(targets, plan))
    for line in (*map(_describe, outcomes), *made, *_warnings(targets, plan)):
        print(line, file=sys.stderr)
    _tell_next(targets, plan)
    for outcome in outcomes:
        print(outcome.path)
    return 0


@contextlib.contextmanager
def _explained() -> Generator[None]:
    """Turn the errors of deploying into the two lines."""
    from ttdirect.deploy.facts import NotDeployableError  # noqa: PLC0415
    from ttdirect.script.file import ScriptFileError  # noqa: PLC0415

    try:
        yield
    except (NotDeployableError, ScriptFileError) as error:
        raise CommandError(str(error), fix=error.fix) from error
    except OSError as error:
        raise CommandError(
            f"{error.filename} cannot be written: {error.strerror}", fix="choose another --output"
        ) from error


def _plan(options: argparse.Namespace) -> Plan:
    from ttdirect.deploy.facts import read_script  # noqa: PLC0415
    from ttdirect.deploy.plan import Plan  # noqa: PLC0415

    script = read_script(_path(options.script))
    first = options.port or script.port
    if first + options.instances - 1 > 65535:
        raise UsageError(
            f"{options.instances} instances from port {first} on need ports beyond 65535",
            fix="choose a smaller --port",
        )
    model = settings.absolute(options.model or os.environ.get("HF_MODEL")) or ""
    if not (model or script.model):
        raise UsageError(
            f"{script.path} names no model, and HF_MODEL is not set",
            fix="name one: ttdirect deploy --model meta-llama/Llama-3.1-8B-Instruct ...",
        )
    clone = _clone(options, script)
    return Plan(
        script=script,
        folder=_path(options.output) if options.output else script.path.parent / "deploy",
        model=model,
        ports=tuple(range(first, first + options.instances)),
        domain=options.domain,
        certificate=_path(options.certificate) if options.certificate else None,
        key_file=_path(options.key_file) if options.key_file else None,
        variables={"TT_METAL_HOME": str(clone)} if clone else {},
        tt_metal=clone,
    )


def _clone(options: argparse.Namespace, script: ScriptFacts) -> Path | None:
    if not (options.tt_metal or script.device == "tenstorrent"):
        return None
    # Imported here because looking at packages takes modules that `--help` does not.
    from ttdirect.cli.tt_metal import find_tt_metal  # noqa: PLC0415

    found = find_tt_metal(options.tt_metal)
    return found.folder if found else None


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # no home folder to put in place of the ~
        raise CommandError(
            f"the home folder in '{text}' is not known", fix="name a full path"
        ) from (error)


def _refuse_changed(outcomes: list[Outcome]) -> None:
    from ttdirect.script.create import FileChanged  # noqa: PLC0415

    changed = [outcome.path for outcome in outcomes if isinstance(outcome, FileChanged)]
    if changed:
        hold = "holds" if len(changed) == 1 else "hold"
        raise CommandError(
            f"{', '.join(map(str, changed))} {hold} changes of yours, so nothing was written",
            fix="see the difference with the same command and --diff; replace, keeping backups, "
            "with --force",
        )


def _describe(outcome: Outcome) -> str:
    from ttdirect.script.create import Created, Refreshed, Replaced  # noqa: PLC0415

    match outcome:
        case Created(path=path):
            return f"Created {path}"
        case Refreshed(path=path):
            return f"Refreshed {path}, which you had not changed"
        case Replaced(path=path, backup=backup):
            return f"Replaced {path}; yours is kept in {backup}"
        case _:
            return f"{outcome.path} was there already, the same to the letter"


def _make_keys(targets: list[str], plan: Plan) -> Iterator[str]:
    """Make the files of keys that the targets read, and yield what was done."""
    from ttdirect.deploy.api_keys import METRICS, make_keys, make_metrics_key  # noqa: PLC0415

    needs_keys = _KEYS_USED_BY.intersection(targets) or "prometheus" in targets
    if needs_keys and plan.key_file is None and make_keys(plan.keys):
        yield f"Made two API keys in {plan.keys}: for your clients, and for Prometheus"
    if "prometheus" in targets:
        path = plan.folder / "prometheus-key"
        try:
            if make_metrics_key(plan.keys, path):
                yield f"Copied Prometheus' key to {path}"
        except (OSError, LookupError):
            if not path.exists():
                yield f"Put one of the server's keys into {path}; {plan.keys} has none of {METRICS}"


def _warnings(targets: list[str], plan: Plan) -> Iterator[str]:
    if plan.image_user != plan.script.path.stat().st_uid and "compose" in targets:
        yield (
            f"note: the container's user is {plan.image_user}, since the script is root's; let it "
            f"read the keys: chown {plan.image_user} {shlex.quote(str(plan.keys))}"
        )
    if "systemd" in targets and not plan.user and plan.in_homes:
        yield (
            "note: the script is root's, and what it needs lies in a home folder, which the "
            "service's user may not be able to read; move it to /opt, or give it to another user"
        )
    if len(plan.ports) > 1 and plan.card:
        yield (
            "note: each instance needs cards of its own: set TT_VISIBLE_DEVICES for each, for "
            "example with systemctl edit"
        )


def _tell_next(targets: list[str], plan: Plan) -> None:
    from ttdirect.deploy.targets import next_commands  # noqa: PLC0415

    for name in targets:
        print(f"Next, for {name}:", file=sys.stderr)
        for command in next_commands(name, plan):
            print(f"  {command}", file=sys.stderr)


def _instances(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_INSTANCES:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"instances are a whole number from 1 to {_MOST_INSTANCES}, not '{text}'"
    )
