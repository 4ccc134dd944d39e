"""OpenAI's API over the engine, streamed or not, and vLLM's two routes of the tokenizer."""

from ttdirect.server.openai.routes import add_openai
from ttdirect.server.openai.schema import ChatRequest, CompletionRequest

__all__ = ["ChatRequest", "CompletionRequest", "add_openai"]
