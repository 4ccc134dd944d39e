"""The log as people read it, or as machines do: one JSON object for each line.

A record's attribute `fields` (from `log.info(..., extra={"fields": {...}})`) holds what the line
says as values.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import TYPE_CHECKING, Any, TextIO

from ttdirect.server.environment import SettingError
from ttdirect.server.request_id import asking

if TYPE_CHECKING:
    StreamHandler = logging.StreamHandler[TextIO]
else:
    StreamHandler = logging.StreamHandler  # Python 3.10 cannot subscript it

FORMAT_VARIABLE = "TTDIRECT_LOG_FORMAT"
FORMATS = ("text", "json")


def log_handler(stream: TextIO, log_format: str) -> logging.Handler:
    """A handler for the loggers of ttdirect.

    Args:
        stream: where the lines go.
        log_format: "text" for a time and a sentence, "json" for objects.

    Raises:
        SettingError: there is no such format.
    """
    if log_format not in FORMATS:
        raise SettingError(
            f"{FORMAT_VARIABLE} must be text or json, not {log_format!r}.",
            f"set {FORMAT_VARIABLE}=json, or leave it out for text",
        )
    handler = _PatientHandler(stream)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    return handler


class JsonFormatter(logging.Formatter):
    """One line of JSON: time (UTC), level, logger, message, the record's fields, and who asks."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a JSON object without line ends."""
        time = dt.datetime.fromtimestamp(record.created, dt.timezone.utc)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        now = asking()
        if now is not None:
            line["request_id"] = now.id
            if now.owner is not None:
                line["key"] = now.owner
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _PatientHandler(StreamHandler):
    """Drops a line that cannot be written.

    A full disk or a closed terminal must not stop the server, and nobody would read a complaint.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Do nothing."""
