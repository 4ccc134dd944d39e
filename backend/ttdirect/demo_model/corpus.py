"""The corpus as data: topics, conversations, phrases and word lists, read from `corpus/*.md`.

A topic is a level-two heading with settings, questions and one answer:

    ## machine-learning
    about: machine learning | ML
    - How do computers learn from examples?

    Machine learning is a way to ...

`about`, `task` and `write` feed the templates in `phrases.md` ("What is {x}?", "How do I {x}?",
"Please write {x}."); the bullets are whole questions. Lines of an answer are joined as Markdown
joins them; a backslash at the end of a line keeps the break, an empty line starts a paragraph.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
DEVELOPMENT = Path(__file__).parent / "development.md"
"""The questions to look at while the corpus or the training changes."""
HELD_BACK = Path(__file__).parent / "held_back.md"
"""The questions that only the figures come from: nobody changes anything because of one."""

OUT_OF_SCOPE = "out_of_scope"
"""The theme of the topics that say "this I cannot know"; their questions hold placeholders."""

_NOT_TOPICS = frozenset({"phrases", "words", "conversations", "README"})
_SETTINGS = frozenset({"about", "task", "write", "weight", "after", "answer"})


@dataclass(frozen=True)
class Topic:
    """One answer and the ways to ask for it."""

    name: str
    theme: str
    answer: str
    questions: tuple[str, ...]
    about: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    weight: float = 1.0

    @property
    def in_scope(self) -> bool:
        """Whether the answer is knowledge, and not an honest refusal."""
        return self.theme != OUT_OF_SCOPE


@dataclass(frozen=True)
class Conversation:
    """A second question that only makes sense after a first one."""

    name: str
    after: tuple[str, ...]
    questions: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Reserved:
    """A question that training never sees, and the topic whose answer it deserves."""

    topic: str
    question: str


@dataclass(frozen=True)
class Corpus:
    """Everything that the model may learn from."""

    topics: dict[str, Topic]
    conversations: tuple[Conversation, ...]
    phrases: dict[str, tuple[str, ...]]
    words: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Section:
    name: str
    settings: dict[str, str]
    bullets: tuple[str, ...]
    text: str

    def listed(self, setting: str) -> tuple[str, ...]:
        """The values of a setting, which are separated by bars."""
        value = self.settings.get(setting, "")
        return tuple(part.strip() for part in value.split("|") if part.strip())


def load(folder: Path = FOLDER) -> Corpus:
    """The whole corpus; a topic that is defined twice or has no answer is an error."""
    topics: dict[str, Topic] = {}
    for path in sorted(folder.glob("*.md")):
        if path.stem in _NOT_TOPICS:
            continue
        for section in _sections(path):
            if section.name in topics:
                raise ValueError(f"{path.name}: the topic {section.name!r} is defined twice")
            topics[section.name] = _topic(section, path.stem)
    conversations = tuple(
        _conversation(section, topics) for section in _sections(folder / "conversations.md")
    )
    return Corpus(
        topics=topics,
        conversations=conversations,
        phrases={s.name: s.bullets for s in _sections(folder / "phrases.md")},
        words={s.name: s.bullets for s in _sections(folder / "words.md")},
    )


def load_reserved(path: Path) -> list[Reserved]:
    """The questions of a list that is kept away from training, in the order of the file."""
    return [
        Reserved(section.name, question)
        for section in _sections(path)
        for question in section.bullets
    ]


def normalise(question: str) -> str:
    """A question without case, punctuation and spacing: equal here means the same phrasing."""
    return " ".join(re.findall(r"\w+", question.lower().replace("'", "").replace("\u2019", "")))


def _topic(section: _Section, theme: str) -> Topic:
    topic = Topic(
        name=section.name,
        theme=theme,
        answer=section.text,
        questions=section.bullets,
        about=section.listed("about"),
        task=section.listed("task"),
        write=section.listed("write"),
        weight=float(section.settings.get("weight", "1")),
    )
    if not topic.answer:
        raise ValueError(f"{theme}.md: the topic {topic.name!r} has no answer")
    if not (topic.questions or topic.about or topic.task or topic.write):
        raise ValueError(f"{theme}.md: the topic {topic.name!r} has no questions")
    return topic


def _conversation(section: _Section, topics: dict[str, Topic]) -> Conversation:
    after, answer = section.listed("after"), section.settings.get("answer", "")
    unknown = [name for name in (*after, answer) if name not in topics]
    if unknown or not after:
        raise ValueError(f"conversations.md: {section.name!r} names unknown topics {unknown}")
    return Conversation(section.name, after, section.bullets, answer)


def _sections(path: Path) -> Iterator[_Section]:
    """The level-two sections of a Markdown file, settings and bullets told apart from prose."""
    for chunk in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, body = chunk.partition("\n")
        settings: dict[str, str] = {}
        bullets: list[str] = []
        prose: list[str] = []
        for line in body.split("\n"):
            key, colon, value = line.partition(": ")
            if line.startswith("- "):
                bullets.append(line[2:].strip())
            elif colon and key in _SETTINGS and not prose:
                settings[key] = value.strip()
            elif line.strip() or prose:
                prose.append(line)
        yield _Section(heading.strip(), settings, tuple(bullets), _join("\n".join(prose)))


def _join(prose: str) -> str:
    """Prose with its soft line breaks turned into spaces."""
    text = prose.strip().replace("\\\n", "\0")
    paragraphs = [
        " ".join(part.split()) if "\0" not in part else part for part in text.split("\n\n")
    ]
    return "\n\n".join(paragraphs).replace("\0", "\n")
