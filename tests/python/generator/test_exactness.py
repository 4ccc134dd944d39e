"""How much integer weights change: figures over 2,000 teacher-forced positions, with their bounds.

The reference is `transformers` with the same weights in bfloat16, computed in float32. Chance has
its say where two tokens are about equally likely, which they are all the time in random models;
there even bfloat16 arithmetic agrees with itself in float32 only at 98 to 99 % of positions.
"""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from checkpoints import build_model, save_model
from generator.conftest import load
from ttdirect import generator as ttnn
from ttdirect.demo_model import CHECKPOINT, corpus
from ttdirect.generator.native import library
from ttdirect.generator.tokenizer import load_tokenizer

pytestmark = pytest.mark.skipif(library.load() is None, reason="no library for this processor")

POSITIONS, TEXT = 2000, 250


def reference_logits(model, texts):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
        return torch.cat([model(text[None]).logits[0] for text in texts])


def our_logits(folder, texts, dtype):
    _, model, kv_cache, _ = load(folder, dtype=dtype, max_seq_len=512)
    table = torch.arange(1, 17).expand(TEXT, -1)
    rows = []
    for text in texts:
        positions = list(range(len(text)))
        rows.append(model.decode(text.tolist(), positions, table[: len(text)], kv_cache))
    return torch.cat(rows)


def compare(expected, found):
    """The share of positions with the same likeliest token, and the mean KL divergence in nats.

    Both are logits `[positions, V]`.
    """
    p, q = (torch.log_softmax(logits.double(), -1) for logits in (expected, found))
    same = (expected.argmax(-1) == found.argmax(-1)).double().mean()
    return float(same), float((p.exp() * (p - q)).sum(-1).mean())


def cut(tokens):
    return list(torch.tensor(tokens).split(TEXT))


@pytest.fixture(scope="module")
def conversations():
    """What the model that ships is made for: texts of tokens, and where its answers are.

    Counted are the positions from which a token of an answer, or its end, is chosen: what the model
    would have asked is nobody's question, and it never learned to.
    """
    config = json.loads((CHECKPOINT / "config.json").read_text())
    tokenizer = load_tokenizer(CHECKPOINT, config)
    tokens, chooses = [], []
    for topic in corpus.load().topics.values():
        asked = tokenizer.apply_chat_template([{"role": "user", "content": topic.questions[0]}])
        answer = tokenizer.encode(topic.answer)
        tokens += [*asked, *answer]
        chooses += [False] * (len(asked) - 1) + [True] * (len(answer) + 1)
    positions = torch.tensor(chooses).nonzero()[:POSITIONS, 0]
    return cut(tokens[: positions[-1] + 1]), positions


@pytest.mark.parametrize(
    ("dtype", "agreement", "divergence"),
    [(ttnn.bfloat8_b, 0.99, 1e-3), (ttnn.bfloat4_b, 0.8, 0.25)],
)
def test_the_model_that_ships(dtype, agreement, divergence, conversations, record_property):
    model = AutoModelForCausalLM.from_pretrained(CHECKPOINT, dtype=torch.float32)
    texts, positions = conversations
    expected = reference_logits(model, texts)[positions]
    same, kl = compare(expected, our_logits(CHECKPOINT, texts, dtype)[positions])
    record_property("agreement", same)
    record_property("divergence", kl)
    assert len(expected) == POSITIONS
    assert same >= agreement
    assert kl < divergence


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3"])
def test_a_random_model_of_each_family(family, tmp_path, record_property):
    model = build_model(family, initializer_range=0.02)
    folder = save_model(model, tmp_path)
    chance = torch.Generator().manual_seed(1)
    texts = cut(torch.randint(4, 300, (POSITIONS,), generator=chance).tolist())
    same, kl = compare(reference_logits(model, texts), our_logits(folder, texts, ttnn.bfloat8_b))
    record_property("agreement", same)
    record_property("divergence", kl)
    assert same >= 0.975
    assert kl < 1e-5
