"""The checkpoints on the Hugging Face hub that we name to those who look for one."""

from __future__ import annotations

from dataclasses import dataclass

from ttdirect.hardware.models import MODELS, Model, ModelShape

_BYTES_PER_WEIGHT = 2
"""All of them are published in bfloat16."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that follows instructions.

    Args:
        hub_name: as owner/name.
        family: the `model_type` of its config.json.
        shape: the numbers of its config.json.
        is_tied: whether the embedding table is the output projection too.
        needs_account: whether the hub gives it only to those who ask for it.
        stores_head: whether a tied table lies in its files a second time.
    """

    hub_name: str
    family: str
    shape: ModelShape
    is_tied: bool
    needs_account: bool = False
    stores_head: bool = False

    @property
    def layer_parameters(self) -> int:
        """Values in the matrices of all layers."""
        shape = self.shape
        attention = shape.head_dim * (2 * shape.heads + 2 * shape.kv_heads)
        return shape.layers * shape.hidden * (attention + 3 * shape.intermediate)

    @property
    def embedding_parameters(self) -> int:
        """Values in the embedding table."""
        return self.shape.hidden * self.shape.vocabulary

    @property
    def parameters(self) -> int:
        """All values, as model cards count them."""
        norms = (2 * self.shape.layers + 1) * self.shape.hidden
        tables = (1 if self.is_tied else 2) * self.embedding_parameters
        return self.layer_parameters + norms + tables

    @property
    def download_bytes(self) -> int:
        """Size of its weight files."""
        again = self.embedding_parameters if self.stores_head else 0
        return (self.parameters + again) * _BYTES_PER_WEIGHT


# For computers without a card, which tt-metal's own table begins above. Shapes: the checkpoints'
# own config.json.
_SMALL = (
    Checkpoint(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "llama",
        ModelShape(30, 576, 1536, 9, 3, 64, 49_152),
        is_tied=True,
    ),
    Checkpoint(
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        "llama",
        ModelShape(32, 960, 2560, 15, 5, 64, 49_152),
        is_tied=True,
    ),
    Checkpoint(
        "Qwen/Qwen2.5-0.5B-Instruct",
        "qwen2",
        ModelShape(24, 896, 4864, 14, 2, 64, 151_936),
        is_tied=True,
    ),
    Checkpoint(
        "Qwen/Qwen3-0.6B",
        "qwen3",
        ModelShape(28, 1024, 3072, 16, 8, 128, 151_936),
        is_tied=True,
        stores_head=True,
    ),
    Checkpoint(
        "Qwen/Qwen3-1.7B",
        "qwen3",
        ModelShape(28, 2048, 6144, 16, 8, 128, 151_936),
        is_tied=True,
        stores_head=True,
    ),
    Checkpoint(
        "HuggingFaceTB/SmolLM3-3B",
        "smollm3",
        ModelShape(36, 2048, 11_008, 16, 4, 128, 128_256),
        is_tied=True,
    ),
    Checkpoint(
        "Qwen/Qwen3-4B",
        "qwen3",
        ModelShape(36, 2560, 9728, 32, 8, 128, 151_936),
        is_tied=True,
    ),
)

# What the table of models, which is about cards, does not say: family and whether it is tied.
_KINDS = {
    "Llama-3.2-1B": ("llama", True),
    "SmolLM2-1.7B": ("llama", True),
    "Llama-3.2-3B": ("llama", True),
    "Phi-3-mini": ("phi3", False),
    "Mistral-7B": ("mistral", False),
    "Qwen2.5-7B": ("qwen2", False),
    "Llama-3.1-8B": ("llama", False),
    "Qwen3-8B": ("qwen3", False),
    "Qwen2.5-32B": ("qwen2", False),
    "Qwen3-32B": ("qwen3", False),
    "Llama-3.1-70B": ("llama", False),
    "Qwen2.5-72B": ("qwen2", False),
}


def _of_table(model: Model) -> Checkpoint:
    family, is_tied = _KINDS[model.name]
    return Checkpoint(model.hub_name, family, model.shape, is_tied, model.needs_account)


CATALOGUE: tuple[Checkpoint, ...] = tuple(
    sorted((*_SMALL, *map(_of_table, MODELS)), key=lambda checkpoint: checkpoint.parameters)
)
"""The smallest first."""


def find_checkpoint(hub_name: str) -> Checkpoint | None:
    """Return what the catalogue says about a name on the hub; case does not matter, as there."""
    wanted = hub_name.lower()
    return next((it for it in CATALOGUE if it.hub_name.lower() == wanted), None)
