"""How the families name their tensors, and the way from a checkpoint to fused, packed weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeAlias

import torch
from torch import Tensor

from ttdirect.generator.errors import NotACheckpointError
from ttdirect.generator.transformer import AnyLinear, LayerWeights, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.generator.config import ModelSpec

MakeLinear: TypeAlias = Callable[[Sequence[Tensor], Tensor | None], AnyLinear]


class _Reader(Generic[AnyLinear]):
    """Reads tensors of the expected shape, and makes linear layers of them."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        rounding: torch.dtype,
        make_linear: MakeLinear[AnyLinear],
    ) -> None:
        self._tensors = tensors
        self._rounding = rounding
        self._make_linear = make_linear

    def tensor(self, name: str, *shape: int) -> Tensor:
        """Return a tensor as stored.

        Raises:
            NotACheckpointError: it is absent, or its shape contradicts config.json.
        """
        if name not in self._tensors:
            raise NotACheckpointError(
                f"The checkpoint has no tensor {name!r}.",
                "Check that config.json and the weights belong together.",
            )
        found = self._tensors[name]
        if found.shape != shape:
            raise NotACheckpointError(
                f"Tensor {name!r} is {list(found.shape)}; config.json says {list(shape)}.",
                "Check that config.json and the weights belong together.",
            )
        return found

    def vector(self, name: str, size: int) -> Tensor:
        """Return a norm's weight or a bias, rounded, in float32 and in memory of its own."""
        return self.tensor(name, size).to(self._rounding, copy=True).float()

    def linear(
        self, prefix: str, rows: Mapping[str, int], columns: int, *, has_bias: bool
    ) -> AnyLinear:
        """Return the layers `prefix` + name, one below the other, as one product."""
        parts = [
            self.tensor(f"{prefix}{name}.weight", count, columns) for name, count in rows.items()
        ]
        if not has_bias:
            return self._make_linear(parts, None)
        biases = [self.vector(f"{prefix}{name}.bias", count) for name, count in rows.items()]
        return self._make_linear(parts, torch.cat(biases))


def load_weights(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    rounding: torch.dtype,
    *,
    make_linear: MakeLinear[AnyLinear],
    make_head: MakeLinear[AnyLinear],
    make_table: Callable[[Tensor], Tensor],
    progress: Callable[[str, float], None],
) -> Weights[AnyLinear]:
    """Load a model layer by layer: what was read for one matrix is let go before the next one.

    Args:
        spec: the model's sizes.
        tensors: the checkpoint's, by name.
        rounding: what norms and biases are rounded to.
        make_linear: packs a product's weight, given as the tensors `[n, K]` to put one below the
            other, as stored, and its bias, float32 `[N]` or None.
        make_head: the same for the output projection.
        make_table: packs the embedding table `[vocab_size, hidden_size]`, given as stored.
        progress: called with a phase and the fraction of the weights that are loaded.

    Raises:
        NotACheckpointError: a tensor is missing, or does not have the shape that the config gives.
    """
    reader = _Reader(tensors, rounding, make_linear)
    shape = (spec.vocab_size, spec.hidden_size)
    total = spec.n_layers * spec.layer_parameters + 2 * spec.embedding_parameters
    done = 0
    layers: list[LayerWeights[AnyLinear]] = []
    for index in range(spec.n_layers):
        progress("loading weights", done / total)
        layers.append(_load_layer(spec, reader, f"model.layers.{index}."))
        done += spec.layer_parameters
    progress("loading weights", done / total)
    table = reader.tensor("model.embed_tokens.weight", *shape)
    head = table if spec.tied_embeddings else reader.tensor("lm_head.weight", *shape)
    final_norm = reader.vector("model.norm.weight", spec.hidden_size)
    weights = Weights(make_table(table), tuple(layers), final_norm, make_head([head], None))
    progress("loading weights", 1.0)
    return weights


def _load_layer(
    spec: ModelSpec, reader: _Reader[AnyLinear], prefix: str
) -> LayerWeights[AnyLinear]:
    hidden, mlp = spec.hidden_size, spec.mlp_size
    query_rows, key_rows = spec.n_heads * spec.head_dim, spec.n_kv_heads * spec.head_dim
    if spec.is_fused:
        qkv = {"qkv_proj": spec.qkv_size}
        gate_up = {"gate_up_proj": 2 * mlp}
    else:
        qkv = {"q_proj": query_rows, "k_proj": key_rows, "v_proj": key_rows}
        gate_up = {"gate_proj": mlp, "up_proj": mlp}
    return LayerWeights(
        attention_norm=reader.vector(f"{prefix}input_layernorm.weight", hidden),
        qkv=reader.linear(f"{prefix}self_attn.", qkv, hidden, has_bias=spec.has_qkv_bias),
        qk_norm=_load_qk_norm(spec, reader, f"{prefix}self_attn.") if spec.has_qk_norm else None,
        output=reader.linear(
            f"{prefix}self_attn.", {"o_proj": hidden}, query_rows, has_bias=spec.has_output_bias
        ),
        mlp_norm=reader.vector(f"{prefix}post_attention_layernorm.weight", hidden),
        gate_up=reader.linear(f"{prefix}mlp.", gate_up, hidden, has_bias=spec.has_mlp_bias),
        down=reader.linear(f"{prefix}mlp.", {"down_proj": hidden}, mlp, has_bias=spec.has_mlp_bias),
    )


def _load_qk_norm(spec: ModelSpec, reader: _Reader[AnyLinear], prefix: str) -> Tensor:
    """Return the weights of query and key norm, repeated for each head: one product does both."""
    query = reader.vector(f"{prefix}q_norm.weight", spec.head_dim).expand(spec.n_heads, -1)
    key = reader.vector(f"{prefix}k_norm.weight", spec.head_dim).expand(spec.n_kv_heads, -1)
    return torch.cat([query, key])
