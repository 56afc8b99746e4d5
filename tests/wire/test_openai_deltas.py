"""The short way for deltas says what the long way says, byte for byte, and refuses what it refuses."""

import json
import random

import orjson
import pytest

from helpers.chat_streams import HEAD, MARK, OpenGuard, WordGuard, as_event, chunk, entry, read
from yett.errors import UpstreamError
from yett.wire.openai_chat import DIALECT
from yett.wire.openai_deltas import DeltaForms
from yett.wire.sse import SseEvent

DONE = SseEvent(b"[DONE]")


class NoForms:
    """The long way only."""

    def read(self, data):
        del data

    def find(self, data, body):
        del data, body


class CountingForms(DeltaForms):
    """Counts what went the short way."""

    __slots__ = ("short", "tried")

    def __init__(self):
        super().__init__()
        self.short = self.tried = 0

    def read(self, data):
        form = super().read(data)
        self.short += form is not None
        return form

    def find(self, data, body):
        before = self._tries
        form = super().find(data, body)
        self.tried += self._tries - before
        return form


def codec(guard=None, *, long=False, **request):
    stream = DIALECT.open_stream({"model": "mine", "stream": True, **request}, "mine", guard or OpenGuard())
    stream._forms = NoForms() if long else CountingForms()
    return stream


def spaced(body):
    return SseEvent(json.dumps(body).encode())


def compact(body):
    return SseEvent(orjson.dumps(body))


def view(raw):
    """What a client puts together, but for the role: how often that is said again may differ."""
    texts, *rest = read(raw).view()
    return {place: text for place, text in texts.items() if place[1] != "role"}, *rest


FORMATS = {"compact": compact, "spaced and escaped": spaced}
BODIES = {
    "plain": lambda text: chunk({"content": text}),
    "role in each": lambda text: chunk({"role": "assistant", "content": text}),
    "nulls and empty texts": lambda text: chunk({"content": text, "refusal": None, "audio": None, "thoughts": ""}),
    "reasoning": lambda text: chunk({"content": None, "reasoning_content": text}),
    "logprobs named": lambda text: chunk({"content": text}, choice={"logprobs": None}),
    "usage named": lambda text: chunk({"content": text}, usage=None),
    "tier and maker": lambda text: chunk({"content": text}, service_tier="default", provider="a provider"),
    "unknown null in the choice": lambda text: chunk({"content": text}, choice={"native_finish_reason": None}),
    "another choice": lambda text: chunk({"content": text}, 3),
    "padding": lambda text: chunk({"content": text}, obfuscation="aZ" * (1 + len(text) % 5)),
    "no choice index": lambda text: {**HEAD, "object": "", "choices": [{"delta": {"content": text}}]},
}
TEXTS = ["Hel", "lo", " ", '"', "\\", '","content":"', "\n", "é \U0001f600", "content", "<x", "12>", " end", "\u2028"]


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": True}}], ids=["", "usage asked"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_says_byte_for_byte_what_the_long_way_says(body, asked, write):
    short, long = codec(**asked), codec(long=True, **asked)
    for text in TEXTS:
        event = write(body(text))
        assert short.feed(event) == long.feed(event), text
    assert short._forms.short >= len(TEXTS) - 2


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_is_held_back_and_edited_is_the_same(body):
    short, long = codec(WordGuard()), codec(WordGuard(), long=True)
    events = [compact(body(text)) for text in ["a ", "b <x", "12", "> c", " !de", "x", " !deny!", "late"]]
    seen = [view(b"".join([s.feed(e) for e in events]) + s.tail) for s in (short, long)]
    assert seen[0] == seen[1]
    assert MARK in str(seen[0])
    assert short.blocked
    assert short._forms.short >= 5


HEAD_BYTES = orjson.dumps(chunk({"content": "@"})).partition(b"@")[0]
TAIL_BYTES = orjson.dumps(chunk({"content": "@"})).partition(b"@")[2]
NO_LITERALS = {
    "a second content": b'x","content":"y',
    "a second member": b'x","refusal":"y',
    "an end of the choice": b'x"},"finish_reason":"stop"},{"index":1,"delta":{"content":"y',
    "a lone surrogate": b"\\ud800",
    "a line feed": b"a\nb",
    "a tab": b"a\tb",
    "not utf-8": b"\xff",
    "an unknown escape": b"\\x41",
    "a quote that is escaped": b"a\\",
    "nothing": b"",
    "a bare quote": b'"',
    "a comma": b'",',
}


@pytest.mark.parametrize("middle", NO_LITERALS.values(), ids=NO_LITERALS)
def test_what_is_no_literal_goes_the_long_way(middle):
    results = []
    for long in (False, True):
        stream = codec(long=long)
        out = stream.feed(compact(chunk({"content": "first"})))
        try:
            out += stream.feed(SseEvent(HEAD_BYTES + middle + TAIL_BYTES))
        except UpstreamError as error:
            results.append((out, error.code, error.message))
        else:
            results.append((out, stream.finish, stream.done))
        assert long or stream._forms.short == 0
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "data",
    [HEAD_BYTES[:-1] + TAIL_BYTES[1:], HEAD_BYTES + TAIL_BYTES[1:], HEAD_BYTES, TAIL_BYTES, HEAD_BYTES + b"x"],
    ids=["neither quote", "one quote", "head", "tail", "cut"],
)
def test_an_event_that_is_too_short_is_refused(data):
    stream = codec()
    stream.feed(compact(chunk({"content": "first"})))
    with pytest.raises(UpstreamError):
        stream.feed(SseEvent(data))


