"""The tokenizer and the chat template: how a conversation becomes the ids the model was trained on.

Byte-level BPE, so any UTF-8 text survives a round trip. The marks of a conversation are special
tokens. The template breaks up every `<|` inside a message (to `< |`), so the text of a user can
never forge a mark, whichever program renders and encodes it.

Of a conversation, the model sees the last question, with the one before it if it leans on that
("And in winter?", "Another one"), and of a long text its beginning and its end. It is too small to
make use of more: all else would only distract it.
"""

import json
import random
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ttdirect.demo_model.corpus import Corpus
from ttdirect.demo_model.phrasing import Phrasebook, plain_phrasings

BOS, USER, ASSISTANT, END = "<|bos|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL_TOKENS = ("<|pad|>", BOS, USER, ASSISTANT, END)
PAD_ID, BOS_ID, USER_ID, ASSISTANT_ID, END_ID = range(len(SPECIAL_TOKENS))
VOCABULARY = 4096
CONTEXT = 2048
READ_CHARACTERS = 400
"""Of a text longer than twice this, so much is read of its beginning, and of its end."""

# The space before a user's text makes its first word the same token as within a sentence. A last
# message of the assistant is shown as well: it is an answer to be continued, or to learn from.
CHAT_TEMPLATE = (
    "{% macro plain(text) %}{{ text | replace('<|', '< |') | trim }}{% endmacro %}"
    "{% macro read(text) %}"
    f"{{{{ text if text | length <= {2 * READ_CHARACTERS} else"
    f" text[:{READ_CHARACTERS}] + ' ... ' + text[-{READ_CHARACTERS}:] }}}}"
    "{% endmacro %}"
    "{{ '<|bos|>' }}"
    "{% set asked = messages | selectattr('role', 'equalto', 'user') | list %}"
    "{% set last = (asked | last | default({'content': ''}))['content'] | lower %}"
    "{% set leans = 'another' in last or last.split() | first | default('') in"
    " ['again,', 'again', 'and', 'more', 'more!', 'now', 'one'] %}"
    "{% for message in asked[-2 if leans else -1:] %}"
    "{{ '<|user|> ' + read(plain(message['content'])) + '<|end|>' }}"
    "{% endfor %}"
    "{% if messages and messages[-1]['role'] == 'assistant' %}"
    "{{ '<|assistant|>' + plain(messages[-1]['content']) + '<|end|>' }}"
    "{% endif %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(corpus: Corpus, *, seed: int) -> Tokenizer:
    """A byte-level BPE whose pieces are the words of the corpus; unknown words fall into pieces."""
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(_texts(corpus, random.Random(seed)), trainer)
    return tokenizer


def _texts(corpus: Corpus, rng: random.Random) -> list[str]:
    """What the vocabulary is counted on: the answers first, then a sample of the questions."""
    phrasebook = Phrasebook(corpus, rng)
    texts: list[str] = []
    for topic in corpus.topics.values():
        texts += [topic.answer] * 4
        plain = list(plain_phrasings(corpus, topic))
        texts += [" " + q for q in rng.sample(plain, min(len(plain), 12)) if "{" not in q]
        texts += [" " + phrasebook.question(topic).lower() for _ in range(4)]
    return texts


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """`tokenizer.json` and the `tokenizer_config.json` that carries the chat template."""
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": END,
        "pad_token": SPECIAL_TOKENS[PAD_ID],
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
