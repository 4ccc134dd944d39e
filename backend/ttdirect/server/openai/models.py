"""The models that this server answers for: one, under all of its names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttdirect.engine import printable
from ttdirect.server.body import cut
from ttdirect.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.engine import Engine


class Models:
    """The loaded model's name and its aliases.

    Args:
        engine: knows the model's own name once it is loaded.
        aliases: other names that clients may use.
        created: Unix time in seconds.
    """

    def __init__(self, engine: Engine, aliases: Sequence[str], created: int) -> None:
        self._engine = engine
        self._aliases = tuple(aliases)
        self._created = created

    def names(self) -> list[str]:
        """Every name, the model's own first.

        Raises:
            NotReadyError: the model is not loaded.
        """
        return list(dict.fromkeys([self._engine.loaded_model.name, *self._aliases]))

    def described(self) -> list[dict[str, Any]]:
        """OpenAI's model objects; `max_model_len`, tokens of prompt and answer, is vLLM's."""
        return [
            {
                "id": name,
                "object": "model",
                "created": self._created,
                "owned_by": "ttdirect",
                "max_model_len": self._engine.limits.context,
            }
            for name in self.names()
        ]

    def chosen(self, asked: str | None) -> str:
        """The name that a request means: its own, or the model's where it says none.

        Hugging Face's `owner/name` is good for a model that is served as `name`, and the other
        way round: the same checkpoint has both names.

        Raises:
            ApiError: 404 for another model.
            NotReadyError: the model is not loaded.
        """
        names = self.names()
        if asked is None:
            return names[0]
        same = {_last_part(name) for name in names}
        if asked in names or (asked in same or _last_part(asked) in names):
            return asked
        raise ApiError(
            404,
            f"There is no model '{cut(printable(asked))}' here. This server answers for: "
            f"{', '.join(names)}.",
            param="model",
            code="model_not_found",
        )


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
