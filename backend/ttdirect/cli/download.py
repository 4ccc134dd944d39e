"""`ttdirect download`: get a model from the hub before a server needs it."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

from ttdirect.cli.errors import DID_NOT_WORK, CommandError
from ttdirect.cli.terminal import StatusLine

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ttdirect.cli.parser import Commands


class DownloadError(CommandError):
    """The model cannot be had; `code` names the kind of failure, as the server's notes do."""

    def __init__(self, code: str, what: str, *, fix: str) -> None:
        super().__init__(what, fix=fix)
        self.code = code


def add_parser(commands: Commands) -> None:
    """Add the subcommand `download`."""
    parser = commands.add(
        "download",
        summary="get a model from the Hugging Face hub",
        description="Download what the server needs of a model into the hub's cache. Ctrl+C ends\n"
        "it; the next try goes on from there. HF_TOKEN is used for gated and private models.",
        examples=(
            "ttdirect download HuggingFaceTB/SmolLM2-360M-Instruct",
            "HF_TOKEN=hf_... ttdirect download meta-llama/Llama-3.2-1B-Instruct",
        ),
    )
    parser.add_argument("model", help="its name on the hub, as owner/name; see: ttdirect models")
    parser.add_argument(
        "--json-progress",
        action="store_true",
        help="print a JSON object on each line: event progress (done_bytes, total_bytes), done "
        "(folder) or error (code, what, fix)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Download the model and return the exit code.

    Raises:
        CommandError: It cannot be had; with `--json-progress` that is printed instead.
    """
    # Ended by the editor or by Ctrl+C, the way out is the same.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    progress = JsonProgress() if options.json_progress else TextProgress()
    try:
        folder = _download(options.model, progress)
    except CommandError as error:
        if not options.json_progress:
            raise
        code = error.code if isinstance(error, DownloadError) else "download"
        print_event("error", code=code, what=error.what, fix=error.fix)
        return DID_NOT_WORK
    progress.end(folder)
    return 0


def _download(hub_id: str, progress: JsonProgress | TextProgress) -> Path:
    # Imported here because the other commands need none of it.
    from ttdirect.cli.checks.model import find_model  # noqa: PLC0415

    found = find_model(hub_id, "cpu")
    if found.check.status == "ok" and found.folder is not None:
        return found.folder
    if hub_id.count("/") != 1:
        raise CommandError(
            f"'{hub_id}' is not the name of a model on the hub",
            fix="name it as owner/name, for example HuggingFaceTB/SmolLM2-360M-Instruct",
        )
    # Ours is the only progress; the library reads this when it is imported.
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    # Imported here because the generator takes seconds.
    from ttdirect.cli.fetching import fetch_large_files  # noqa: PLC0415
    from ttdirect.generator.errors import GeneratorError  # noqa: PLC0415
    from ttdirect.generator.hub import get_snapshot, told  # noqa: PLC0415
    from ttdirect.server.terminal import explain  # noqa: PLC0415

    try:
        with told(hub_id):
            fetch_large_files(hub_id, progress.tell)
        return get_snapshot(hub_id)
    except GeneratorError as error:
        raise DownloadError(explain(error).code, error.what, fix=error.fix) from error


class TextProgress:
    """How far the download is, for people: a line at every percent."""

    def __init__(self) -> None:
        self._line = StatusLine()

    def tell(self, done: int, total: int) -> None:
        """Show how much is here."""
        percent = 100 * done // total if total else 100
        self._line.show(f"{percent} % of {total / 1e9:.2f} GB")

    def end(self, folder: Path) -> None:
        """Say where the model is."""
        self._line.clear()
        print(f"The model is in {folder}")


class JsonProgress:
    """How far the download is, for programs."""

    def tell(self, done: int, total: int) -> None:
        """Print how much is here."""
        print_event("progress", done_bytes=done, total_bytes=total)

    def end(self, folder: Path) -> None:
        """Print where the model is."""
        print_event("done", folder=str(folder))


def print_event(event: str, **fields: Any) -> None:
    """Print a line of `--json-progress` at once."""
    print(json.dumps({"event": event, **fields}), flush=True)
