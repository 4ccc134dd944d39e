"""Write backend/ttdirect/schema/openai.json: what the routes for OpenAI's clients take.

The models in server/openai/schema.py are the source. Run it after changing them:

    .venv/bin/python scripts/write_request_schemas.py
"""

import json
from pathlib import Path

import ttdirect
from ttdirect.server.openai.schema import (
    UNSUPPORTED,
    ChatRequest,
    CompletionRequest,
    DetokenizeRequest,
)
from ttdirect.server.operations.openai_schemas import openai_components

FILE = Path(ttdirect.__file__).parent / "schema" / "openai.json"

_ROOTS = {
    "OpenAIChatRequest": ChatRequest,
    "OpenAICompletionRequest": CompletionRequest,
    "OpenAIDetokenizeRequest": DetokenizeRequest,
}


def request_schemas() -> str:
    """The text of the file."""
    every = openai_components()
    wanted: dict[str, object] = {}
    waiting = list(_ROOTS)
    while waiting:
        name = waiting.pop(0)
        if name not in wanted:
            wanted[name] = every[name]
            text = json.dumps(every[name])
            waiting += [part.split('"')[0] for part in text.split("#/components/schemas/")[1:]]
    unsupported = {
        name: {field: list(harmless) for field, harmless in UNSUPPORTED[model].items()}
        for name, model in _ROOTS.items()
    }
    content = {"components": wanted, "unsupported": unsupported}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(request_schemas(), encoding="utf-8")
    print(f"{FILE} is written")
