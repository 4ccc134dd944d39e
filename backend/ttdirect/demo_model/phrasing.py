"""Ways to ask: turns the topics of the corpus into an endless stream of different questions.

People do not ask in the words of a corpus. So every question is built anew: a template or a
hand-written phrasing, placeholders filled from the word lists, a greeting in front or a wish
behind, then the accidents of typing. The words that name the subject survive all of this, which
is how the model learns that they decide, and that an unknown subject is unknown in any phrasing.
"""

import random
import re
import string
from collections.abc import Callable, Iterator

from ttdirect.demo_model.corpus import Corpus, Topic

_QUOTING = 0.08  # share of the questions
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_DROPPABLE = re.compile(
    "a|an|the|is|are|do|does|did|i|me|my|you|your|to|of|in|for|it|that|this|can|could|would|please"
    "|just|so|and|with|about|on|be",
    re.IGNORECASE,
)
_FILLERS = ("actually", "exactly", "really", "basically", "maybe", "just", "even", "ever")
# What made-up words consist of.
_ONSETS = (
    "b",
    "br",
    "ch",
    "d",
    "f",
    "g",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_CODAS = ("", "", "l", "n", "r", "s", "x", "nd", "rt")
_ENDINGS = (
    "",
    "",
    "",
    "a",
    "er",
    "ing",
    "ion",
    "ism",
    "ist",
    "ity",
    "logy",
    "ment",
    "ness",
    "o",
    "osis",
    "um",
    "y",
)
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "explain": ("describe", "clarify", "outline", "sketch"),
    "describe": ("explain", "present"),
    "write": ("compose", "create", "make up", "draft", "give me", "make"),
    "tell": ("teach",),
    "show": ("give",),
    "start": ("launch", "run", "fire up"),
    "install": ("set up", "get"),
    "simple": ("plain", "easy", "basic"),
    "meaning": ("definition", "sense"),
    "mean": ("stand for", "refer to"),
    "want": ("wish", "would like"),
    "need": ("have", "want"),
    "how": ("in what way",),
    "why": ("for what reason", "how come"),
    "make": ("build", "create"),
    "use": ("apply", "work with", "employ"),
    "difference": ("distinction",),
    "fast": ("quick", "speedy"),
    "big": ("large",),
    "stop": ("end", "halt", "shut down"),
    "change": ("modify", "adjust", "set"),
    "what's": ("what is", "whats"),
    "can": ("could",),
    "should": ("must", "shall"),
    "good": ("nice", "great"),
    "poem": ("verse",),
    "tale": ("story",),
}


