"""One way to call the Generators of every tt-metal version (see `eras` for what differs).

Facts that decide here, all from tt-metal `models/tt_transformers/tt/generator.py`:

- **Host sampling** (`sampling_params=None`): all inputs are copied to the device at every step. It
  works in every era, and is what happens unless the device is asked to choose.
- **Device sampling** in a traced step: the device feeds itself, until it is told to read the host
  again (see `reloads`). Not in 0 and A: their one trace holds logits or tokens, not both.
- **Page tables**: A and 0 keep a *reference* to the last one and compare, so each step gets a copy
  of its own; a traced step without one raises.
- **Data parallel**: era 0 has no slots, and takes `min(prompts, models)` for the number of models,
  so that a single prompt always goes to the first one.
- **Prefill** in C: `warmup_prefill=True`, the default, warms up for minutes inside the first
  request; and the first traced prefill before any trace was captured prepares the decode trace from
  its own one-row page table. So prompts are traced only after `warm_up`.
- **Behind a cached beginning** C has traces of their own. Its warm-up records them only where its
  class says that it can go on there, which the base class does not (see `prefix_cache`); else the
  first request that needs one records it, and live traces may then write over its inputs. So such
  prompts are never traced.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import torch

from ttdirect.engine.card_settings import CardSettingError, CardSettings, Trace, card_settings
from ttdirect.engine.eras import Era, beside, interface_of, known
from ttdirect.engine.held import Held
from ttdirect.engine.lifecycle import Memory
from ttdirect.engine.prefix_cache import continues_prompts
from ttdirect.engine.reloads import reloads
from ttdirect.engine.warm_up import warm_up

if TYPE_CHECKING:
    from ttdirect.engine.device_sampling import DeviceSampling
    from ttdirect.engine.lifecycle import Shapes

log = logging.getLogger("ttdirect.engine")


class AdaptedGenerator:
    """A Generator of any version, with the two methods of the oldest names.

    Like every Generator it belongs to one thread: "concurrent host calls on the same model instance
    are not supported" (tt-metal `models/tt_transformers/tt/model.py`).
    """

    def __init__(self, generator: Any, settings: CardSettings) -> None:
        self.generator = generator
        self.interface = interface_of(generator)
        self.settings = settings
        self.verifies_drafts = bool(getattr(generator, "verifies_drafts", False))
        """Whether rows of a decode may share a page table; only the CPU's Generator says so."""
        self.samples_on_device = settings.samples_on_device and self._can_sample()
        """Whether decode can choose the tokens itself, and is meant to."""
        self._is_warm = False
        self._held: Held | None = None
        if self.data_parallel > 1 and "empty_slots" not in self.interface.prefill_names:
            raise CardSettingError(
                "This version of tt-metal reads every single prompt into the first model, so "
                "several models side by side cannot be served.",
                "set DATA_PARALLEL = 1 in the script, or use tt-metal v0.60 or later",
            )
        if settings.samples_on_device and not self.samples_on_device:
            log.warning(
                "The device was asked to choose the tokens, but this model or this version of "
                "tt-metal cannot; the host chooses."
            )

    @property
    def continues_prompts(self) -> bool:
        """Whether prefill can leave out a prefix that the cache holds."""
        return continues_prompts(
            self.interface, self.generator, self.model_args, self.settings.continues_prompts
        )

    @property
    def longest_pass(self) -> int | None:
        """Tokens that a card's model reads in one pass; None for a CPU or a GPU, or not known.

        tt-metal has it by model and board, in units of 1024 tokens (`tt/model_config.py`).
        """
        limits = [getattr(args, "max_prefill_chunk_size", None) for args in self.model_args]
        # Only the models of a card say which prompts they trace.
        if not self.can_trace_prompts or None in limits:
            return None
        return min(cast("list[int]", limits))

    @property
    def models(self) -> list[Any]:
        """The data-parallel models; row r of a step belongs to model r // (rows per model)."""
        return list(getattr(self.generator, "model", None) or [None])

    @property
    def data_parallel(self) -> int:
        """How many models compute each step together, each with its own rows and KV cache."""
        return len(self.models)

    @property
    def model_args(self) -> list[Any]:
        """tt-metal's ModelArgs of each model; empty for a Generator without any."""
        return list(getattr(self.generator, "model_args", None) or [])

    @property
    def memory(self) -> Memory | None:
        """What the models hold in the device's memory; only those of the CPU and of a GPU say."""
        models = self.model_args
        if not models or not all(hasattr(args, "kv_cache_bytes") for args in models):
            return None
        return Memory(
            sum(args.weight_bytes for args in models), sum(args.kv_cache_bytes for args in models)
        )

    @property
    def can_trace_prompts(self) -> bool:
        """Whether prompts can be traced; the Generator asks `can_enable_trace` for each length."""
        return (
            "enable_trace" in self.interface.prefill_names
            and bool(self.model_args)
            and all(hasattr(args, "can_enable_trace") for args in self.model_args)
        )

    @property
    def traces_prompts(self) -> bool:
        """Whether prompts can and may be traced."""
        return self.settings.trace is Trace.ALL and self.can_trace_prompts

    def padded_length(self, length: int) -> int:
        """How long prefill makes a prompt, in tokens.

        By tt-metal's own function, or by that of 2026 where the Generator's module has none: no era
        pads to more (2025: to multiples of 2048 where that is less).
        """
        pad = beside(self.generator, "get_padded_prefill_len")
        if pad is not None:
            return int(pad(length))
        if length <= 128:
            return 128
        return max(1024, 1 << (length - 1).bit_length())

    def prefill_forward_text(
        self,
        tokens: Any,
        *,
        page_table: Any,
        kv_cache: Any,
        prompt_lens: Any,
        empty_slots: Any,
        start_pos: Any = None,
    ) -> Any:
        """Read prompts.

        Args:
            tokens: int64 `[N, L]`, right-padded, whole prompts including what is cached.
            page_table: int32 `[N, W]`, rows in the prompts' order.
            kv_cache: list with one cache for each data-parallel model.
            prompt_lens: N lengths in tokens.
            empty_slots: N destination rows of the decode batch. C and D must know them although
                pages say where keys and values go: a row that was not prefilled keeps its token.
            start_pos: N lengths of cached prefixes, in whole blocks (B wants that of the caller; C
                rounds down further, to what its attention can start at: see `pieces`).

        Returns:
            float logits `[N, 1, V]` of each prompt's last token.
        """
        where = {"page_table": page_table, "kv_cache": kv_cache, "empty_slots": empty_slots}
        traces = self._is_warm and self.traces_prompts and not any(start_pos or ())
        return self._prefill(tokens, prompt_lens, start_pos, where, traces=traces)

    def decode_forward_text(
        self,
        tokens: Any,
        start_pos: Any,
        *,
        page_table: Any,
        kv_cache: Any,
        sampling: DeviceSampling | None = None,
    ) -> Any:
        """Advance every row of the batch by one token.

        Args:
            tokens: int64 `[B, 1]`.
            start_pos: int32 `[B]`, -1 for idle rows.
            page_table: int32 `[B, W]`; the caller may change it afterwards.
            kv_cache: list with one cache for each data-parallel model.
            sampling: how the device is to choose; only where it `samples_on_device`, and only for
                rows of which the host has chosen no token since they were prefilled.

        Returns:
            float logits `[B, 1, V]`, or with `sampling` int tokens `[B]`; the rows of idle slots
            mean nothing.
        """
        return self._decode(
            tokens, start_pos, page_table, kv_cache, sampling, traces=self._traces_steps
        )

    def warm_up(self, kv_cache: Any, shapes: Shapes) -> None:
        """Compile and record what requests will need; writes into block 0 alone.

        Args:
            kv_cache: list with one cache for each data-parallel model.
            shapes: of the calls that will come.

        Raises:
            ValueError: the rows are shared out to another number of models.
        """
        if shapes.models != self.data_parallel:
            # A request's row would be one model's, and its blocks those of another one.
            raise ValueError(
                f"the Generator has {self.data_parallel} models side by side, and the engine was "
                f"told of {shapes.models}: give Engine data_parallel={self.data_parallel}"
            )
        warm_up(self, kv_cache, shapes)
        self._held = None
        self._is_warm = True

    def prefill_for_warm_up(
        self, length: int, cached: int, slot: int, columns: int, kv_cache: Any, *, traces: bool
    ) -> None:
        """Read a prompt of so many tokens, all of it in block 0."""
        table = torch.zeros((1, columns), dtype=torch.int32)
        where = {"page_table": table, "kv_cache": kv_cache, "empty_slots": [slot]}
        tokens = torch.zeros((1, length), dtype=torch.int64)
        self._prefill(tokens, [length], [cached], where, traces=traces)

    def decode_for_warm_up(
        self,
        rows: int,
        columns: int,
        kv_cache: Any,
        sampling: DeviceSampling | None,
        *,
        traces: bool,
    ) -> None:
        """Decode once, with all rows idle but each model's first, at position 0 of block 0."""
        positions = torch.full((rows,), -1, dtype=torch.int32)
        positions[:: rows // self.data_parallel] = 0
        tokens = torch.zeros((rows, 1), dtype=torch.int64)
        table = torch.zeros((rows, columns), dtype=torch.int32)
        self._held = None
        self._decode(tokens, positions, table, kv_cache, sampling, traces=traces)

    @property
    def _traces_steps(self) -> bool:
        return self.settings.trace is not Trace.OFF

    def _can_sample(self) -> bool:
        era, names = self.interface.era, self.interface.decode_names
        return (
            (era in (Era.B, Era.D) or (era is Era.C and "reset_batch" in names))
            and beside(self.generator, "SamplingParams") is not None
            and all(
                getattr(model, "_supports_on_device_sampling", False)
                and getattr(model, "sampling", None) is not None
                for model in self.models
            )
        )

    def _prefill(
        self, tokens: Any, lengths: Any, start_pos: Any, where: dict[str, Any], *, traces: bool
    ) -> Any:
        self._held = None
        arguments = {
            **where,
            "prompt_lens": lengths,
            "start_pos": start_pos,
            "enable_trace": traces,
            "warmup_prefill": False,
        }
        names = self.interface.prefill_names
        return _first(self.interface.prefill(tokens, **known(arguments, names)))

    def _decode(
        self,
        tokens: Any,
        positions: Any,
        page_table: Any,
        kv_cache: Any,
        sampling: DeviceSampling | None,
        *,
        traces: bool,
    ) -> Any:
        held, self._held = self._held, None  # whatever goes wrong: the next step starts afresh
        # A copy: 0 and A keep what they get and compare the next one with it.
        table = page_table.clone()
        follows = (
            held is not None
            and sampling is not None
            and held.continues(tokens, positions, sampling)
        )
        arguments = known({"enable_trace": traces}, self.interface.decode_names)
        if sampling is not None:
            kind = beside(self.generator, "SamplingParams")
            arguments["sampling_params"] = sampling.as_params(kind)
        has_new_table = held is None or not torch.equal(held.page_table, table)
        arguments |= reloads(
            self.interface,
            self.generator,
            samples=sampling is not None,
            follows=follows,
            feeds_itself=follows and traces,
            has_new_table=has_new_table,
        )
        out = _first(
            self.interface.decode(
                tokens, positions, page_table=table, kv_cache=kv_cache, **arguments
            )
        )
        if sampling is None:
            return out
        chosen = out.reshape(-1).clone()
        self._held = Held(chosen, positions.clone(), table, sampling)
        return chosen


def adapt(generator: Any, settings: CardSettings | None = None) -> AdaptedGenerator:
    """Wrap a Generator of any tt-metal version, or the CPU's.

    Args:
        generator: the Generator.
        settings: how to drive it; those of the environment unless given.

    Raises:
        UnknownGeneratorError: it has no text decode that we know.
        CardSettingError: an environment variable's value cannot be meant, or this version cannot
            serve several models.
    """
    return AdaptedGenerator(generator, settings or card_settings())


def _first(result: Any) -> Any:
    """The logits or tokens, whether they come alone or with log-probabilities."""
    return cast("tuple[Any, ...]", result)[0] if isinstance(result, tuple) else result
