"""The chat dialect as the server uses it."""

import copy

from helpers.chat_streams import OpenGuard
from yett.wire import strictjson
from yett.wire.openai_chat import DIALECT


def user(content):
    return {"role": "user", "content": content}


def request(*messages, **more):
    return {"model": "gpt-4o-mini", "messages": list(messages), **more}


def test_prepare_names_the_model_and_asks_for_usage():
    body = request(user("x"), stream=True, store=True)
    DIALECT.prepare(body, "real-model")
    assert strictjson.loads(strictjson.dumps(body)) == {
        "model": "real-model",
        "messages": [user("x")],
        "stream": True,
        "store": False,
        "stream_options": {"include_usage": True},
    }


def test_prepare_leaves_the_rest_alone():
    body = request(user("x"), stream_options={"include_obfuscation": False})
    DIALECT.prepare(body, "m")
    assert body == request(user("x"), stream_options={"include_obfuscation": False}) | {"model": "m"}
    body = request(stream=True, stream_options={"include_usage": False, "include_obfuscation": False})
    original = copy.deepcopy(body)
    asked = dict(body)
    DIALECT.prepare(body, "m")
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert asked == original


def test_a_whole_exchange():
    body = request(user("mail jane"), stream=False)
    exchange = DIALECT.read_request(body)
    assert [(leaf.pointer, leaf.text) for leaf in exchange.leaves] == [("/messages/0/content", "mail jane")]
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "done"}, "finish_reason": "stop"}]}
    assert [leaf.text for leaf in DIALECT.read_answer(answer).leaves] == ["done"]
    DIALECT.finish_answer(answer, body, ())
    assert answer["model"] == "gpt-4o-mini"
    assert DIALECT.block_answer(answer, "no")["choices"][0]["message"]["refusal"] == "no"


def test_two_streams_share_nothing():
    one, two = (DIALECT.open_stream(request(), name, OpenGuard()) for name in ("a", "b"))
    one.fail({"error": {"message": "x"}})
    assert (DIALECT.name, two.done, two.blocked) == ("openai_chat", False, None)
    assert two.fail({"error": {"message": "x"}})
