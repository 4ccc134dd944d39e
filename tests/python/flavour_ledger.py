"""What stands in the KV cache of each model, kept by a double of the Generator.

The API reads whatever a page table points at: a block of another model's cache, or a row that
another model has, is not an error there but somebody else's text. A ledger makes it an error.
"""

from __future__ import annotations

from collections.abc import Sequence


class Ledger:
    """The tokens behind the keys and values, and what has been read for each row.

    Args:
        rows: of each model.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._cells: dict[tuple[int, int, int], int] = {}
        """By model, block and offset."""
        self._texts: dict[int, list[int]] = {}
        """By row."""

    def prefill(
        self, row: int, tokens: Sequence[int], start: int, table: Sequence[int], size: int
    ) -> None:
        """Read a prompt of which the first `start` tokens are said to be cached.

        Args:
            row: its row of the batch.
            tokens: the whole prompt.
            start: tokens before the first that is computed.
            table: its blocks.
            size: tokens to a block.

        Raises:
            AssertionError: the cache of the row's model does not hold them.
        """
        if not any(table):  # warm-up
            return
        self._check(row, tokens[:start], table, size)
        for at in range(start, len(tokens)):
            self._cells[self._cell(row, at, table, size)] = tokens[at]
        self._texts[row] = list(tokens)

    def decode(self, row: int, token: int, position: int, table: Sequence[int], size: int) -> None:
        """Write a row's next token.

        Raises:
            AssertionError: the row goes on with a text that its model has not read, or names a
                block that holds another one in the cache of its model.
        """
        if not any(table):  # warm-up
            return
        text = self._texts.get(row, [])
        assert len(text) == position, (
            f"row {row} goes on at position {position}, and model {row // self._rows} has read "
            f"{len(text)} tokens for it"
        )
        self._check(row, text, table, size)
        self._cells[self._cell(row, position, table, size)] = token
        text.append(token)

    def _check(self, row: int, text: Sequence[int], table: Sequence[int], size: int) -> None:
        for at, token in enumerate(text):
            model, block, offset = cell = self._cell(row, at, table, size)
            assert self._cells.get(cell) == token, (
                f"row {row} names block {block}, and in the cache of model {model} that holds "
                f"something else at {offset}"
            )

    def _cell(self, row: int, at: int, table: Sequence[int], size: int) -> tuple[int, int, int]:
        return row // self._rows, table[at // size], at % size
