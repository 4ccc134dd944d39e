"""Samplers outside any engine, and logits for them."""

import torch

from ttdirect.engine import Request, SamplingParams
from ttdirect.engine.sampler import Sampler

LOGITS = torch.tensor([1.0, 3.0, 2.0, 0.0, -1.0, 2.5])


def a_sampler(params=None, prompt=(0,), **request):
    """The sampler of a request, greedy unless told otherwise."""
    return Sampler(Request(tuple(prompt), 100, params or SamplingParams(), **request))


def draws(params, logits=LOGITS, count=200, **request):
    """The tokens that one sampler chooses, each time from the same logits."""
    sampler = a_sampler(params, **request)
    return [sampler.choose(logits).id for _ in range(count)]


def noise(rows, vocab, seed=0):
    """Logits by chance."""
    return torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed)) * 3
