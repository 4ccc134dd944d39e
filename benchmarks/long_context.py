"""A decode step with a full cache beside one with an almost empty cache.

    .venv/bin/python benchmarks/long_context.py --model m1b --rows 8

The cache's pages are given out at random, as after hours of serving. Prints the least time of
several steps at each length, and its ratio to the first.
"""

import argparse
import os
import time
from pathlib import Path

import torch
from random_models import SHAPES, random_checkpoint

from ttdirect import generator as ttnn

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
BLOCK_SIZE = 32
LENGTHS = (128, 1024, 4096)
STEPS = 10
MAX_SEQ_LEN = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(SHAPES), default="m1b")
    parser.add_argument("--rows", type=int, default=8, help="users in the step (default: 8)")
    options = parser.parse_args()
    os.environ["HF_MODEL"] = str(random_checkpoint(options.model, CACHE))
    blocks = -(-(LENGTHS[-1] + STEPS) // BLOCK_SIZE)
    mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
    pool = ttnn.PagedAttentionConfig(BLOCK_SIZE, options.rows * blocks + 1)
    _, model, kv_cache, _ = ttnn.create_tt_model(mesh, True, 32, None, MAX_SEQ_LEN, pool)
    for layer in kv_cache:
        for half in layer:
            half.normal_()
    tables = torch.zeros(options.rows, MAX_SEQ_LEN // BLOCK_SIZE, dtype=torch.int32)
    tables[:, :blocks] = torch.randperm(options.rows * blocks).view(options.rows, -1) + 1
    print("tokens  step ms  ratio")
    first = None
    for length in LENGTHS:
        seconds = []
        for step in range(STEPS):
            began = time.perf_counter()
            model.decode([5] * options.rows, [length + step] * options.rows, tables, kv_cache)
            seconds.append(time.perf_counter() - began)
        first = first or min(seconds)
        print(f"{length:6,}  {min(seconds) * 1e3:7.1f}  {min(seconds) / first:5.2f}")


if __name__ == "__main__":
    main()
