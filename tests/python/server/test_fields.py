"""The fields of a request: what is right passes, what is wrong is named in one sentence."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttdirect.server import CHAT_FIELDS

INT64 = 2**63
MAX_TOKENS = "'max_tokens' must be a whole number from 1 to 2048, not "
TEMPERATURE = "'temperature' must be a number from 0.0 to 2.0, not "
TOP_P = "'top_p' must be a number above 0.0 and at most 1.0, not "
TOP_K = "'top_k' must be a whole number from 0 to 1000000, not "
SEED = f"'seed' must be a whole number from {-INT64} to {INT64 - 1}, not "
STOP = "'stop' must be a string or a list of 1 to 16 strings, none of them empty, not "

WRONG = [
    ("max_tokens", True, MAX_TOKENS + "true."),
    ("max_tokens", False, MAX_TOKENS + "false."),
    ("max_tokens", 0, MAX_TOKENS + "0."),
    ("max_tokens", -1, MAX_TOKENS + "-1."),
    ("max_tokens", 2049, MAX_TOKENS + "2049."),
    ("max_tokens", 1.5, MAX_TOKENS + "1.5."),
    ("max_tokens", "64", MAX_TOKENS + '"64".'),
    ("max_tokens", [64], MAX_TOKENS + "a list."),
    ("max_tokens", {"n": 64}, MAX_TOKENS + "an object."),
    ("max_tokens", 10**30, MAX_TOKENS + "1000000000000000000000000000000."),
    ("max_tokens", 10**60, MAX_TOKENS + "1" + 36 * "0" + "...."),
    ("temperature", True, TEMPERATURE + "true."),
    ("temperature", -0.1, TEMPERATURE + "-0.1."),
    ("temperature", 2.1, TEMPERATURE + "2.1."),
    ("temperature", "warm", TEMPERATURE + '"warm".'),
    ("temperature", [], TEMPERATURE + "a list."),
    ("top_p", 0, TOP_P + "0."),
    ("top_p", 0.0, TOP_P + "0.0."),
    ("top_p", 1.01, TOP_P + "1.01."),
    ("top_p", False, TOP_P + "false."),
    ("top_k", -1, TOP_K + "-1."),
    ("top_k", 1_000_001, TOP_K + "1000001."),
    ("top_k", 0.5, TOP_K + "0.5."),
    ("seed", INT64, SEED + f"{INT64}."),
    ("seed", -INT64 - 1, SEED + f"{-INT64 - 1}."),
    ("seed", 1.1, SEED + "1.1."),
    ("seed", True, SEED + "true."),
    ("system", 5, "'system' must be a string, not 5."),
    ("system", ["be nice"], "'system' must be a string, not a list."),
    ("stop", [], STOP + "a list."),
    ("stop", "", STOP + '"".'),
    ("stop", ["a", ""], STOP + "a list."),
    ("stop", ["a", 5], STOP + "a list."),
    ("stop", 5, STOP + "5."),
    ("stop", True, STOP + "true."),
    ("stop", ["x"] * 17, STOP + "a list."),
    ("prompt", None, "'prompt' must be a string, not null."),
    ("prompt", 5, "'prompt' must be a string, not 5."),
    ("prompt", ["prompt"], "'prompt' must be a string, not a list."),
    ("prompt", "", "The field 'prompt' is empty."),
    ("prompt", " \n\t ", "The field 'prompt' is empty."),
    ("max_token", 64, "There is no field 'max_token'. Did you mean 'max_tokens'?"),
    ("Prompt", "hi", "There is no field 'Prompt'. Did you mean 'prompt'?"),
    ("temprature", 1, "There is no field 'temprature'. Did you mean 'temperature'?"),
    (
        "zzz",
        1,
        (
            "There is no field 'zzz'. Known fields: prompt, max_tokens, temperature, system, "
            "top_p, top_k, seed, stop."
        ),
    ),
]

RIGHT = [
    ("max_tokens", 1),
    ("max_tokens", 2048),
    ("max_tokens", 2.0),  # JSON knows one kind of number, and this one is whole
    ("temperature", 0),
    ("temperature", -0.0),
    ("temperature", 2),
    ("temperature", 2.0),
    ("temperature", 5e-324),
    ("top_p", 1),
    ("top_p", 5e-324),
    ("top_k", 0),
    ("top_k", 1_000_000),
    ("seed", INT64 - 1),
    ("seed", -INT64),
    ("system", ""),
    ("system", "Be brief."),
    ("stop", "x"),
    ("stop", ["x"] * 16),
    *((field.name, None) for field in CHAT_FIELDS if not field.required),
]


def body_error(response):
    assert response.status_code == 400, response.text
    assert list(response.json) == ["error"]
    return response.json["error"]


@pytest.mark.parametrize("route", ["/chat", "/chat/stream"])
@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_value_is_named_in_a_sentence(lesson, route, name, value, sentence):
    body = {"prompt": "hi", "max_tokens": 4, name: value}
    assert body_error(lesson.client.post(route, json=body)) == sentence


@pytest.mark.parametrize("route", ["/chat", "/chat/stream"])
@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_values_at_the_limits_are_right(lesson, route, name, value):
    body = {"prompt": "hash", "max_tokens": 2, "temperature": 1.0, name: value}
    response = lesson.client.post(route, json=body)
    assert response.status_code == 200, response.text


def send(lesson, data, content_type="application/json", **headers):
    return lesson.client.post("/chat", data=data, content_type=content_type, headers=headers)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The body is not valid JSON: Expecting value, line 1 column 1."),
        (b'{"prompt": "hi"', "valid JSON: Expecting ',' delimiter, line 1 column 16."),
        (b"prompt=hi", "The body is not valid JSON: Expecting value, line 1 column 1."),
        (b'{"prompt": "hi"} {}', "The body is not valid JSON: Extra data, line 1 column 18."),
        (b"{'prompt': 'hi'}", "line 1 column 2."),
        (b'{"prompt": "a\nb"}', "The body is not valid JSON: Invalid control character at"),
        (b'{"prompt": "\xff"}', "The body is not valid UTF-8."),
        (b"\xff\xfe\x00", "The body is not valid UTF-8."),
        (b'{"prompt": NaN}', "The body is not valid JSON: it holds an impossible number."),
        (b'{"temperature": Infinity}', "it holds an impossible number."),
        (b'{"temperature": -Infinity}', "it holds an impossible number."),
        (b'{"seed": ' + b"9" * 5000 + b"}", "it holds an impossible number."),
        (b'{"prompt": "hi", "temperature": 1e999}', TEMPERATURE + "an infinite number."),
        (b'{"prompt": "hi", "max_tokens": -1e999}', MAX_TOKENS + "an infinite number."),
        (b'{"prompt": "hi", "seed": ' + b"9" * 4000 + b"}", SEED + "9" * 37 + "...."),
        (b'{"prompt": "\\ud800"}', "'prompt' holds half of a surrogate pair"),
        (b'{"prompt": "hi", "stop": ["\\udc00"]}', "'stop' holds half of a surrogate pair"),
        (b'{"prompt": "hi", "system": "\\udfff"}', "'system' holds half of a surrogate pair"),
        (b"[" * 100_000, "The body's JSON is nested too deeply."),
        (b'{"a":' * 100_000, "The body's JSON is nested too deeply."),
        (b'["prompt"]', "must be a JSON object with the field 'prompt', not a list."),
        (b'"prompt"', "must be a JSON object with the field 'prompt', not \"prompt\"."),
        (b"null", "must be a JSON object with the field 'prompt', not null."),
        (b"{}", "The field 'prompt' is missing."),
        (b'{"max_tokens": 5}', "The field 'prompt' is missing."),
    ],
)
def test_a_body_that_is_no_request_is_told_why(lesson, data, sentence):
    assert sentence in body_error(send(lesson, data))


def test_a_byte_order_mark_and_utf_16_do_no_harm(lesson):
    for encoding in ("utf-8-sig", "utf-16"):
        response = send(lesson, '{"prompt": "gr\u00fc\u00df dich"}'.encode(encoding))
        assert response.json["response"] == "You said: gr\u00fc\u00df dich"


def test_of_two_equal_keys_the_last_one_counts(lesson):
    response = send(lesson, b'{"prompt": "first", "prompt": "last"}')
    assert response.json["prompt"] == "last"


def test_nul_and_control_characters_are_text_like_any_other(lesson):
    prompt = "a\x00b\x1b[31mc\r\n\u2028d\u202e"
    assert lesson.chat(prompt).json["response"] == f"You said: {prompt}"


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        (None, "none"),
        ("text/plain", "text/plain"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("multipart/form-data; boundary=x", "multipart/form-data"),
        ("application/jsonp", "application/jsonp"),
        ("application/" + "x" * 300, "application/xxxxxxxxxxxxxxxxxxxxxxxxx..."),
        ("text/\x1b[2Jplain", "text/?[2jplain"),
    ],
)
def test_another_content_type_gets_415_and_what_to_send(lesson, content_type, shown):
    response = send(lesson, b'{"prompt": "hi"}', content_type)
    assert response.status_code == 415
    assert response.json == {
        "error": f"Send JSON with the header Content-Type: application/json (it was: {shown})."
    }


def test_json_with_parameters_or_a_suffix_is_json(lesson):
    for content_type in ("application/json; charset=utf-8", "application/problem+json"):
        assert send(lesson, b'{"prompt": "hi"}', content_type).status_code == 200


def test_a_compressed_body_gets_415(lesson):
    response = send(lesson, b"\x1f\x8b\x08", **{"Content-Encoding": "gzip"})
    assert response.status_code == 415
    assert response.json == {"error": "Send the JSON as it is, without a Content-Encoding."}


def test_a_body_of_more_than_a_mebibyte_gets_413(lesson):
    response = send(lesson, b" " * (1024 * 1024 + 1))
    assert response.status_code == 413
    assert response.json == {"error": "The body is too large: at most 1024 KiB are read."}


def test_a_body_that_stops_arriving_gets_408(lesson):
    class Stalled(io.RawIOBase):
        def readinto(self, _buffer):
            raise BlockingIOError

    environ = {"wsgi.input": Stalled(), "CONTENT_LENGTH": "5", "CONTENT_TYPE": "application/json"}
    response = lesson.client.post("/chat", environ_overrides=environ)
    assert response.status_code == 408
    assert response.json == {"error": "The body did not arrive in time."}


def test_a_prompt_that_does_not_fit_says_how_long_it_is_and_how_long_it_may_be(lesson):
    sentence = body_error(lesson.chat("x" * 3000))
    assert sentence.startswith("The prompt has 3004 tokens, but at most 2047 fit")


def test_what_a_client_invents_is_echoed_short_and_harmless(lesson):
    name = "\x1b[31m\n12:00:00  forged\u202e" + "x" * 1000
    sentence = body_error(lesson.client.post("/chat", json={"prompt": "hi", name: 1}))
    assert sentence.isprintable()
    assert len(sentence) < 250


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([field.name for field in CHAT_FIELDS]) | st.text(max_size=12)
NEARLY = st.dictionaries(NAMES, JSON, max_size=6)


def holds_one_sentence(response):
    """The contract for every error: `{"error": "one clear sentence"}` and nothing of the inside."""
    assert list(response.json) == ["error"]
    sentence = response.json["error"]
    assert 0 < len(sentence) < 400
    assert sentence[-1] in ".?"
    for inside in ("Traceback", ".py", "Error(", "<class", "object at 0x"):
        assert inside not in sentence
    return True


@given(body=JSON | NEARLY, route=st.sampled_from(["/chat", "/chat/stream"]))
def test_no_json_gives_a_500(lesson, body, route):
    data = json.dumps(body)  # NaN and infinities in Python's spelling
    response = lesson.client.post(route, data=data, content_type="application/json")
    if response.status_code != 200:
        assert response.status_code == 400, response.text
        assert holds_one_sentence(response)


@given(data=st.binary(max_size=200), route=st.sampled_from(["/chat", "/chat/stream"]))
def test_no_bytes_give_a_500(lesson, data, route):
    response = lesson.client.post(route, data=data, content_type="application/json")
    assert response.status_code == 400
    assert holds_one_sentence(response)


@given(
    cut=st.integers(min_value=0, max_value=80),
    junk=st.text(alphabet='{}[]",:0123456789eE+-.\\untrfalse \n', max_size=20),
)
def test_no_broken_request_gives_a_500(lesson, cut, junk):
    whole = json.dumps({"prompt": "hash", "max_tokens": 3, "temperature": 0.5, "stop": ["a"]})
    response = send(lesson, whole[:cut] + junk + whole[cut:])
    assert response.status_code in (200, 400), response.text


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
OPTIONAL = {
    "max_tokens": st.integers(1, 6),
    "temperature": st.floats(0, 2) | st.integers(0, 2),
    "system": TEXT,
    "top_p": st.floats(0, 1, exclude_min=True),
    "top_k": st.integers(0, 1_000_000),
    "seed": st.integers(-INT64, INT64 - 1),
    "stop": TEXT | st.lists(TEXT, min_size=1, max_size=16),
}


@given(
    prompt=TEXT.filter(str.strip),
    options=st.fixed_dictionaries(
        {}, optional={name: st.none() | values for name, values in OPTIONAL.items()}
    ),
)
def test_every_valid_request_is_answered(lesson, prompt, options):
    response = lesson.chat(prompt, **options)
    assert response.status_code == 200, response.text
    assert response.json["prompt"] == prompt
