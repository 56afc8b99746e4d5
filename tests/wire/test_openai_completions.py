"""The legacy completions dialect: prompts, answers, streams."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.chat_streams import DENIED, HEAD, MARK, OpenGuard, WordGuard, as_event, play, text_chunk, usage_chunk
from helpers.stream_guards import redacted
from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire import pointer
from yett.wire.exchange import Fact
from yett.wire.openai_completions import DIALECT
from yett.wire.sse import SseEvent

DONE = b"[DONE]"
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def request(prompt="p", **more):
    return {"model": "gpt-3.5-turbo-instruct", "prompt": prompt, **more}


PROMPTS = {
    "text": ("p", [("/prompt", "p")]),
    "list": (["a", "", "b"], [("/prompt/0", "a"), ("/prompt/2", "b")]),
    "absent": (None, []),
    "empty": ("", []),
}


@pytest.mark.parametrize(("prompt", "leaves"), PROMPTS.values(), ids=PROMPTS)
def test_prompts_are_the_newest_turn(prompt, leaves):
    exchange = DIALECT.read_request(request(prompt))
    assert exchange.leaves == [Leaf(at, text, Role.USER, newest=True) for at, text in leaves]
    assert (exchange.dialect, exchange.model, exchange.stream) == (
        "openai_completions",
        "gpt-3.5-turbo-instruct",
        False,
    )


@pytest.mark.parametrize("prompt", [[1, 2], [[1], [2]], ["a", [1, 2]]])
def test_token_ids_are_a_fact(prompt):
    exchange = DIALECT.read_request(request(prompt))
    assert exchange.facts == [Fact("tokens", "/prompt", "prompt")]
    assert exchange.leaves == []


def test_other_members():
    exchange = DIALECT.read_request(
        request(
            suffix="s",
            user="jane",
            stop=["END"],
            echo=True,
            logprobs=3,
            temperature=0.30000000000000004,
            odd={"k": "v"},
            store=True,
        )
    )
    assert [(x.pointer, x.text, x.part, x.editable) for x in exchange.leaves] == [
        ("/prompt", "p", "value", True),
        ("/suffix", "s", "value", True),
        ("/stop/0", "END", "value", True),
        ("/odd", "odd", "key", False),
        ("/odd/k", "k", "key", False),
        ("/odd/k", "v", "value", True),
    ]
    assert exchange.facts == [Fact("identity", "/user", "user", "jane"), Fact("store", "/store", "store")]


BAD = {
    "not an object": ("x", ""),
    "no model": ({"prompt": "p"}, "/model"),
    "prompt is a number": (request(5), "/prompt"),
    "prompt is true": (request(True), "/prompt"),
    "prompt is an object": (request({}), "/prompt"),
    "prompt of numbers with a fraction": (request([1.5]), "/prompt/0"),
    "prompt of objects": (request([{"text": "x"}]), "/prompt/0"),
    "mixed": (request(["a", 5]), "/prompt/1"),
    "user is a list": (request(user=["x"]), "/user"),
    "stream is text": (request(stream="x"), "/stream"),
}


@pytest.mark.parametrize(("body", "at"), BAD.values(), ids=BAD)
def test_a_wrong_shape_names_its_place(body, at):
    with pytest.raises(RequestError) as error:
        DIALECT.read_request(body)
    assert error.value.pointer == at


def test_prepare():
    body = request(stream=True)
    DIALECT.prepare(body, "real")
    assert body == request(stream=True) | {"model": "real", "stream_options": {"include_usage": True}}


def logprobs(*tokens):
    return {
        "tokens": list(tokens),
        "token_logprobs": [-0.5] * len(tokens),
        "top_logprobs": [{token: -0.5} for token in tokens],
        "text_offset": list(range(len(tokens))),
    }


def completion(text="hi", n=1, more=None):
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1700000000,
        "model": "real",
        "choices": [{"index": i, "text": text, "logprobs": more, "finish_reason": "stop"} for i in range(n)],
        "usage": USAGE,
    }


def test_read_answer():
    body = completion("hi", 2, logprobs("hi"))
    body["choices"][1]["note"] = "n"
    answer = DIALECT.read_answer(body)
    assert [(x.pointer, x.text, x.part) for x in answer.leaves] == [
        ("/choices/0/text", "hi", "value"),
        ("/choices/1/text", "hi", "value"),
        ("/choices/1/note", "note", "key"),
        ("/choices/1/note", "n", "value"),
        ("/id", "cmpl-1", "value"),
    ]
    assert (answer.usage, answer.finish) == (USAGE, "stop")


@pytest.mark.parametrize(
    "body", [{}, {"choices": {}}, {"choices": ["x"]}, {"choices": [{"index": 0}]}, {"choices": [{"text": 5}]}]
)
def test_garbage_is_the_provider_s_error(body):
    with pytest.raises(UpstreamError):
        DIALECT.read_answer(body)


def test_logprobs_follow_their_text():
    body = completion("hi you", 2, logprobs("hi", " you"))
    whole = copy.deepcopy(body)
    DIALECT.finish_answer(body, {"model": "mine"}, [])
    assert body == whole | {"model": "mine"}
    edited = pointer.apply(body, {"/choices/0/text": [Edit("/choices/0/text", (0, 2), "<E>")]})
    DIALECT.finish_answer(body, {"model": "mine"}, edited)
    assert [choice["logprobs"] for choice in body["choices"]] == [None, logprobs("hi", " you")]


@pytest.mark.parametrize(
    "bad",
    [
        "hi",
        {"tokens": "hi"},
        {"tokens": ["hi"], "note": "jane"},
        logprobs("jane"),
        logprobs("hi") | {"text_offset": ["jane"]},
        logprobs("hi") | {"top_logprobs": [{"jane" * 50: 0}]},
        logprobs("hi") | {"token_logprobs": ["jane"]},
        logprobs("hi") | {"tokens": ["hi", "jane"]},
        logprobs("hi") | {"top_logprobs": ["jane"]},
    ],
)
def test_logprobs_that_say_something_else_go(bad):
    body = completion("hi", 1, bad)
    DIALECT.finish_answer(body, {}, [])
    assert body["choices"][0]["logprobs"] is None


def test_a_blocked_answer_holds_nothing_of_the_provider_s():
    blocked = DIALECT.block_answer(completion("SECRET", 2, logprobs("SECRET")) | {"id": "SECRET", "x": "SECRET"}, "no")
    assert "SECRET" not in str(blocked)
    assert [c["finish_reason"] for c in blocked["choices"]] == ["content_filter"] * 2
    assert (blocked["object"], blocked["usage"]) == ("text_completion", USAGE)
    openai = pytest.importorskip("openai")
    assert openai.types.Completion.model_validate(blocked).choices[0].text == ""


# --- streams ---


def codec(guard=None, **more):
    return DIALECT.open_stream(request(stream=True, **more), "mine", guard or OpenGuard())


def test_a_plain_stream():
    stream = codec()
    client = play(
        stream,
        [text_chunk("Hel"), text_chunk("lo"), text_chunk("", finish="stop"), usage_chunk("text_completion"), DONE],
    )
    assert client.view() == ({(0, "text"): "Hello"}, {}, {0: "stop"}, True)
    assert all(c == c | HEAD | {"model": "mine", "object": "text_completion"} for c in client.chunks)
    assert (stream.usage["total_tokens"], stream.finish, len(client.chunks)) == (7, "stop", 3)


def test_usage_passes_if_asked():
    client = play(
        codec(stream_options={"include_usage": True}),
        [text_chunk("a", usage=None), usage_chunk("text_completion"), DONE],
    )
    assert client.chunks[-1]["usage"]["total_tokens"] == 7


def test_held_text_leaves_at_the_end():
    stream = codec(WordGuard())
    assert stream.feed(as_event(text_chunk("<x1"))) == b""
    assert b"<x1" in stream.feed(SseEvent(DONE))


def test_logprobs_leave_with_their_text():
    events = [
        text_chunk("a<x", choice={"logprobs": logprobs("a", "<x")}),
        text_chunk("12>b", choice={"logprobs": logprobs("12>", "b")}),
        DONE,
    ]
    client = play(codec(WordGuard()), events)
    assert client.texts == {(0, "text"): f"a{MARK}b"}
    assert client.tokens[0, "tokens"] == ["a", "b"]


def test_a_denied_text_ends_the_stream():
    stream = codec(WordGuard())
    client = play(stream, [text_chunk("ok", 1), text_chunk("a !de"), text_chunk("ny! SECRET"), DONE])
    assert client.texts == {(0, "text"): "a ", (1, "text"): "ok"}
    assert (client.finish, client.done, stream.blocked) == ({0: "content_filter", 1: "content_filter"}, True, DENIED)


@pytest.mark.parametrize("word", ["note", "finish"])
def test_a_denied_word_beside_the_text_blocks(word):
    event = text_chunk("a", choice={"note": "!deny!"}) if word == "note" else text_chunk("a", finish="!deny!")
    stream = codec(WordGuard())
    assert "!deny!" not in str(play(stream, [event, DONE]).chunks)
    assert stream.blocked == DENIED


@pytest.mark.parametrize(
    "events", [[text_chunk(5)], [text_chunk(["x"])], [text_chunk("", finish="stop"), text_chunk("x")]]
)
def test_malformed_chunks_are_the_provider_s_error(events):
    with pytest.raises(UpstreamError):
        play(codec(), events)


@given(
    st.lists(
        st.lists(st.sampled_from(["<x", "12", ">", "<x12>", "a", "!", "é"]), max_size=8).map("".join),
        min_size=1,
        max_size=3,
    ),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=100, derandomize=True)
def test_the_client_s_view_does_not_depend_on_the_chunking(texts, rng):
    lanes = [[text_chunk(c, i) for c in text] + [text_chunk("", i, "stop")] for i, text in enumerate(texts)]
    events = []
    while any(lanes):
        events.append(rng.choice([lane for lane in lanes if lane]).pop(0))
    client = play(codec(WordGuard()), [*events, DONE])
    assert {key: text for key, text in client.texts.items() if text} == {
        (i, "text"): redacted(t) for i, t in enumerate(texts) if t
    }
    assert client.finish == dict.fromkeys(range(len(texts)), "stop")
