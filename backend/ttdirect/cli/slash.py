"""What a user can type in a conversation beside prompts: the commands that begin with a slash."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ttdirect.cli import dialogue as dialogues
from ttdirect.cli.dialogue import OPTIONS
from ttdirect.cli.errors import CommandError
from ttdirect.cli.parser import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttdirect.cli.dialogue import Dialogue

Next: TypeAlias = Literal["prompt", "ask again", "leave"]
"""What a command leads to: the next prompt, the last question once more, or the end."""

_HELP = '''\
Type a prompt and press Enter; one of several lines stands between """ and """.
  /help               show this
  /clear              forget what was said
  /system TEXT        tell the model how to behave; without TEXT, no longer
  /set                show what is set
  /set NAME VALUE     set {options}; without VALUE, back to the server's default
  /regenerate         ask the last question once more
  /save FILE          keep the conversation in a file
  /load FILE          go on with one that was saved
  /bye                leave, as Ctrl+D does
Ctrl+C stops an answer; twice at the prompt, it leaves.'''


class SlashCommands:
    """The commands of one conversation, which change its `dialogue`."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._plain: dict[str, Callable[[], Next]] = {
            "/help": self._help,
            "/clear": self._clear,
            "/regenerate": self._regenerate,
            "/bye": self._bye,
            "/quit": self._bye,
        }
        self._with_text: dict[str, Callable[[str], Next]] = {
            "/system": self._system,
            "/set": self._set,
            "/save": self._save,
            "/load": self._load,
        }

    def obey(self, line: str) -> Next | None:
        """Do what `line` says and return what comes next, None if it is no command.

        Raises:
            CommandError: If there is no such command, or it cannot be done.
        """
        # A path or a comment may begin a prompt as well.
        match = re.match(r"(/[a-z]+)(?:\s+(.*))?$", line, re.DOTALL)
        if not match:
            return None
        name, argument = match[1], (match[2] or "").strip()
        if name in self._with_text:
            return self._with_text[name](argument)
        if name not in self._plain:
            known = [*self._plain, *self._with_text]
            raise CommandError(
                f"there is no command '{name}'{did_you_mean(name, known)}",
                fix="/help shows every command",
            )
        if argument:
            raise CommandError(f"{name} stands alone", fix=f"type {name}")
        return self._plain[name]()

    def _help(self) -> Next:
        _say(_HELP.format(options=", ".join(OPTIONS)))
        return "prompt"

    def _clear(self) -> Next:
        self._dialogue.turns.clear()
        _say("The conversation begins anew.")
        return "prompt"

    def _system(self, text: str) -> Next:
        self._dialogue.system = text or None
        _say("The model is told so from now on." if text else "The model is told nothing more.")
        return "prompt"

    def _set(self, argument: str) -> Next:
        if argument:
            self._change(*argument.split(None, 1))
        _say(f"system: {self._dialogue.system or 'none'}")
        for name in OPTIONS:
            _say(f"{name}: {self._dialogue.options.get(name, 'as the server has it')}")
        return "prompt"

    def _change(self, name: str, value: str = "") -> None:
        if name not in OPTIONS:
            raise CommandError(
                f"there is no setting '{name}'{did_you_mean(name, OPTIONS)}",
                fix=f"choose from: {', '.join(OPTIONS)}",
            )
        if not value:
            self._dialogue.options.pop(name, None)
            return
        try:
            self._dialogue.options[name] = OPTIONS[name](value)
        except ValueError as error:
            raise CommandError(
                f"{name} cannot be '{value}'", fix=f"give a number: /set {name} 1"
            ) from error

    def _regenerate(self) -> Next:
        if not self._dialogue.turns:
            raise CommandError("nothing was asked yet", fix="type a prompt")
        return "ask again"

    def _save(self, file: str) -> Next:
        dialogues.save(self._dialogue, _path(file, "/save"))
        _say(f"Saved. To go on with it: /load {file}")
        return "prompt"

    def _load(self, file: str) -> Next:
        loaded = dialogues.load(_path(file, "/load"))
        mine = self._dialogue
        mine.system, mine.options, mine.turns = loaded.system, loaded.options, loaded.turns
        _say(f"Loaded: {len(loaded.turns)} questions with their answers.")
        return "prompt"

    def _bye(self) -> Next:
        return "leave"


def _path(file: str, command: str) -> Path:
    if not file:
        raise CommandError(f"{command} needs a file", fix=f"type {command} FILE")
    try:
        return Path(file).expanduser()
    except RuntimeError as error:  # no home folder to put in place of the ~
        raise CommandError(f"there is no folder {file}", fix="name a full path") from error


def _say(text: str) -> None:
    print(text, file=sys.stderr)
