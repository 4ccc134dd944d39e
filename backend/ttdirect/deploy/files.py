"""The files of a deployment: rendered from templates, compared, and written with care."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from ttdirect.deploy.plan import SPARE_THREADS
from ttdirect.deploy.targets import image_name, templates_of
from ttdirect.script.create import FileChanged, put
from ttdirect.script.file import decode, difference, read, resolve
from ttdirect.script.seal import is_as_rendered, seal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ttdirect.deploy.plan import Plan
    from ttdirect.script.create import Outcome


def render_files(targets: Iterable[str], plan: Plan) -> dict[Path, str]:
    """Return the text of each file of the targets, by its full path; the last line is its seal.

    Raises:
        NotDeployableError: If a target cannot be written there.
    """
    languages = _languages()
    keys = json.dumps(str(plan.key_file)) if plan.key_file else 'str(HERE / "api-keys")'
    return {
        plan.folder / name: seal(
            languages.get_template(template).render(
                plan=plan,
                spare=SPARE_THREADS,
                keys_literal=keys,
                key_path=str(plan.key_file) if plan.key_file else "./api-keys",
                image=image_name(plan),
            )
        )
        for name, template in templates_of(targets, plan).items()
    }


def changed_files(files: dict[Path, str]) -> list[FileChanged]:
    """Return those files that hold something of the user's, and what a new text would change.

    Raises:
        ScriptFileError: If one cannot be read.
    """
    changed: list[FileChanged] = []
    for path, text in files.items():
        theirs = _text_of(path)
        if theirs is not None and theirs != text and not is_as_rendered(theirs):
            changed.append(FileChanged(path, difference(path, theirs, text, name="a new file")))
    return changed


def differences(files: dict[Path, str]) -> str:
    """Return unified diffs from the files to new ones: empty when they are the same.

    Raises:
        ScriptFileError: If one cannot be read.
    """
    return "".join(
        difference(path, _text_of(path) or "", text, name="a new file")
        for path, text in files.items()
    )


def write_files(files: dict[Path, str], *, overwrite: bool = False) -> list[Outcome]:
    """Write the files, or none of them if one holds changes of the user's.

    With `overwrite` these are replaced, and kept beside the new ones as `<name>.bak`.

    Returns:
        What became of each file; only the refusals, if there are any.

    Raises:
        ScriptFileError: If one cannot be read or written.
    """
    if not overwrite and (changed := changed_files(files)):
        return list(changed)
    return [put(path, text, overwrite=overwrite, executable=False) for path, text in files.items()]


def _text_of(path: Path) -> str | None:
    path = resolve(path)
    theirs = read(path)
    return None if theirs is None else decode(path, theirs)


def _languages() -> Environment:
    environment = Environment(
        loader=PackageLoader("ttdirect.deploy"),
        autoescape=False,  # noqa: S701 - none of the files is HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = json.dumps  # Python, YAML and JSON write a text alike
    environment.filters["unit"] = _unit_value
    environment.filters["unit_word"] = _unit_word
    return environment


def _unit_value(text: str) -> str:
    """A value as systemd reads it: a single % begins one of its own words."""
    return text.replace("%", "%%")


def _unit_word(text: str) -> str:
    """One word of a list in a unit, which may hold spaces."""
    return f'"{_unit_value(text)}"'
