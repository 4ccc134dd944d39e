"""`ttdirect serve`: run the script that `create` would write, without leaving a file."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import traceback
import types
from typing import TYPE_CHECKING

from ttdirect.cli import serve_settings
from ttdirect.cli.errors import CommandError
from ttdirect.cli.settings import absolute, choose_device
from ttdirect.script.render import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    ScriptSettings,
    default_limits,
    default_model,
    render,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ttdirect.cli.parser import CommandParser, Commands

# What tracebacks show for the script; the angle brackets tell tools that it is no file.
_FILENAME = "<ttdirect serve>"


def add_parser(commands: Commands) -> None:
    """Add the subcommand `serve`."""
    parser = commands.add(
        "serve",
        summary="start a server without a script of your own",
        description="Start the server that `ttdirect create` would write, without writing it.\n"
        "A setting comes from its flag, else its environment variable, else the file given with\n"
        "--config, else its default. Ctrl+C stops the server.",
        examples=(
            "ttdirect serve",
            "ttdirect serve --port 9000 --max-batch-size 8",
            "ttdirect serve --model ~/models/Llama-3.2-1B-Instruct",
            "TTDIRECT_MAX_QUEUED=256 ttdirect serve --config server.toml",
            "HF_MODEL=meta-llama/Llama-3.1-8B-Instruct ttdirect serve --device tenstorrent",
        ),
    )
    serve_settings.add_options(parser, _defaults())
    parser.passes_extras = True
    parser.set_defaults(run=functools.partial(run, parser=parser))


def run(options: argparse.Namespace, *, parser: CommandParser) -> int:
    """Run the server until it is stopped and return its exit code.

    Raises:
        UsageError: If an option is neither ours nor the script's, or a setting is wrong.
        CommandError: If the script ends with an error that it did not foresee.
    """
    chosen = serve_settings.choose(options, os.environ)
    script, device_reason = _script_settings(chosen)
    text = render(script)
    for extra in options.extras:
        if extra.startswith("-") and f'"{extra.partition("=")[0]}"' not in text:
            parser.refuse(extra)
    if options.model:
        # The script lets HF_MODEL win over its own line; here, what was typed wins.
        os.environ["HF_MODEL"] = script.model
    if "device" in chosen.values:
        os.environ["TTDIRECT_DEVICE"] = script.device
    if "precision" in chosen.values:
        os.environ["TTDIRECT_PRECISION"] = str(chosen.values["precision"])
    for line in _summary(script, device_reason, chosen):
        print(line, file=sys.stderr)
    open_address = ["--no-api-key"] if options.no_api_key else []
    address = ["--port", str(script.port), "--host", script.host]
    return _run_script(text, [*address, *open_address, *options.extras])


def _defaults() -> dict[str, serve_settings.Value]:
    limits = {name.lower(): value for name, value in default_limits().items()}
    return {
        "device": "auto",
        "precision": "auto",
        "host": DEFAULT_HOST,
        "port": DEFAULT_PORT,
        **limits,
    }


def _script_settings(chosen: serve_settings.Chosen) -> tuple[ScriptSettings, str]:
    """Return what the script is rendered for, and why its device was chosen."""
    values = {**_defaults(), **chosen.values}
    device, reason = choose_device(
        str(values["device"]), f"As {chosen.origins.get('device')} says."
    )
    model = str(values.get("model", "")) or default_model(device)
    if chosen.origins.get("model") != "HF_MODEL":  # which the script reads for itself
        model = absolute(model) or model
    limits = {name: int(values[name.lower()]) for name in default_limits()}
    script = ScriptSettings(device, model, int(values["port"]), str(values["host"]), limits)
    return script, reason


def _summary(
    script: ScriptSettings, device_reason: str, chosen: serve_settings.Chosen
) -> Iterator[str]:
    """Yield what is in force, and where each setting came from that has not its default."""
    yield f"Device: {script.device}. {device_reason}"
    limits = script.limits
    yield (
        f"Limits: {limits['MAX_BATCH_SIZE']} requests at a time and {limits['MAX_QUEUED']} "
        f"waiting, each with up to {limits['MAX_SEQ_LEN']} tokens and "
        f"{limits['REQUEST_TIMEOUT']} s; KV cache for {limits['CACHE_TOKENS']} tokens in blocks "
        f"of {limits['BLOCK_SIZE']}."
    )
    if chosen.values:
        changes = (
            f"{name} {value} ({chosen.origins[name]})" for name, value in chosen.values.items()
        )
        yield f"Set: {', '.join(changes)}."


def _run_script(text: str, arguments: Sequence[str]) -> int:
    """Run `text` as the main program and return its exit code."""
    # So that tracebacks show the script's lines. No modification time: never looked up on disk.
    linecache.cache[_FILENAME] = (len(text), None, text.splitlines(keepends=True), _FILENAME)
    module = types.ModuleType("__main__")
    module.__file__ = _FILENAME
    own_main, own_arguments = sys.modules["__main__"], sys.argv
    sys.modules["__main__"], sys.argv = module, ["ttdirect serve", *arguments]
    try:
        exec(compile(text, _FILENAME, "exec"), module.__dict__)  # noqa: S102 our own template
    except SystemExit as stop:
        return _exit_code(stop)
    except Exception as error:
        frames = error.__traceback__ and error.__traceback__.tb_next  # the script's, not ours
        traceback.print_exception(type(error), error, frames)
        raise CommandError(
            "the server ended with an error that it did not expect",
            fix="read the lines above, and check this computer with: ttdirect doctor",
        ) from error
    finally:
        sys.modules["__main__"], sys.argv = own_main, own_arguments
    return 0


def _exit_code(stop: SystemExit) -> int:
    """Return the exit code that Python itself would end with."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code
    print(stop.code, file=sys.stderr)
    return 1
