"""An answer under a grammar is one that the grammar allows, however the model would like it."""

import json
import re
import sys
from types import SimpleNamespace

import pytest
import torch

from byte_tokenizer import ByteTokenizer
from engine_on_cpu import engine_on_cpu
from engine_on_fakes import Answered, is_idle, make_engine, running_engine, text_of
from ttdirect.demo_model import CHECKPOINT
from ttdirect.engine import (
    FinishReason,
    GrammarError,
    NotReadyError,
    Options,
    Request,
    SamplingParams,
)
from ttdirect.engine.grammar import GrammarCompiler
from ttdirect.engine.sampler import Sampler
from ttdirect.generator import Generator
from waiting import wait_until

TOKENIZER = ByteTokenizer()
END = TOKENIZER.eos_token_id
VOCAB = TOKENIZER.vocab_size

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "pets": {"type": "array", "items": {"enum": ["cat", "dog"]}, "maxItems": 2},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def compiler():
    return GrammarCompiler(TOKENIZER, frozenset({END}))


def a_sampler(grammar, params=None, stop_ids=(END,), **options):
    sampling = params or SamplingParams()
    request = Request((0,), 500, sampling, frozenset(stop_ids), grammar=grammar, **options)
    return Sampler(request)


def favouring(token, vocab=VOCAB):
    logits = torch.zeros(vocab)
    logits[token] = 50.0
    return logits


def allows(grammar, text):
    """Whether a model that wants to say a text, and then to end, can do so."""
    sampler = a_sampler(grammar)
    return all(sampler.choose(favouring(token)).id == token for token in (*text.encode(), END))


def babble(grammar, params, *, vocab=VOCAB, limit=400, seed=0):
    """The answer of a model that likes each token by chance."""
    sampler, text = a_sampler(grammar, params), bytearray()
    random_logits = torch.Generator().manual_seed(seed)
    for _ in range(limit):
        token = sampler.choose(torch.randn(vocab, generator=random_logits) * 4).id
        if token == END:
            return text.decode()
        text.append(token)
    raise AssertionError(f"it never ends: {bytes(text)}")


def assert_is_a_person(text):
    person = json.loads(text)
    assert {"name", "age"} <= set(person) <= {"name", "age", "pets"}
    assert isinstance(person["name"], str)
    assert len(person["name"]) <= 8
    assert type(person["age"]) is int
    assert 0 <= person["age"] <= 150
    assert len(person.get("pets", [])) <= 2
    assert set(person.get("pets", [])) <= {"cat", "dog"}


BY_KIND = [
    ("json_object", None, ["{}", '{"a": [1, null]}', '{"é": "😀"}'], ["[]", "1", '{"a"}', "{} "]),
    (
        "json_schema",
        PERSON,
        ['{"name": "Zoë 😀", "age": 7}', '{\n  "name": "",\n  "age": 0,\n  "pets": ["cat"]\n}'],
        ['{"age": 7}', '{"name": "a", "age": -1}', '{"name": "a", "age": 7, "x": 1}'],
    ),
    ("json_schema", {"const": "naïve ☕"}, ['"naïve ☕"'], ['"naive"', "naïve ☕"]),
    ("regex", r"[a-c]{2}\d+", ["ab1", "cc123"], ["a1", "ab", "abx", " ab1"]),
    ("regex", r"^(ü|ß)$", ["ü", "ß"], ["u", "üß"]),
    ("choice", ["yes", "no", "yes, but"], ["yes", "no", "yes, but"], ["ye", "maybe", "yes,"]),
    ("choice", ['a "b"\\', "line\nbreak", "😀"], ['a "b"\\', "line\nbreak", "😀"], ["a", "line"]),
    ("grammar", 'start: ("a" | "b") "!"+', ["a!", "b!!!"], ["a", "ab", "!"]),
    ("grammar", 'root ::= ("a" | "b") [0-9]+', ["a1", "b22"], ["a", "c1"]),
]


