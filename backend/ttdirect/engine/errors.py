"""Why the engine says no. Each error carries one sentence for the client."""

from __future__ import annotations


class EngineError(Exception):
    """Base of what the engine tells its callers; `str(error)` is a sentence for people."""


class FixableError(EngineError):
    """Something that whoever runs the server can put right.

    Args:
        what: one sentence that says what is wrong.
        fix: what to do about it.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


class EngineSettingError(FixableError, ValueError):
    """A setting of the engine is outside of what the Generator API supports."""


class NotReadyError(EngineError):
    """The engine is loading, draining, stopped or failed, so it takes no requests.

    Args:
        message: the sentence.
        retry_after: seconds after which another try makes sense; None where it never does.
    """

    def __init__(self, message: str, retry_after: int | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFullError(EngineError):
    """As many requests wait as may wait.

    Args:
        waiting: requests in the queue.
        retry_after: seconds after which the queue has likely moved.
    """

    def __init__(self, waiting: int, retry_after: int) -> None:
        super().__init__(
            f"The server is busy: {waiting} requests are already waiting. "
            f"Try again in {retry_after} s."
        )
        self.retry_after = retry_after


class PromptTooLongError(EngineError):
    """The prompt does not fit into the model's context together with one token of answer.

    Args:
        prompt_tokens: tokens in the prompt.
        limit: the most tokens a prompt may have.
        is_padded: whether it would fit if the device did not pad it.
    """

    def __init__(self, prompt_tokens: int, limit: int, *, is_padded: bool = False) -> None:
        reason = ", because the device pads longer ones beyond it" if is_padded else ""
        super().__init__(
            f"The prompt has {prompt_tokens} tokens, but at most {limit} fit into this server's "
            f"context{reason}. Shorten it, or raise MAX_SEQ_LEN in the script."
        )
        self.prompt_tokens = prompt_tokens
        self.limit = limit


class PromptRefusedError(EngineError, ValueError):
    """The prompt is no text, or the model's chat template does not take such a conversation."""


class GrammarError(EngineError, ValueError):
    """No answer can look the way that was asked for, or the library that checks it is missing."""


class DeadlineError(EngineError):
    """The answer was not complete within the time the server allows for a request."""


class StepFailedError(EngineError):
    """The model failed while it computed; the engine takes no more requests."""