@pytest.mark.parametrize("padding", ['x","content":"y', "", "a b", "\\u0041", "ä"])
def test_padding_that_is_more_than_letters_goes_the_long_way(padding):
    data = orjson.dumps(chunk({"content": "a"}, obfuscation="xx"))
    results = []
    for long in (False, True):
        stream = codec(long=long)
        out = stream.feed(SseEvent(data))
        out += stream.feed(SseEvent(data.replace(b'"xx"', f'"{padding}"'.encode())))
        results.append(out)
        assert long or stream._forms.short == 0
    assert results[0] == results[1]


# --- together ---


def test_texts_that_came_together_are_checked_and_sent_as_one():
    guard = OpenGuard()
    stream = codec(guard)
    stream.feed(as_event(chunk({"content": "a"})))
    out = read(stream.feed_all([as_event(chunk({"content": text})) for text in "bcde"]))
    assert [c["choices"][0]["delta"] for c in out.chunks] == [{"content": "bcde"}]
    assert guard.channels["/choices/0/message/content"] == ["a", "bcde"]


def test_what_came_between_stays_between():
    stream = codec()
    events = [
        *[chunk({"content": text}, index) for index in (0, 1) for text in "ab"],
        chunk({"reasoning_content": "r"}),
        chunk({"content": "c"}),
        chunk({"content": "d"}),
        chunk({"content": "e"}, note="new"),
        chunk({"content": "f"}),
        chunk(finish="stop"),
        chunk({"content": "c"}, 1),
    ]
    stream.feed_all([as_event(event) for event in events[:4]])
    shown = read(stream.feed_all([as_event(event) for event in events[4:]])).chunks
    assert [(c["choices"][0]["index"], c["choices"][0]["delta"], "note" in c) for c in shown] == [
        (0, {"reasoning_content": "r"}, False),
        (0, {"content": "cd"}, False),
        (0, {"content": "e"}, True),
        (0, {"content": "f"}, False),
        (0, {}, False),
        (1, {"content": "c"}, False),
    ]


def test_a_word_that_is_denied_ends_what_came_together():
    stream = codec(WordGuard())
    texts = ["a ", "b ", "!de", "ny!", " c"]
    client = read(stream.feed_all([as_event(chunk({"content": text})) for text in texts]))
    assert client.texts[0, "content"] == "a b "
    assert (stream.done, client.finish) == (True, {0: "content_filter"})


def test_nothing_is_fed_after_the_end():
    guard = OpenGuard()
    stream = codec(guard)
    stream.feed_all([as_event(chunk({"content": "a"})), DONE, as_event(chunk({"content": "b"}))])
    assert guard.channels == {"/choices/0/message/content": ["a"]}
    assert stream.done


def test_text_after_the_end_of_its_choice_is_refused():
    stream = codec()
    stream.feed_all([as_event(chunk({"content": "a"})), as_event(chunk(finish="stop"))])
    with pytest.raises(UpstreamError):
        stream.feed(as_event(chunk({"content": "b"})))


def test_logprobs_keep_the_long_way():
    logprobs = {"content": [entry("a")], "refusal": None}
    stream = codec()
    events = [chunk({"content": "a"}), chunk({"content": "a"}, choice={"logprobs": logprobs}), chunk({"content": "b"})]
    out = [read(stream.feed(as_event(event))).chunks[0] for event in events]
    assert out[1]["choices"][0]["logprobs"]["content"] == [entry("a")]
    assert (out[2]["choices"][0]["delta"], out[2]["choices"][0].get("logprobs")) == ({"content": "b"}, None)


def test_after_an_unknown_event_all_waits():
    stream = codec()
    stream.feed(as_event(chunk({"content": "a"})))
    assert stream.feed(as_event({"object": "odd"})) == b""
    assert stream.feed(as_event(chunk({"content": "b"}))) == b""
    assert stream._forms.short == 0
    assert b'"b"' in stream.feed(DONE)


def test_edited_members_keep_the_long_way():
    stream = codec(WordGuard())
    events = [chunk({"content": "a"}, note="<x12>"), chunk({"content": "b"}, note="<x12>")]
    assert [read(stream.feed(as_event(event))).chunks[0]["note"] for event in events] == [MARK, MARK]
    assert stream._forms.short == 0


def test_chunks_that_vary_are_not_tried_for_ever():
    stream = codec()
    for number in range(100):
        stream.feed(as_event(chunk({"content": "a"}, created=number + 1)))
    assert (stream._forms.short, stream._forms.tried) == (0, 5)


def test_a_stamp_that_changes_now_and_then_is_learned_anew():
    stream = codec()
    for number in range(400):
        stream.feed(as_event(chunk({"content": "a"}, created=1 + number // 20)))
    assert stream._forms.short >= 350


@pytest.mark.parametrize("seed", range(60))
def test_any_mixture_cut_anyhow_gives_the_same_view(seed):
    rng = random.Random(seed)
    write, texts = rng.choice([compact, spaced]), [*TEXTS, "", "!deny!", "<x34>"]
    makes = rng.sample([*BODIES.values()], 3)
    events = []
    for _ in range(40):
        body = rng.choice(makes)(rng.choice(texts if rng.random() < 0.5 else TEXTS[:5]))
        if rng.random() < 0.1:
            body["choices"][0].update(rng.choice([{"finish_reason": None}, {"logprobs": None}, {"note": "n"}]))
        events.append(write(body))
    events.append(DONE)
    views = []
    for long in (False, True):
        guard = WordGuard() if seed % 2 else OpenGuard()
        stream, out, at = codec(guard, long=long), b"", 0
        while at < len(events) and not stream.done:
            step = 1 if long else rng.randrange(1, 7)
            out += stream.feed_all(events[at : at + step])
            at += step
        views.append((view(out + stream.tail), stream.blocked, stream.done, stream.finish))
    assert views[0] == views[1]
