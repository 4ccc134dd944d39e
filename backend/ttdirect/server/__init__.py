"""Flask around the engine: the lesson's routes, streaming, errors, and a life from start to stop.

The names here are what the user's script calls.
"""

from ttdirect.schema.chat import CHAT_FIELDS, Field
from ttdirect.server.errors import ApiError, ClientLeftError
from ttdirect.server.fields import chat_fields
from ttdirect.server.gunicorn_app import serve, start_in_gunicorn
from ttdirect.server.health import health_report
from ttdirect.server.imports import explained_imports
from ttdirect.server.openai import add_openai
from ttdirect.server.operations import add_operations
from ttdirect.server.protection import is_loopback, protect
from ttdirect.server.streaming import add_streaming
from ttdirect.server.waiting import client_has_left, wait_for

__all__ = [
    "CHAT_FIELDS",
    "ApiError",
    "ClientLeftError",
    "Field",
    "add_openai",
    "add_operations",
    "add_streaming",
    "chat_fields",
    "client_has_left",
    "explained_imports",
    "health_report",
    "is_loopback",
    "protect",
    "serve",
    "start_in_gunicorn",
    "wait_for",
]
