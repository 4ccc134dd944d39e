"""Text comes out piece by piece, whole characters only, and nothing of a stop string."""

import itertools
import threading

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from byte_tokenizer import ByteTokenizer
from ttdirect.engine.text import REPLACEMENT, IncrementalDecoder, StopWatcher, TextCodec

CODEC = TextCodec(ByteTokenizer())


def pieces_of(ids, codec=CODEC):
    decoder = IncrementalDecoder(codec)
    return [decoder.feed(token) for token in ids] + [decoder.flush()]


def shown_by(stops, texts):
    """The pieces that a StopWatcher lets through, and whether it stopped."""
    watcher = StopWatcher(stops)
    pieces = [watcher.feed(text) for text in texts]
    if not watcher.stopped:
        pieces.append(watcher.flush())
    return pieces, watcher.stopped


def cut_at_first_stop(stops, text):
    """What must be shown: everything before the stop string that is complete first."""
    ends = [(at + len(s), at) for s in stops if s and (at := text.find(s)) >= 0]
    return (text[: min(ends)[1]], True) if ends else (text, False)


class TestEncoding:
    def test_a_conversation_goes_through_the_chat_template(self):
        messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hé"}]
        ids = CODEC.encode_chat(messages)
        assert ByteTokenizer().decode(ids) == (
            "<|begin|><|system|>be brief<|end|><|user|>hé<|end|><|assistant|>"
        )

    def test_the_mapping_that_newer_transformers_return_is_understood(self):
        class Newer(ByteTokenizer):
            def apply_chat_template(self, *args, **kwargs):
                return {"input_ids": super().apply_chat_template(*args, **kwargs)}

        messages = [{"role": "user", "content": "hi"}]
        assert TextCodec(Newer()).encode_chat(messages) == CODEC.encode_chat(messages)

    def test_a_base_model_gets_plain_text_with_its_usual_beginning(self):
        tokenizer = ByteTokenizer(chat=False)
        ids = TextCodec(tokenizer).encode_chat(
            [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
        )
        assert tokenizer.decode(ids) == "<|begin|>be brief\nhi"

    @pytest.mark.parametrize("chat", [True, False])
    def test_half_a_surrogate_pair_is_refused_in_words(self, chat):
        # JSON can carry it, tokenizers cannot: they raise TypeError or UnicodeEncodeError.
        with pytest.raises(ValueError, match="surrogate pair, which is no character"):
            TextCodec(ByteTokenizer(chat=chat)).encode_chat(
                [{"role": "user", "content": "a\ud800b"}]
            )

    def test_a_template_that_refuses_says_why(self):
        class NoSystemRole(ByteTokenizer):
            def apply_chat_template(self, messages, **_):
                raise RuntimeError("System role not supported")

        with pytest.raises(ValueError, match="refuses this: System role not supported"):
            TextCodec(NoSystemRole()).encode_chat([{"role": "user", "content": "hi"}])

    def test_after_a_refusal_the_next_conversation_is_encoded(self):
        with pytest.raises(ValueError, match="surrogate"):
            CODEC.encode_chat([{"role": "user", "content": "\udfff"}])
        assert CODEC.encode_chat([{"role": "user", "content": "hi"}])

    def test_two_threads_never_encode_at_the_same_time(self):
        class OneAtATime(ByteTokenizer):
            inside = threading.Lock()

            def encode(self, *arguments, **options):
                assert self.inside.acquire(blocking=False), "Already borrowed"
                try:
                    return super().encode(*arguments, **options)
                finally:
                    self.inside.release()

        codec, wrong = TextCodec(OneAtATime()), []

        def encode_often():
            try:
                for _ in range(50):
                    codec.encode_chat([{"role": "user", "content": "x" * 300}])
            except AssertionError as error:
                wrong.append(error)

        threads = [threading.Thread(target=encode_often) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


class TestDecoding:
    def test_special_tokens_are_left_out(self):
        assert CODEC.decode([257, 72, 258, 105, 256]) == "Hi"

    def test_a_tokenizer_that_tidies_up_spaces_is_told_not_to(self):
        class Tidy(ByteTokenizer):
            clean_up_tokenization_spaces = True

            def decode(self, ids, skip_special_tokens=False, clean_up_tokenization_spaces=None):
                text = super().decode(ids, skip_special_tokens)
                tidy = clean_up_tokenization_spaces is not False
                return text.replace(" .", ".") if tidy else text

        assert "".join(pieces_of(b"x . y", TextCodec(Tidy()))) == "x . y"

    def test_a_tokenizer_without_that_setting_is_not_asked_about_it(self):
        class Plain:
            def decode(self, ids, skip_special_tokens):
                return bytes(ids).decode()

        assert TextCodec(Plain()).decode([72, 105]) == "Hi"

    def test_the_stop_tokens_of_tt_metal_come_before_the_one_eos(self):
        tokenizer = ByteTokenizer()
        tokenizer.stop_tokens = [7, 8]
        assert TextCodec(tokenizer).stop_ids() == {7, 8}
        tokenizer.stop_tokens = None
        assert TextCodec(tokenizer).stop_ids() == {tokenizer.eos_token_id}
        tokenizer.eos_token_id = None
        assert TextCodec(tokenizer).stop_ids() == frozenset()


class TestIncrementalDecoder:
    def test_a_character_of_four_bytes_comes_with_its_last_byte(self):
        assert pieces_of("a😀b".encode()) == ["a", "", "", "", "😀", "b", ""]

    def test_an_incomplete_character_comes_at_the_end(self):
        assert pieces_of("é".encode()[:1]) == ["", REPLACEMENT]

    def test_bytes_that_are_no_character_do_not_hold_up_what_follows(self):
        assert "".join(pieces_of(b"a\xff\xffb")[:-1]) == f"a{REPLACEMENT}{REPLACEMENT}b"

    def test_flushing_twice_gives_nothing_more(self):
        decoder = IncrementalDecoder(CODEC)
        decoder.feed(0xC3)
        assert decoder.flush() == REPLACEMENT
        assert decoder.flush() == ""

    @given(st.lists(st.integers(0, 260)))
    @example(list("a\ufffdb😀".encode()))
    @example([0xF0, 0x9F, 257, 0x98, 0x80])
    @example([0xE2, 0x82, 0x41])
    @example([*b"\xff" * 20, *"😀".encode()])
    @example([*b"\xff" * 12, 0xE2, 257, 257, 257, 0x82, 0xAC])
    def test_the_pieces_joined_are_the_text_of_all_tokens(self, ids):
        assert "".join(pieces_of(ids)) == CODEC.decode(ids)

    @given(st.lists(st.sampled_from([0xFF, 0xF0, 0x9F, 0x98, 0x80, 0xEF, 0xBF, 0xBD, 257])))
    def test_the_pieces_joined_are_the_text_where_most_is_broken(self, ids):
        assert "".join(pieces_of(ids * 3)) == CODEC.decode(ids * 3)

    @given(st.text(alphabet="aé€😀\ufffd\u200d", max_size=30))
    def test_no_piece_ends_inside_a_character(self, text):
        pieces = pieces_of(text.encode())
        assert "".join(pieces) == text
        grown = list(itertools.accumulate(pieces))
        assert all(text.startswith(so_far) for so_far in grown)

    @given(st.lists(st.sampled_from(["▁", "▁a", "b", "▁▁", "é", "."]), max_size=20))
    def test_a_tokenizer_that_drops_the_first_space_loses_no_other(self, words):
        class Metaspace:
            """As Llama 2's: `▁` is a space, and a text does not begin with one."""

            def decode(self, ids, skip_special_tokens):
                return "".join(words[i] for i in ids).replace("▁", " ").removeprefix(" ")

        codec = TextCodec(Metaspace())
        ids = range(len(words))
        assert "".join(pieces_of(ids, codec)) == codec.decode(ids)

    def test_the_work_for_a_token_does_not_grow_with_the_text(self):
        lengths = []

        class Counting(ByteTokenizer):
            def decode(self, ids, *arguments, **options):
                lengths.append(len(ids))
                return super().decode(ids, *arguments, **options)

        pieces_of("häuser ".encode() * 100, TextCodec(Counting()))
        assert max(lengths) <= 8

    def test_a_model_that_says_only_broken_bytes_does_not_make_the_work_grow(self):
        lengths = []

        class Counting(ByteTokenizer):
            def decode(self, ids, *arguments, **options):
                lengths.append(len(ids))
                return super().decode(ids, *arguments, **options)

        pieces = pieces_of(b"\xff" * 500, TextCodec(Counting()))
        assert "".join(pieces) == REPLACEMENT * 500
        assert max(lengths) <= 64


class TestStopWatcher:
    def test_the_text_before_the_stop_string_is_shown_and_nothing_after(self):
        assert shown_by(["END"], ["one END two", " three"]) == (["one ", ""], True)

    def test_half_a_stop_string_is_held_back_until_it_is_clear(self):
        watcher = StopWatcher(["END"])
        assert [watcher.feed(c) for c in "aENxEEND"] == ["a", "", "", "ENx", "", "E", "", ""]
        assert watcher.stopped

    def test_what_was_held_back_comes_at_the_end(self):
        assert shown_by(["END"], ["a", "EN"]) == (["a", "", "EN"], False)

    def test_of_overlapping_stops_the_one_that_is_complete_first_counts(self):
        assert shown_by(["ab cd", "b"], ["ab cd"]) == (["a"], True)
        assert shown_by(["ab cd", "b"], list("ab cd"))[0][:2] == ["", "a"]

    def test_of_stops_that_end_together_the_longest_counts(self):
        assert shown_by(["c", "bc", "abc"], ["xabc"]) == (["x"], True)

    def test_a_stop_string_that_repeats_itself_is_found(self):
        assert shown_by(["aab"], list("aaab")) == (["", "", "a", ""], True)

    def test_empty_stop_strings_stop_nothing(self):
        assert shown_by(["", ""], ["abc"]) == (["abc", ""], False)

    @given(
        stops=st.lists(st.text(alphabet="ab€", max_size=4), max_size=4),
        text=st.text(alphabet="ab€", max_size=30),
        cuts=st.sets(st.integers(0, 30)),
    )
    def test_it_does_not_matter_in_what_pieces_the_text_comes(self, stops, text, cuts):
        edges = [0, *sorted(c for c in cuts if c < len(text)), len(text)]
        pieces, stopped = shown_by(stops, [text[a:b] for a, b in itertools.pairwise(edges)])
        assert ("".join(pieces), stopped) == cut_at_first_stop(stops, text)

    @given(
        stops=st.lists(st.text(alphabet="ab", min_size=1, max_size=4), min_size=1, max_size=4),
        text=st.text(alphabet="ab", max_size=30),
    )
    def test_no_more_is_held_back_than_could_still_become_a_stop_string(self, stops, text):
        watcher, shown = StopWatcher(stops), ""
        for number, letter in enumerate(text, start=1):
            shown += watcher.feed(letter)
            if watcher.stopped:
                break
            held = text[len(shown) : number]
            assert held == "" or any(stop.startswith(held) for stop in stops)