class TestKinds:
    @pytest.mark.parametrize(("kind", "definition", "good", "bad"), BY_KIND)
    def test_what_matches_can_be_said_and_nothing_else(self, compiler, kind, definition, good, bad):
        grammar = compiler.compile(kind, definition)
        assert [text for text in good if not allows(grammar, text)] == []
        assert [text for text in bad if allows(grammar, text)] == []

    @pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
    @pytest.mark.parametrize("seed", range(8))
    def test_whatever_the_model_likes_the_answer_fits_the_schema(self, compiler, temperature, seed):
        params = SamplingParams(temperature, seed=seed, repetition_penalty=1.2, top_p=0.9)
        assert_is_a_person(babble(compiler.compile("json_schema", PERSON), params, seed=seed))

    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_and_the_pattern(self, compiler, temperature):
        pattern = r"(\+[0-9]{1,3} )?[0-9]{3}-[äöü]{2,4}"
        grammar = compiler.compile("regex", pattern)
        answers = [babble(grammar, SamplingParams(temperature, seed=n), seed=n) for n in range(20)]
        assert all(re.fullmatch(pattern, answer) for answer in answers)
        assert len(set(answers)) > 10

    def test_space_without_end_is_not_allowed(self, compiler):
        grammar = compiler.compile("json_object")
        assert allows(grammar, '{\n        "a": 1}')
        assert not allows(grammar, "{" + 30 * " " + "}")
        assert not allows(grammar, "{" + 30 * "\n" + "}")

    def test_a_bias_cannot_break_the_grammar(self, compiler):
        params = SamplingParams(logit_bias=((ord("x"), 100.0), (ord("y"), -100.0)))
        assert babble(compiler.compile("choice", ["y"]), params) == "y"

    @pytest.mark.parametrize("value", [float("-inf"), float("nan"), float("inf")])
    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_strange_logits_cannot_either(self, compiler, value, temperature):
        sampler = a_sampler(compiler.compile("regex", "[ab]"), SamplingParams(temperature, seed=1))
        logits = torch.full((VOCAB,), value)
        logits[7] = 9.0
        assert sampler.choose(logits).id in (ord("a"), ord("b"))


class TestTheEnd:
    def test_only_end_tokens_are_left(self, compiler):
        sampler = a_sampler(compiler.compile("choice", ["a"]), stop_ids=(END, ord("z")))
        assert sampler.choose(favouring(ord("b"))).id == ord("a")
        assert sampler.choose(favouring(ord("b"))).id in (END, ord("z"))

    def test_min_tokens_cannot_make_a_grammar_go_on(self, compiler):
        sampler = a_sampler(compiler.compile("choice", ["a"]), min_tokens=9)
        assert [sampler.choose(favouring(ord("b"))).id for _ in range(2)] == [ord("a"), END]

    def test_min_tokens_holds_where_the_grammar_can_go_on(self, compiler):
        sampler = a_sampler(compiler.compile("regex", "a+"), min_tokens=3)
        chosen = [sampler.choose(favouring(END)).id for _ in range(4)]
        assert chosen == [ord("a")] * 3 + [END]

    def test_a_request_that_ignores_end_tokens_gets_nothing_else(self, compiler):
        sampler = a_sampler(compiler.compile("choice", ["a"]), stop_ids=())
        chosen = [sampler.choose(favouring(ord("b"))).id for _ in range(5)]
        assert chosen == [ord("a"), END, END, END, END]


class TestVocabularies:
    def test_columns_behind_the_tokenizers_are_never_chosen(self, compiler):
        sampler = a_sampler(compiler.compile("choice", ["a"]))
        logits = torch.zeros(VOCAB + 100)
        logits[VOCAB:] = 50.0
        assert [sampler.choose(logits).id for _ in range(2)] == [ord("a"), END]

    def test_a_model_with_fewer_tokens_uses_those(self, compiler):
        sampler = a_sampler(compiler.compile("choice", ["a", "é"]), SamplingParams(1.0, seed=1))
        assert sampler.choose(torch.zeros(128)).id == ord("a")

    def test_a_model_without_any_token_that_fits_is_an_error(self, compiler):
        sampler = a_sampler(compiler.compile("choice", ["é"]))
        with pytest.raises(GrammarError, match="no token that the grammar allows here"):
            sampler.choose(torch.zeros(128))

    def test_a_token_that_was_not_allowed_is_an_error(self, compiler):
        matcher = compiler.compile("choice", ["a"]).matcher(frozenset({END}))
        with pytest.raises(GrammarError, match="The grammar cannot go on"):
            matcher.accept(ord("b"))
        with pytest.raises(GrammarError, match="The grammar cannot go on"):
            matcher.restrict(torch.zeros(VOCAB))


