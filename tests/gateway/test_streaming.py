"""Every chunking gives what the whole text gives."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.sample_detectors import (
    ALL,
    EMAIL,
    RESTORES,
    Recorder,
    assert_same,
    chunks_of,
    detector,
    streamed,
    text_of,
    whole,
)
from yett.detector import Span
from yett.errors import Unavailable
from yett.scan import ScanEngine
from yett.streaming import Judgement, TextStream, redact
from yett.verdict import Action
from yett.wire.guard import Blocked, Released

ENGINE = ScanEngine(ALL)
TAG = "<EMAIL_q7k2xm4p>"


@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_random_chunkings(seed: int) -> None:
    blocked = 0
    for number in range(100):
        rng = random.Random(seed * 1000 + number)
        blocked += assert_same(ENGINE, rng, text_of(rng, rng.choice((1, 2, 3, 6, 12, 24))))
    assert blocked > 0  # the sample is worth something


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.text(st.sampled_from("a1@.- <>:#E_\n\u00e9\u200b\uff11\ufb01\U0001d7ce"), max_size=40), st.data())
def test_arbitrary_texts_and_cuts(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    chunks = [text[low:high] for low, high in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    expected = whole(ENGINE, text, Recorder(), RESTORES)
    assert streamed(ENGINE, chunks, Recorder(), RESTORES) == expected
    assert streamed(ENGINE, list(text), Recorder(), RESTORES) == expected


CASES = {
    "plain": ("Hello there", "Hello there"),
    "redacted": ("mail a@b.co!", "mail [email]!"),
    "adjacent": ("a@b.co,x@y.org", "[email],[email]"),
    "overlapping rules become one": ("card 4111 1111 1111 1111.", "card [card]."),
    "the higher priority wins": ("see https://a:b@c.de/x", "see [url]/x"),
    "restored": (f"mail {TAG}!", "mail jane.roe@example.org!"),
    "restored is not scanned again": (f"{TAG} {TAG}", "jane.roe@example.org jane.roe@example.org"),
    "unknown tag stays": ("<EMAIL_zzzzzzzz>", "<EMAIL_zzzzzzzz>"),
    "cut tag stays": ("<EMAIL_q7k2", "<EMAIL_q7k2"),
    "tag in tag": (f"<EMAIL_{TAG}", "<EMAIL_jane.roe@example.org"),
    "a finding wins over a tag": (f"https://u:p@{TAG}", "[url]"),
    "a finding around a tag wins": (f"https://u:{TAG}@host/", "[url]/"),
    "tag with invisible characters": ("<EMA\u200bIL_q7k2xm4p>", "jane.roe@example.org"),
    "fullwidth": ("x \uff41@\uff42.co y", "x [email] y"),
    "long token": ("a" * 600 + "@b.co", "a" * 92 + "[email]o"),
    "end of text decides": ("#cafe-box", "[dash]"),
    "text after decides": ("#cafe-boxes!", "[dash]!"),
    "text after undoes": ("#cafe-boxes_2", "#cafe-boxes_2"),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_whole_and_every_split(text: str, expected: str) -> None:
    once = whole(ENGINE, text, Recorder(), RESTORES)
    assert once[0] == expected
    for cut in range(0, len(text) + 1, 1 + len(text) // 64):
        assert streamed(ENGINE, [text[:cut], text[cut:]], Recorder(), RESTORES) == once
    assert streamed(ENGINE, list(text), Recorder(), RESTORES) == once


def test_edits_are_in_the_providers_coordinates() -> None:
    text = f"\u200bto {TAG} and a@b\u200b.co."
    result = redact(ENGINE.scan(text), text, Recorder(), RESTORES)
    assert [text[low:high] for low, high in result[1]] == [TAG, "a@b\u200b.co"]


DENIED = {
    "the span": ("ok a@b.co more", {"email"}, "ok ", "no email"),
    "with what overlaps it": ("ok https://a:b@c.de/x 1", {"email"}, "ok ", "no email"),
    "after an edit": ("card 4111 1111 1111 1111 a@b.co", {"email"}, "card [card] ", "no email"),
    "the first of two": ("a AKIAIOSFODNN7EXAMPLE b@c.de", {"email", "aws"}, "a ", "no aws"),
    "at the very start": ("a@b.co", {"email"}, "", "no email"),
    "before a tag": (f"{TAG} x@b.co {TAG}", {"email"}, "jane.roe@example.org ", "no email"),
}


@pytest.mark.parametrize(("text", "deny", "before", "message"), DENIED.values(), ids=DENIED)
def test_no_character_of_a_denied_span_leaves(text: str, deny: set[str], before: str, message: str) -> None:
    for chunks in ([text], list(text), [text[:4], text[4:9], text[9:]]):
        judge = Recorder(deny)
        out, _, said = streamed(ENGINE, chunks, judge, RESTORES)
        assert (out, said) == (before, message)
        assert judge.asked[-1][2] in deny or len(judge.asked) > 1
    assert whole(ENGINE, text, Recorder(deny), RESTORES)[::2] == (before, message)


def test_a_denied_value_is_blocked_as_soon_as_it_is_certain() -> None:
    stream = TextStream(ENGINE, Recorder({"aws"}), {})
    assert stream.feed("key AKIAIOSFODNN7EXAMPL") == Released("key ", 0, 4)
    assert stream.feed("E") == Released("", 4, 4)
    with pytest.raises(Blocked) as caught:
        stream.feed(" and")
    assert caught.value.released == Released("", 4, 4)
    for after in (lambda: stream.feed("x"), stream.finish):
        with pytest.raises(Blocked, match="no aws") as caught:
            after()
        assert caught.value.released.text == ""


def test_what_is_left_alone_is_asked_for_once_and_not_edited() -> None:
    judge = Recorder(ignore={"email"})
    assert streamed(ENGINE, list("a@b.co "), judge, {}) == ("a@b.co ", (), None)
    assert judge.asked == [(0, 6, "email", 0.6, "a@b.co")]


def test_the_judge_sees_the_text_as_the_provider_wrote_it() -> None:
    judge = Recorder()
    streamed(ENGINE, ["x \uff41@\u200b\uff42.co"], judge, {})
    assert judge.asked == [(2, 9, "email", 0.6, "\uff41@\u200b\uff42.co")]


def test_approval_edits_but_does_not_block() -> None:
    def judge(span: Span, text: str) -> Judgement:
        return Judgement(Action.APPROVE, "?", "")

    assert streamed(ENGINE, list("hi a@b.co"), judge, {}) == ("hi ?", ((3, 9),), None)


def test_plain_prose_waits_for_a_word_at_most() -> None:
    prose = "However the clocks were striking thirteen, and Winston Smith slipped quickly through the doors. " * 20
    stream, held = TextStream(ENGINE, Recorder(), {}), []
    for at in range(0, len(prose), 4):
        stream.feed(prose[at : at + 4])
        held.append(stream.held)
    assert sorted(held)[len(held) * 95 // 100] <= 12
    assert max(held) < 20


def test_invisible_characters_wait_only_until_it_is_seen_how_many_there_are() -> None:
    stream = TextStream(ENGINE, Recorder(), {})
    assert stream.feed("\u200b\u200b").text == ""
    assert stream.feed(". \u200bab").text == "\u200b\u200b. \u200b"
    assert stream.held == 2


def test_an_empty_stream() -> None:
    stream = TextStream(ENGINE, Recorder(), {})
    assert (stream.feed(""), stream.finish()) == (Released(), Released())


def test_streams_of_one_engine_do_not_mix() -> None:
    rng = random.Random(7)
    texts = [text_of(rng, 12) for _ in range(8)]
    streams = [TextStream(ENGINE, Recorder(), {}) for _ in texts]
    queues, out = [chunks_of(rng, text) for text in texts], [""] * len(texts)
    while any(queues):
        which = rng.choice([i for i, queue in enumerate(queues) if queue])
        out[which] += streams[which].feed(queues[which].pop(0)).text
    for i, text in enumerate(texts):
        assert out[i] + streams[i].finish().text == whole(ENGINE, text, Recorder(), {})[0]


def test_a_failing_detector_stops_the_stream() -> None:
    engine = ScanEngine([EMAIL, detector("d", r"\d{3}", validator=lambda t: 1 / 0 > 1)])
    stream = TextStream(engine, Recorder(), {})
    stream.feed("a 1")
    for step in (lambda: stream.feed("23 "), lambda: stream.feed("more"), stream.finish):
        with pytest.raises(Unavailable):
            step()
    assert stream.held > 0


def test_a_failing_judge_stops_the_stream() -> None:
    def judge(span: Span, text: str) -> Judgement:
        raise KeyError(span.detector.name)

    stream = TextStream(ENGINE, judge, {})
    with pytest.raises(KeyError):
        stream.feed("a@b.co, ")
    for step in (lambda: stream.feed("more"), stream.finish):
        with pytest.raises(Unavailable):
            step()


def test_a_lone_surrogate_stops_the_stream() -> None:
    stream = TextStream(ENGINE, Recorder(), {})
    with pytest.raises(Unavailable):
        stream.feed("a\ud800")
