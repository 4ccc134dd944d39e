"""`Generator`: prefill and decode on the paged KV cache, with tt-metal's names, shapes and rules.

The shape is that of eras A/B of tt-metal models/tt_transformers tt/generator.py: there is a
`decode_forward_text`, results are bare tensors, prefill takes `empty_slots` and `start_pos`. One
thread owns a Generator: it is not thread safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor

from ttdirect.generator.contract import (
    blocks_for,
    check,
    check_blocks,
    check_kv_cache,
    check_page_table,
    get_padded_prefill_len,
)
from ttdirect.generator.kv_cache import KVCache, contiguous_page_table
from ttdirect.generator.sampling import SamplingParams, sample

if TYPE_CHECKING:
    from collections.abc import Sequence


WARM_UP_TOKENS = 8


class Model(Protocol):
    """What the Generator asks of a model; `transformer.Transformer` describes the shapes."""

    own_kv_cache: KVCache | None
    verifies_drafts: bool
    """Whether a decode writes all rows' keys and values before it reads any of them."""

    def prefill(
        self, tokens: Tensor, start: int, table: Tensor, kv_cache: KVCache, *, scribbles: bool
    ) -> Tensor:
        """Return the logits of a prompt's last token, float32 `[vocab_size]`."""
        ...

    def decode(
        self, tokens: list[int], positions: list[int], tables: Tensor, kv_cache: KVCache
    ) -> Tensor:
        """Return the logits of the active rows, float32 `[rows, vocab_size]`."""
        ...


class Limits(Protocol):
    """What the Generator asks of `model_args`."""

    max_batch_size: int
    max_seq_len: int
    max_prefill_chunk_size: int
    vocab_size: int