class TestRefusals:
    @pytest.mark.parametrize(
        ("kind", "definition", "reason"),
        [
            ("json_schema", {"type": "banana"}, "JSON schema cannot be used: Invalid type: banana"),
            ("json_schema", {"type": "string", "minLength": 5, "maxLength": 2}, "Unsatisfiable"),
            ("json_schema", {"not": {"type": "string"}}, r"Unimplemented keys: \[.not.\]"),
            ("json_schema", {"minimum": float("nan")}, "JSON schema cannot be used: "),
            ("json_schema", "text", "it must be an object"),
            ("json_schema", None, "it must be an object"),
            ("regex", "[a-", "regular expression cannot be used: unclosed character class"),
            ("regex", "(" * 999 + ")" * 999, "nested parentheses"),
            ("regex", "(?=a)b", "look-around, .* is not supported"),
            ("regex", "\ud800", "regular expression cannot be used: "),
            ("regex", 5, "it must be text"),
            ("choice", [], "list of choices cannot be used: it is empty"),
            ("choice", ["a", 5], "it must be a list of strings"),
            ("choice", ["\udc00"], "list of choices cannot be used: "),
            ("choice", "ab", "it must be a list of strings"),
            ("grammar", "start: nothing", "grammar cannot be used: .*unknown name: .nothing"),
            ("grammar", "", "grammar cannot be used: "),
        ],
    )
    def test_a_definition_that_cannot_be_used_gets_a_line_that_says_why(
        self, compiler, kind, definition, reason
    ):
        with pytest.raises(GrammarError, match=reason) as caught:
            compiler.compile(kind, definition)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300

    def test_a_schema_without_bottom_is_refused(self, compiler):
        schema = {}
        for _ in range(100_000):
            schema = {"items": schema}
        with pytest.raises(GrammarError, match="JSON schema cannot be used"):
            compiler.compile("json_schema", schema)

    def test_a_pattern_that_grows_without_end_ends_its_own_request(self, compiler):
        sampler = a_sampler(compiler.compile("regex", "(a{1000}){1000}"))
        answer = (sampler.choose(favouring(ord("a"))) for _ in range(1000))
        with pytest.raises(GrammarError, match=r"The grammar cannot go on: .*too many"):
            list(answer)

    def test_a_schema_of_hundreds_of_fields_is_taken(self, compiler):
        field = {"type": "string", "maxLength": 500, "pattern": "^[a-z ]*$"}
        properties = {f"field_{number}": field for number in range(500)}
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        assert allows(compiler.compile("json_schema", schema), '{"field_7": "so be it"}')

    def test_without_the_library_the_error_says_how_to_get_it(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "llguidance", None)
        with pytest.raises(GrammarError, match="pip install llguidance"):
            GrammarCompiler(TOKENIZER, frozenset({END})).compile("json_object")

    @pytest.mark.parametrize("tokenizer", [object(), SimpleNamespace(backend_tokenizer=None)])
    def test_a_tokenizer_of_another_kind_is_refused(self, tokenizer):
        with pytest.raises(GrammarError, match="tokenizer cannot follow a grammar"):
            GrammarCompiler(tokenizer, frozenset({END})).compile("json_object")

    def test_the_tokenizers_own_settings_do_no_harm_and_stay(self):
        backend = TOKENIZER.backend_tokenizer
        backend.enable_truncation(1)
        backend.enable_padding(length=9)
        tokenizer = SimpleNamespace(backend_tokenizer=backend)
        grammar = GrammarCompiler(tokenizer, frozenset({END})).compile("choice", ["abc é"])
        assert allows(grammar, "abc é")
        assert backend.truncation["max_length"] == 1
        assert backend.padding["length"] == 9

    def test_end_tokens_that_the_tokenizer_does_not_know_are_left_out(self):
        grammar = GrammarCompiler(TOKENIZER, frozenset({END, 10**6})).compile("choice", ["a"])
        assert allows(grammar, "a")