class Phrasebook:
    """Samples questions for topics. All chance comes from the generator that it is given."""

    def __init__(self, corpus: Corpus, rng: random.Random) -> None:
        self._corpus = corpus
        self._rng = rng
        self._known = [subject for t in corpus.topics.values() if t.in_scope for subject in t.about]
        self._answers = [topic.answer for topic in corpus.topics.values() if topic.in_scope]
        self._special: dict[str, Callable[[], str]] = {
            "number": self._number,
            "gibberish": self._gibberish,
            "pasted": self._pasted,
            "known": lambda: self._rng.choice(self._known),
            "name": self._name,
            "word": lambda: self._syllables(self._rng.randint(2, 4)) + self._rng.choice(_ENDINGS),
        }

    def question(self, topic: Topic) -> str:
        """One way to ask for the topic, dressed and with the accidents of typing."""
        if topic.in_scope and self._rng.random() < _QUOTING:
            return self._accidents(self._quotation(topic))
        text = self.fill(self._rng.choice(self._sources(topic)))
        if len(text) > 200:
            return text
        return self._accidents(self._dress(text))

    def fill(self, text: str) -> str:
        """The text with every placeholder replaced, also those inside replacements."""
        while _PLACEHOLDER.search(text):
            text = _PLACEHOLDER.sub(lambda match: self._word(match[1]), text)
        return text

    def follow_up(self, questions: tuple[str, ...]) -> str:
        """One of the questions as a second turn: without a greeting, but with accidents."""
        return self._accidents(self._rng.choice(questions))

    def _quotation(self, topic: Topic) -> str:
        """A few words in a row from the answer: who asks with its words, asks for it."""
        words = topic.answer.split()
        length = self._rng.randint(4, 12)
        first = self._rng.randrange(max(1, len(words) - length + 1))
        return " ".join(words[first : first + length])

    def _sources(self, topic: Topic) -> list[str]:
        """One of the topic's kinds of question, as a list to choose from."""
        kinds: list[list[str]] = []
        if topic.questions:
            kinds += [list(topic.questions)] * 2
        for kind, subjects in _subjects(topic):
            subject = self._rng.choice(subjects)
            kinds.append([t.replace("{x}", subject) for t in self._corpus.phrases[kind]])
        return self._rng.choice(kinds)

    def _word(self, name: str) -> str:
        if name in self._special:
            return self._special[name]()
        return self._rng.choice(self._corpus.words[name])

    def _number(self) -> str:
        digits = self._rng.choice((1, 1, 2, 2, 2, 3, 3, 4, 6))
        return str(self._rng.randrange(10 ** (digits - 1), 10**digits))

    def _name(self) -> str:
        """A made-up proper name: what a person or product that nobody has heard of looks like."""
        parts = [self._syllables(self._rng.randint(1, 3)).capitalize()]
        if self._rng.random() < 0.4:
            parts.append(self._syllables(self._rng.randint(1, 3)).capitalize())
        return " ".join(parts)

    def _syllables(self, count: int) -> str:
        return "".join(
            self._rng.choice(_ONSETS) + self._rng.choice(_VOWELS) + self._rng.choice(_CODAS)
            for _ in range(count)
        )

    def _gibberish(self) -> str:
        alphabet = self._rng.choice((string.ascii_lowercase, "asdfjkl", "qwerty", ".,;!?#*&$%"))
        words = [
            "".join(self._rng.choices(alphabet, k=self._rng.randint(1, 9)))
            for _ in range(self._rng.randint(1, 4))
        ]
        return " ".join(words)

    def _pasted(self) -> str:
        """A text as people paste it: of any length, about anything, even about what we know."""
        count = self._rng.choice((1, 1, 2, 2, 2, 3, 4, 6, 9, 14, 20))
        sentences = self._rng.choices(self._corpus.words["prose"], k=count)
        if count > 2 and self._rng.random() < 0.3:
            sentences[count // 2] = self._rng.choice(self._answers)
        return " ".join(sentences)

    def _dress(self, text: str) -> str:
        if self._rng.random() < 0.22:
            opening = self._rng.choice(self._corpus.phrases["opening"])
            if opening.endswith((",", ":")):
                text = _uncapitalised(text)
            text = f"{opening} {text}"
        if self._rng.random() < 0.16:
            closing = self._rng.choice(self._corpus.phrases["closing"])
            stem = text.rstrip(".?! ")
            end = text[len(stem) :]
            text = f"{text} {closing}" if closing[0].isupper() else f"{stem} {closing}{end}"
        return text

    def _accidents(self, text: str) -> str:
        rng = self._rng
        words = text.split(" ")
        if rng.random() < 0.35:
            words = [self._synonym(word) if rng.random() < 0.5 else word for word in words]
        if rng.random() < 0.2:
            words = [w for w in words if not _DROPPABLE.fullmatch(w) or rng.random() < 0.5] or words
        if rng.random() < 0.08 and len(words) > 2:
            words.insert(rng.randrange(1, len(words)), rng.choice(_FILLERS))
        if rng.random() < 0.15:
            place = rng.randrange(len(words))
            words[place] = self._typo(words[place])
        text = " ".join(words)
        if rng.random() < 0.4:
            text = text.lower()
        elif rng.random() < 0.02:
            text = text.upper()
        elif rng.random() < 0.1:
            text = _uncapitalised(text)
        if rng.random() < 0.35:
            text = text.rstrip(".?!") + rng.choice(
                ("", "", "", "", "?", "!", "??", "...", ".", " ?")
            )
        return text or "?"

    def _synonym(self, word: str) -> str:
        choices = _SYNONYMS.get(word.lower())
        if not choices:
            return word
        choice = self._rng.choice(choices)
        return choice.capitalize() if word[0].isupper() else choice

    def _typo(self, word: str) -> str:
        if len(word) < 4:
            return word
        place = self._rng.randrange(1, len(word) - 1)
        kind = self._rng.randrange(3)
        if kind == 0:
            return word[:place] + word[place + 1 :]
        if kind == 1:
            return word[:place] + word[place] + word[place:]
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def plain_phrasings(corpus: Corpus, topic: Topic) -> Iterator[str]:
    """Every phrasing of a topic that the corpus and its templates spell out, undressed."""
    yield from topic.questions
    for kind, subjects in _subjects(topic):
        for subject in subjects:
            for template in corpus.phrases[kind]:
                yield template.replace("{x}", subject)


def _subjects(topic: Topic) -> list[tuple[str, tuple[str, ...]]]:
    pairs = (("about", topic.about), ("task", topic.task), ("write", topic.write))
    return [(kind, subjects) for kind, subjects in pairs if subjects]


def _uncapitalised(text: str) -> str:
    """The text with a small first letter, unless it opens with an acronym or with "I"."""
    if len(text) < 2 or text[1].isupper() or text[1] in " '":
        return text
    return text[0].lower() + text[1:]
