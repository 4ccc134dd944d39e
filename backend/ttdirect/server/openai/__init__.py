"""OpenAI's API over the engine: `GET /v1/models`, chat and text completions, streamed or not."""

from ttdirect.server.openai.routes import add_openai
from ttdirect.server.openai.schema import ChatRequest, CompletionRequest

__all__ = ["ChatRequest", "CompletionRequest", "add_openai"]