class Generator:
    """Runs one or more data-parallel models.

    Args:
        model: the models, as `create_tt_model` returns them; more than one is data parallel.
        model_args: their `ModelArgs`, in the same order.
        mesh_device: what `open_mesh_device` returned.
        processor: accepted for tt-metal's order of arguments; text models have none.
        tokenizer: kept for callers; the Generator itself deals in token ids.
    """

    def __init__(
        self,
        model: Sequence[Model],
        model_args: Sequence[Limits],
        mesh_device: Any,
        processor: Any = None,
        tokenizer: Any = None,
    ) -> None:
        self.model = list(model)
        self.model_args = list(model_args)
        self.mesh_device = mesh_device
        self.processor = processor
        self.tokenizer = tokenizer
        self.data_parallel = len(self.model)
        self.already_warmed_up_prefill = False
        self.prev_page_table: Tensor | None = None
        """A copy of the last decode's page table; None makes the next decode reload all inputs."""
        self._trace_width: int | None = None
        self._device_tokens: list[int] | None = None
        self._device_positions: list[int] = []

    @property
    def verifies_drafts(self) -> bool:
        """Whether rows of a decode may share a page table and have successive positions.

        Then each of them sees what those before it write in the same step. A card cannot do that:
        it updates the cache by tiles, and two rows that update one tile race.
        """
        return self.data_parallel == 1 and self.model[0].verifies_drafts

    def prefill_forward_text(  # noqa: PLR0917  tt-metal's signature, here and below
        self,
        tokens: Tensor,
        page_table: Tensor | None = None,
        kv_cache: list[KVCache] | None = None,
        prompt_lens: Sequence[int] | Tensor | None = None,
        empty_slots: Sequence[int] | None = None,
        enable_trace: bool = True,  # noqa: ARG002  tt-metal's signature
        model_id_warmup: int | None = None,  # noqa: ARG002
        sampling_params: SamplingParams | None = None,
        start_pos: Sequence[int] | Tensor | None = None,
        warmup_prefill: bool = True,
    ) -> Tensor:
        """Compute prompts, one after another, and return what follows their last tokens.

        Args:
            tokens: int `[N, L]`, right-padded, whole prompts including what is cached.
            page_table: int32 `[N, W]`, rows in the order of the prompts (not of the slots).
            kv_cache: a list with one cache per data-parallel model.
            prompt_lens: N full lengths; without it every prompt has L tokens.
            empty_slots: N destination slots, `range(N)` if absent.
            enable_trace: no effect on a CPU.
            model_id_warmup: no effect on a CPU.
            sampling_params: sample here instead of returning logits.
            start_pos: N lengths of prefixes whose keys and values are in the cache already.
            warmup_prefill: on a card, warm up in the first call; no effect on a CPU.

        Returns:
            float32 `[N, 1, vocab_size]`, or with `sampling_params` int64 `[N, 1]`.

        Raises:
            AssertionError: an argument breaks a rule of the API (see `contract`).
        """
        count, width = tokens.shape
        lengths = [width] * count if prompt_lens is None else [int(it) for it in prompt_lens]
        slots = list(range(count)) if empty_slots is None else [int(it) for it in empty_slots]
        cached = [0] * count if start_pos is None else [int(it) for it in start_pos]
        for name, values in (
            ("prompt_lens", lengths),
            ("empty_slots", slots),
            ("start_pos", cached),
        ):
            check(len(values) == count, f"{name} must have one entry for each of {count} prompts")
        if page_table is not None:
            check_page_table(page_table, count)
        self.already_warmed_up_prefill |= warmup_prefill
        self._device_tokens = None  # a row is new: the next decode loads its inputs from the host
        logits = torch.stack(
            [
                self._prefill_one(
                    tokens[row, : lengths[row]].long(),
                    cached[row],
                    slots[row],
                    None if page_table is None else page_table[row],
                    kv_cache,
                )
                for row in range(count)
            ]
        )
        return (
            logits[:, None] if sampling_params is None else sample(logits, sampling_params)[:, None]
        )

    def decode_forward_text(  # noqa: PLR0917
        self,
        tokens: Tensor,
        start_pos: Tensor,
        page_table: Tensor | None = None,
        kv_cache: list[KVCache] | None = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
        sampling_params: SamplingParams | None = None,
    ) -> Any:
        """Decode one token for each active row of the batch.

        Args:
            tokens: int `[B, 1]`, B = `max_batch_size` times the number of models.
            start_pos: int `[B]`: tokens in each row's cache already; -1 for an idle row.
            page_table: int32 `[B, W]`; W must stay what it was in the first traced decode.
            kv_cache: a list with one cache per data-parallel model.
            enable_trace: as on a card, a traced decode with sampling on the device feeds itself.
            read_from_device: False returns what `read_decode_output` takes.
            sampling_params: sample on the device. Then `tokens` and `start_pos` are read only when
                the page table changed, after a prefill, after a step without sampling, and after
                `prev_page_table` was set to None; in between the device continues by itself.

        Returns:
            float32 logits `[B, 1, vocab_size]`, or with `sampling_params` int32 tokens `[B]`. Rows
            that are idle hold arbitrary values.

        Raises:
            AssertionError: an argument breaks a rule of the API (see `contract`).
        """
        self._check_decode(tokens, start_pos, page_table, is_traced=enable_trace)
        if not (enable_trace and sampling_params is not None and self._is_steady(page_table)):
            self._load_inputs(tokens, start_pos)
        self.prev_page_table = None if page_table is None else page_table.clone()
        outputs = self._decode_loaded(page_table, kv_cache, sampling_params)
        if not read_from_device:
            return outputs
        host = self.read_decode_output(outputs)
        return self.process_decode_output_host(host, is_tokens=sampling_params is not None)

    def read_decode_output(self, tt_out: list[Tensor], async_read: bool = False) -> Any:
        """Return the outputs on the host; with `async_read` also the events to wait for: none."""
        return (tt_out, []) if async_read else tt_out

    def process_decode_output_host(
        self,
        tt_out: list[Tensor],
        is_tokens: bool = False,  # noqa: ARG002  tt-metal's signature
    ) -> Tensor:
        """Return the models' outputs as one batch: logits `[B, 1, vocab_size]` or tokens `[B]`."""
        return tt_out[0] if len(tt_out) == 1 else torch.cat(tt_out)

    def warmup_model_prefill(
        self,
        kv_cache: list[KVCache],
        enable_trace: bool = False,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Run a short prompt in block 0, so that PyTorch's one-time work is done."""
        table = torch.zeros(1, blocks_for(WARM_UP_TOKENS, kv_cache[0]), dtype=torch.int32)
        for group, args in enumerate(self.model_args):
            self.prefill_forward_text(
                torch.zeros(1, min(WARM_UP_TOKENS, args.max_seq_len), dtype=torch.int64),
                page_table=table,
                kv_cache=kv_cache,
                empty_slots=[group * args.max_batch_size],
            )

    def warmup_model_decode(
        self,
        kv_cache: list[KVCache],
        enable_trace: bool,
        max_batch_size: int,
        num_blocks: int,
        can_sample_on_device: bool = False,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Decode the whole batch at position 0 of block 0; `num_blocks` is the table's width W."""
        self.decode_forward_text(
            torch.zeros(max_batch_size, 1, dtype=torch.int64),
            torch.zeros(max_batch_size, dtype=torch.int64),
            page_table=torch.zeros(max_batch_size, num_blocks, dtype=torch.int32),
            kv_cache=kv_cache,
            enable_trace=enable_trace,
        )

    def _prefill_one(
        self,
        tokens: Tensor,
        cached: int,
        slot: int,
        page_table: Tensor | None,
        kv_cache: list[KVCache] | None,
    ) -> Tensor:
        group, user = divmod(slot, self.model_args[0].max_batch_size)
        check(0 <= group < self.data_parallel, f"slot {slot} is not a row of the batch")
        args, length = self.model_args[group], tokens.shape[0]
        check(0 <= cached < length, f"start_pos must be at least 0 and below {length}: {cached}")
        padded = get_padded_prefill_len(length - cached)
        longest = max(padded, length)
        check(
            longest <= args.max_seq_len,
            f"Sequence length {longest} exceeds max seq len {args.max_seq_len}",
        )
        if padded > args.max_prefill_chunk_size:
            check(page_table is not None, "page_table must be provided for chunked prefill")
            check(kv_cache is not None, "kv_cache must be provided for chunked prefill")
        cache = self._cache_of(group, kv_cache)
        own = self._own_table(group)[user] if page_table is None else page_table
        table = own.long()
        needed, reach = blocks_for(length, cache), blocks_for(cached + padded, cache)
        check(
            table.shape[0] >= needed,
            f"page_table has {table.shape[0]} columns; {length} tokens need {needed}",
        )
        check_blocks(table[:needed], cache)
        # Padding is written where the table points past the prompt. Zeros there, and columns that
        # are missing (tt-metal pads the table with zeros), are block 0.
        padding = table[needed:reach]
        scribbles = padding.shape[0] < reach - needed or bool((padding == 0).any())
        return self.model[group].prefill(tokens, cached, table, cache, scribbles=scribbles)

    def _check_decode(
        self, tokens: Tensor, start_pos: Tensor, page_table: Tensor | None, *, is_traced: bool
    ) -> None:
        rows = self.model_args[0].max_batch_size * self.data_parallel
        check(
            tokens.shape[0] == rows,
            f"Batch size {tokens.shape[0]} must be equal to max_batch_size {rows}",
        )
        check(start_pos.numel() == rows, f"start_pos must have {rows} entries")
        if page_table is not None:
            check_page_table(page_table, rows)
        if is_traced:
            self._check_trace(page_table)

    def _check_trace(self, page_table: Tensor | None) -> None:
        width = 0 if page_table is None else page_table.shape[1]
        if self._trace_width is None:
            self._trace_width = width
        if width != self._trace_width:
            raise RuntimeError(
                f"page_table has {width} columns, but the decode trace was captured with "
                f"{self._trace_width}: use ceil(max_seq_len / block_size) columns in every step."
            )

    def _is_steady(self, page_table: Tensor | None) -> bool:
        """Whether the device would go on with its own tokens and positions."""
        previous = self.prev_page_table
        if self._device_tokens is None or previous is None or page_table is None:
            return False
        return torch.equal(previous, page_table)

    def _load_inputs(self, tokens: Tensor, start_pos: Tensor) -> None:
        self._device_tokens = _as_ints(tokens)
        self._device_positions = _as_ints(start_pos)

    def _decode_loaded(
        self,
        page_table: Tensor | None,
        kv_cache: list[KVCache] | None,
        sampling_params: SamplingParams | None,
    ) -> list[Tensor]:
        """Decode what is loaded; one output for each model, logits `[M, 1, V]` or tokens `[M]`."""
        tokens, positions = self._device_tokens or [], self._device_positions
        size = self.model_args[0].max_batch_size
        outputs: list[Tensor] = []
        for group, args in enumerate(self.model_args):
            first = group * size
            active = [row for row in range(size) if positions[first + row] >= 0]
            at = [positions[first + row] for row in active]
            if sampling_params is None:
                out = torch.empty(size, 1, args.vocab_size)
            else:
                out = torch.zeros(size, dtype=torch.int32)
            if active:
                table = self._own_table(group) if page_table is None else page_table[first:]
                cache = self._cache_of(group, kv_cache)
                chosen = [tokens[first + row] for row in active]
                tables = self._rows_of(table, active, at, args, cache)
                logits = self.model[group].decode(chosen, at, tables, cache)
                if sampling_params is not None:
                    rows = [first + row for row in active]
                    out[active] = sample(logits, sampling_params, rows).int()
                elif len(active) in (1, size):
                    out = logits[:, None].expand(size, -1, -1)  # idle rows mean nothing
                else:
                    out[active, 0] = logits
            outputs.append(out)
        if sampling_params is None:
            self._device_tokens = None
        else:
            self._device_tokens = _as_ints(torch.cat(outputs))
            self._device_positions = [it + 1 if it >= 0 else it for it in positions]
        return outputs

    @staticmethod
    def _rows_of(
        table: Tensor, rows: list[int], positions: list[int], args: Limits, cache: KVCache
    ) -> Tensor:
        """Return the active rows' page tables, int64, after checking what they will be used for."""
        chosen = table[rows].long()
        longest = max(positions)
        check(
            longest < args.max_seq_len,
            f"Sequence length {longest + 1} exceeds max seq len {args.max_seq_len}",
        )
        needed = blocks_for(longest + 1, cache)
        check(
            needed <= chosen.shape[1],
            f"page_table has {chosen.shape[1]} columns; position {longest} needs {needed}",
        )
        used = (
            torch.arange(chosen.shape[1])
            <= torch.tensor(positions)[:, None] // cache[0][0].shape[2]
        )
        check_blocks(chosen[used], cache)
        return chosen

    def _cache_of(self, group: int, kv_cache: list[KVCache] | None) -> KVCache:
        if kv_cache is not None:
            check_kv_cache(kv_cache, self.data_parallel)
        given = None if kv_cache is None else kv_cache[group]
        cache = given or self.model[group].own_kv_cache
        if cache is None:
            raise AssertionError("kv_cache must be given to a model with paged attention")
        return cache

    def _own_table(self, group: int) -> Tensor:
        """Return the page table of a model without paging: each row has its own stretch."""
        own, args = self.model[group].own_kv_cache, self.model_args[group]
        if own is None:
            raise AssertionError("page_table must be given to a model with paged attention")
        return contiguous_page_table(args.max_batch_size, blocks_for(args.max_seq_len, own))


def _as_ints(values: Tensor) -> list[int]:
    """Return integers as Python's, in one go: one by one takes a fifth of a small model's step."""
    return cast("Any", values.reshape(-1)).tolist()  # its own types are incomplete
