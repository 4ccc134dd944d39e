"""The small language model that ships in the package and answers where no other is given.

`CHECKPOINT` is an ordinary Hugging Face folder: everything that can load a Llama loads it.
Importing this package costs nothing; `train` and `evaluate` bring torch and transformers.
"""

from pathlib import Path

NAME = "ttdirect-demo"
"""What every surface calls the model."""

CHECKPOINT = Path(__file__).parent / "checkpoint"
"""The folder with the weights, the tokenizer and the chat template."""

__all__ = ["CHECKPOINT", "NAME"]
