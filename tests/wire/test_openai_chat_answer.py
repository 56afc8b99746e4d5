"""What a chat answer carries, and what becomes of it when it is edited or blocked."""

import copy

import pytest

from helpers.leaves import shown
from yett.errors import UpstreamError
from yett.flow import ToolCall
from yett.verdict import Edit
from yett.wire import pointer
from yett.wire.openai_chat import DIALECT

PNG = "iVBORw0KGgo="


def completion(content="hi", n=1, logprobs=None, **message):
    one = {"role": "assistant", "content": content, "refusal": None} | message
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "real-2024",
        "service_tier": "default",
        "choices": [
            {"index": i, "message": dict(one), "logprobs": logprobs, "finish_reason": "stop"} for i in range(n)
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


def logprobs_for(*tokens):
    entries = [{"token": t, "logprob": -0.12345678901, "bytes": list(t.encode()), "top_logprobs": []} for t in tokens]
    return {"content": entries, "refusal": None}


def test_read_answer():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"to":"j"}'}}
    note = {"type": "url_citation", "url_citation": {"url": "http://u", "title": "t", "start_index": 0, "end_index": 2}}
    body = completion(
        "hi",
        logprobs=logprobs_for("hi"),
        tool_calls=[call],
        annotations=[note],
        reasoning_content="why",
        audio={"id": "audio_1", "data": PNG, "transcript": "hello", "expires_at": 1700000000},
    ) | {"x_extra": {"k": "v"}}
    answer = DIALECT.read_answer(body)
    at = "/choices/0/message"
    assert shown(answer.leaves) == [
        f"{at}/content 'hi' assistant",
        f"{at}/tool_calls/0/id 'c1' assistant fixed",
        f"{at}/tool_calls/0/function/name 'f' assistant fixed",
        f"{at}/tool_calls/0/function/arguments#/to 'to' tool_arguments key json fixed",
        f"{at}/tool_calls/0/function/arguments#/to 'j' tool_arguments json",
        f"{at}/annotations/0/url_citation/url 'http://u' assistant",
        f"{at}/annotations/0/url_citation/title 't' assistant",
        f"{at}/reasoning_content 'why' assistant",
        f"{at}/audio/transcript 'hello' assistant",
        f"{at}/audio/id 'audio_1' assistant fixed",
        "/id 'chatcmpl-1' other fixed",
        "/x_extra 'x_extra' other key fixed",
        "/x_extra/k 'k' other key fixed",
        "/x_extra/k 'v' other",
    ]
    assert answer.tool_calls == [ToolCall(f"{at}/tool_calls/0", "f", '{"to":"j"}', "c1")]
    assert (answer.finish, answer.usage, answer.held_ids) == ("stop", body["usage"], ["audio_1"])
    assert answer.opaque == [f"{at}/audio/data"]


GARBAGE = {
    "no choices": {"id": "x"},
    "choices is text": {"choices": "x"},
    "choice is text": {"choices": ["x"]},
    "no message": {"choices": [{"index": 0}]},
    "message is text": {"choices": [{"message": "x"}]},
    "content is a number": {"choices": [{"message": {"content": 5}}]},
    "unknown role": {"choices": [{"message": {"role": "jane", "content": "x"}}]},
    "ambiguous arguments": {"choices": [{"message": {"tool_calls": [{"function": {"arguments": '{"a":1,"a":2}'}}]}}]},
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_an_answer_that_cannot_be_read_is_the_provider_s_error(body):
    with pytest.raises(UpstreamError) as error:
        DIALECT.read_answer(body)
    assert (error.value.code, error.value.status) == ("upstream_protocol", 502)


def finished(body, edits=None):
    DIALECT.read_answer(body)
    edited = pointer.apply(body, {at: [Edit(at, None, new)] for at, new in (edits or {}).items()})
    DIALECT.finish_answer(body, {"model": "mine"}, edited)
    return body


def test_an_untouched_answer_keeps_all_but_the_model():
    body = completion("hi there", logprobs=logprobs_for("hi", " there"))
    assert finished(copy.deepcopy(body)) == body | {"model": "mine"}


def test_logprobs_follow_their_text():
    edited = finished(completion("hi", n=2, logprobs=logprobs_for("hi")), {"/choices/1/message/content": "<E>"})
    assert edited["choices"][0]["logprobs"]["content"][0]["token"] == "hi"
    assert edited["choices"][1]["logprobs"] is None


@pytest.mark.parametrize(
    "logprobs",
    [
        logprobs_for("other text"),
        {"content": "hi"},
        "jane",
        ["jane"],
        {"tokens": ["jane"]},
        {"content": [{"token": "hi", "note": "jane"}]},
    ],
    ids=["other text", "text", "string", "list", "unknown form", "unknown member"],
)
def test_logprobs_that_say_something_else_go(logprobs):
    assert finished(completion("hi", logprobs=logprobs))["choices"][0]["logprobs"] is None


def test_what_points_into_edited_text_goes():
    note = [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2}}]
    body = completion("hi", annotations=note, audio={"id": "a", "data": PNG, "transcript": "hi"})
    kept = finished(copy.deepcopy(body))["choices"][0]["message"]
    assert (kept["annotations"], kept["audio"]["data"]) == (note, PNG)
    gone = finished(body, {"/choices/0/message/content": "x", "/choices/0/message/audio/transcript": "y"})
    assert gone["choices"][0]["message"]["annotations"] == []
    assert gone["choices"][0]["message"]["audio"]["data"] == ""


def test_a_blocked_answer_holds_nothing_of_the_provider_s():
    call = {"id": "SECRET", "type": "function", "function": {"name": "SECRET", "arguments": "SECRET"}}
    body = completion("SECRET", n=2, logprobs=logprobs_for("SECRET"), tool_calls=[call], extra="SECRET")
    body |= {"id": "SECRET", "system_fingerprint": "SECRET", "x": "SECRET"}
    body["usage"] |= {"note": "SECRET", "SECRET": 1, "details": {"a": 2, "b": "SECRET"}, "card": 4111111111111111}
    blocked = DIALECT.block_answer(body, "no")
    assert "SECRET" not in str(blocked)
    assert blocked["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "details": {"a": 2}}
    assert (blocked["object"], blocked["created"], blocked["model"]) == ("chat.completion", 1700000000, "real-2024")
    assert blocked["choices"] == [
        {
            "index": i,
            "message": {"role": "assistant", "content": None, "refusal": "no"},
            "logprobs": None,
            "finish_reason": "content_filter",
        }
        for i in range(2)
    ]
    assert len(DIALECT.block_answer({"choices": []}, "no")["choices"]) == 1


def test_the_openai_client_reads_a_blocked_answer():
    openai = pytest.importorskip("openai")
    blocked = openai.types.chat.ChatCompletion.model_validate(DIALECT.block_answer(completion(), "no"))
    assert (blocked.choices[0].message.refusal, blocked.choices[0].finish_reason) == ("no", "content_filter")
