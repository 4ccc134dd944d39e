"""The log as people read it, or as machines do: one JSON object for each line.

A record's attribute `fields` (from `log.info(..., extra={"fields": {...}})`) holds what the line
says as values.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import TYPE_CHECKING, Any, TextIO

from flask import g, has_request_context

from ttdirect.server.environment import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        handler.addFilter(_RequestIds())
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    return handler


class JsonFormatter(logging.Formatter):
    """One line of JSON: time (UTC), level, logger, message, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a JSON object without line ends."""
        time = dt.datetime.fromtimestamp(record.created, dt.timezone.utc)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _RequestIds(logging.Filter):
    """Adds the id of the HTTP request to the lines about it.

    A stream ends when Flask has left its request, so the id that came with the question is kept
    until the answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._id_of: dict[int, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        fields = _fields(record)
        request_id: str | None = g.get("request_id") if has_request_context() else None
        number = fields.get("request")
        if fields.get("event") == "asks" and number is not None and request_id is not None:
            self._id_of[number] = request_id
        if fields.get("event") == "gets" and number is not None:
            request_id = self._id_of.pop(number, request_id)
        if request_id is not None:
            record.fields = {**fields, "request_id": request_id}
        return True


class _PatientHandler(StreamHandler):
    """Drops a line that cannot be written.

    A full disk or a closed terminal must not stop the server, and nobody would read a complaint.
    """

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Do nothing."""


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    return getattr(record, "fields", {})
