"""What a card's owner is told when something fails: what happened, what to do, where to read on."""

from __future__ import annotations


class DeviceError(RuntimeError):
    """A failure in words for people; `str(error)` says what happened.

    Args:
        code: a stable name of the kind of failure, for programs.
        what: one sentence on what happened.
        fix: what to do about it.
        section: of the guide (`device/guide.py`) that says more, as in a link to its heading.
        is_lost: whether the device is lost with it, until another process opens it.
    """

    def __init__(
        self, code: str, what: str, fix: str, section: str, *, is_lost: bool = False
    ) -> None:
        super().__init__(what)
        self.code = code
        self.is_lost = is_lost
        # A command, because a terminal opens no links. The extension finds the section in it.
        self.fix = f"{fix} (more: ttdirect doctor --explain {section})"