class TestCache:
    def test_the_same_definition_is_compiled_once(self, compiler):
        assert compiler.compile("json_schema", PERSON) is compiler.compile(
            "json_schema", json.loads(json.dumps(PERSON))
        )

    def test_the_same_text_of_another_kind_is_another_grammar(self, compiler):
        text = 'start: "a"'
        assert allows(compiler.compile("grammar", text), "a")
        assert allows(compiler.compile("regex", text), text)

    def test_requests_do_not_move_each_others_place(self, compiler):
        grammar = compiler.compile("choice", ["ab"])
        first, second = a_sampler(grammar), a_sampler(grammar)
        assert first.choose(torch.zeros(VOCAB)).id == ord("a")
        assert first.choose(torch.zeros(VOCAB)).id == ord("b")
        assert second.choose(torch.zeros(VOCAB)).id == ord("a")


class TestInTheEngine:
    def test_answers_fit_and_are_the_same_in_a_crowd(self):
        with running_engine() as engine:
            grammar = engine.compile_grammar("json_schema", PERSON)

            def ask(number):
                sampling = SamplingParams(1.5, seed=number)
                ids = engine.codec.encode(f"question {number}")
                options = Options(200, sampling, grammar=grammar)
                return Answered(engine.complete(ids, options, label="a person"))

            alone = [ask(number).wait().text for number in range(6)]
            for text in alone:
                assert_is_a_person(text)
            crowd = [ask(number) for number in range(6)]
            plain = Answered(engine.ask("and a plain question", max_tokens=30))
            assert [answer.wait().text for answer in crowd] == alone
            assert plain.wait().error is None
            reasons = {answer.completion.figures.finish_reason for answer in crowd}
            assert reasons == {FinishReason.STOP}
            wait_until(lambda: is_idle(engine), "all slots and blocks back")

    def test_a_model_that_is_not_loaded_has_no_grammars_yet(self):
        with pytest.raises(NotReadyError, match="still loading"):
            make_engine().compile_grammar("json_object")

    def test_what_cannot_be_used_is_refused_before_anything_is_queued(self):
        with running_engine() as engine, pytest.raises(GrammarError, match="it is empty"):
            engine.compile_grammar("choice", [])


@pytest.fixture(scope="module")
def shipped():
    """An engine over the model that ships."""
    with engine_on_cpu(Generator, CHECKPOINT, max_seq_len=512) as engine:
        yield engine


def ask_shipped(engine, prompt, grammar, temperature, seed=0):
    ids = engine.codec.encode_chat([{"role": "user", "content": prompt}])
    sampling = SamplingParams(temperature, seed=seed, top_p=0.95)
    answer = engine.complete(ids, Options(300, sampling, grammar=grammar), label=prompt)
    text = text_of(answer)
    assert answer.figures.finish_reason is FinishReason.STOP, text
    return text


class TestTheModelThatShips:
    @pytest.mark.parametrize("temperature", [0.0, 0.8, 1.5])
    def test_its_answers_fit_the_schema(self, shipped, temperature):
        schema = PERSON | {"required": ["name", "age", "pets"]}
        grammar = shipped.compile_grammar("json_schema", schema)
        for seed in range(4):
            text = ask_shipped(shipped, "Describe a person.", grammar, temperature, seed)
            assert_is_a_person(text)
            assert "pets" in json.loads(text)

    def test_it_chooses_one_of_the_choices(self, shipped):
        choices = ["machine learning", "quantum computing", "cooking, Früchte"]
        grammar = shipped.compile_grammar("choice", choices)
        for seed in range(4):
            assert ask_shipped(shipped, "What do you like?", grammar, 1.5, seed) in choices

    def test_it_follows_a_pattern(self, shipped):
        grammar = shipped.compile_grammar("regex", r"[A-Z][a-z]{2,9} é \d{2}")
        text = ask_shipped(shipped, "Write a creative story", grammar, 0.0)
        assert re.fullmatch(r"[A-Z][a-z]{2,9} é \d{2}", text)
