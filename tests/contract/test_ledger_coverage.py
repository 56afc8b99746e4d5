"""An e-mail address in every place of a request that can hold text, through a whole gateway.

It never reaches the provider's bytes, and the ledger in the `decided` record names the place. A pointer ends in `{key}`
where the address is an object's key; `#` goes into JSON inside a string. `-s` prints what became of the places.
"""

import copy
import json
from collections import Counter

import pytest

from helpers import responses_events as events_of
from helpers.asgi import Scripted, chat_answer, chat_chunks, harness, sse
from yett.audit.record import safe_pointer
from yett.errors import Unavailable
from yett.server.answers import held_key

SECRET = "ghp_" + "Zq9" * 12
TOOL = {"name": "mail", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": "{}"}}
SCHEMA_PLACES = (
    "description", "title", "default", "$comment", "properties/to/description", "properties/to/title",
    "properties/to/enum/0", "properties/to/const", "properties/to/default", "properties/to/examples/0",
    "properties/to/pattern", "properties/to/format", "properties/{key}", "required/0", "$defs/{key}",
    "properties/to/x-unknown",
)  # fmt: skip
EVERYWHERE = ("metadata/who", "metadata/{key}", "unknown", "unknown/deep/0/x", "unknown/{key}", "{key}", "service_tier")


def under(at, places):
    return [f"{at}/{place}" for place in places]


CHAT = {
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "a", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "t"},
        {"role": "user", "content": [{"type": "text", "text": "p"}, {"type": "text", "text": "q"}]},
    ],
    "tools": [{"type": "function", "function": TOOL}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
}
CHAT_PLACES = [
    *under("/messages", ("0/content", "1/content", "2/content", "3/content", "4/content")),
    *under("/messages", ("0/content/0/text", "3/content/0/text", "4/content/0/text", "5/content/0/text")),
    *under("/messages", ("5/content/1/text", "5/content/1/unknown", "2/name", "2/unknown", "2/{key}", "2/role")),
    *under("/messages/3", ("refusal", "reasoning_content", "annotations/0/url_citation/title", "audio/id")),
    *under("/messages/3/tool_calls/0", ("id", "unknown", "function/name", "function/arguments#/to")),
    *under("/messages/3/tool_calls/0/function/arguments#", ("{key}", "deep/0/x")),
    *under("/messages/3/function_call", ("name", "arguments#/to")),
    "/messages/4/tool_call_id",
    *under("/tools/0/function", ("name", "description", "unknown")),
    *under("/tools/0/function/parameters", SCHEMA_PLACES),
    *under("/response_format/json_schema", ("name", "description")),
    *under("/response_format/json_schema/schema", SCHEMA_PLACES),
    *under("/functions/0", ("name", "description", "parameters/properties/to/description")),
    *("/stop", "/stop/0", "/user", "/safety_identifier", "/prompt_cache_key", "/reasoning_effort", "/verbosity"),
    *("/prediction/content", "/prediction/content/0/text", "/logit_bias/{key}", "/tool_choice/function/name"),
    *("/function_call/name", "/modalities/0", "/audio/voice", "/web_search_options/user_location/approximate/city"),
    *under("/messages/5/content/2", ("image_url/url", "input_audio/data", "file/filename", "file/file_data")),
    *under("", EVERYWHERE),
]

RESPONSES = {
    "input": [
        {"type": "message", "role": "user", "content": "u"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "p"}]},
        {"type": "function_call", "call_id": "call_1", "name": "mail", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "o"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "r"}]},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "a", "annotations": []}]},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "free", "input": "i"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "o"},
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
    ],
    "tools": [{"type": "function", **TOOL, "strict": False}, {"type": "custom", "name": "free"}],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
    "prompt": {"id": "pmpt_1"},
}  # fmt: skip
RESPONSES_PLACES = [
    *("/instructions", "/input", "/user", "/safety_identifier", "/prompt_cache_key", "/truncation", "/include/0"),
    *under("/input", ("0/content", "1/content/0/text", "1/content/0/unknown", "0/unknown", "0/{key}", "0/role")),
    *under("/input", ("8/content", "9/content", "6/input", "6/name", "7/output", "5/content/0/text", "5/id")),
    *under("/input/5/content/0", ("annotations/0/title", "annotations/0/url", "logprobs/0/token", "unknown")),
    *under("/input/2", ("arguments#/to", "arguments#/{key}", "name", "call_id", "id", "unknown")),
    *under("/input/3", ("output", "output/0/text", "call_id", "unknown")),
    *under("/input/4", ("summary/0/text", "content/0/text", "id", "encrypted_content", "unknown")),
    *under("/prompt/variables", ("name", "name/text", "{key}")),
    *("/prompt/id", "/prompt/version", "/prompt/unknown", "/previous_response_id", "/conversation", "/conversation/id"),
    *under("/tools/0", ("name", "description", "unknown")),
    *under("/tools/0/parameters", SCHEMA_PLACES),
    *under("/tools/1", ("name", "description", "format/definition")),
    *under("/tools/2", ("server_label", "server_url", "server_description", "headers/auth", "allowed_tools/0")),
    *under("/text/format", ("name", "description")),
    *under("/text/format/schema", SCHEMA_PLACES),
    *("/tool_choice/name", "/reasoning/effort", "/text/verbosity", "/input/1/content/1/image_url"),
    *under("/input/1/content/1", ("file_url", "file_data", "filename", "file_id")),
    *under("", EVERYWHERE),
]

ENDPOINTS = {
    "chat": ("/v1/chat/completions", CHAT, CHAT_PLACES),
    "responses": ("/v1/responses", RESPONSES, RESPONSES_PLACES),
    "embeddings": (
        "/v1/embeddings", {"input": "x"},
        ["/input", "/input/0", "/input/1", "/user", "/encoding_format", "/dimensions", *under("", EVERYWHERE)],
    ),
    "completions": (
        "/v1/completions", {"prompt": "x"},
        ["/prompt", "/prompt/0", "/prompt/1", "/suffix", "/stop", "/stop/0", "/user", "/logit_bias/{key}",
         *under("", EVERYWHERE)],
    ),
    "moderations": (
        "/v1/moderations", {"input": "x"},
        ["/input", "/input/0", "/input/0/text", "/input/0/image_url/url", *under("", EVERYWHERE)],
    ),
}  # fmt: skip
STREAMED = {"chat", "responses", "completions"}
PROVIDER_NAMED = {"/user", "/safety_identifier"}  # identities: they leave as a keyed hash and are no text
# What makes a part valid when the base has none there: the pointer's parent and what stands in it.
SHAPES = {
    "/prediction": {"type": "content"},
    "/prediction/content/0": {"type": "text"},
    "/messages/0/content/0": {"type": "text"},
    "/messages/3/content/0": {"type": "text"},
    "/messages/4/content/0": {"type": "text"},
    "/messages/3/function_call": {"name": "mail", "arguments": "{}"},
    "/functions/0": {"name": "mail", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}},
    "/tool_choice": {"type": "function"},
    "/input/3/output/0": {"type": "input_text"},
    "/input/4/content/0": {"type": "reasoning_text"},
    "/input/0": {"type": "text"},
    "/prompt/variables/name": {"type": "input_text"},
    "/tools/1/format": {"type": "grammar", "syntax": "lark"},
    "/tools/2": {"type": "mcp", "server_label": "l", "server_url": "https://mcp.example"},
    "/input/5/content/0/annotations/0": {"type": "url_citation", "start_index": 0, "end_index": 1, "url": "u",
                                          "title": "t"},
    "/input/5/content/0/logprobs/0": {"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": []},
}  # fmt: skip
PARTS = {"image_url": "image_url", "input_audio": "input_audio", "file": "file", "filename": "input_file",
         "file_url": "input_file", "file_data": "input_file", "file_id": "input_file"}  # fmt: skip


def placed(base, where, canary):
    """A copy of `base` with `canary` at `where`; whatever is missing on the way is made."""
    body = copy.deepcopy(base)
    outer, _, inner = where.partition("#")
    if inner:
        value = json.dumps(placed({}, inner, canary))
        where = outer
    else:
        value = canary
    steps, node, at = where.split("/")[1:], body, ""
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        last, at = following is None, f"{at}/{step}"
        if step == "{key}":
            node[canary] = "x"
            return body
        fresh = value if last else [] if following.isdigit() else made(at, following)
        index = int(step) if isinstance(node, list) else step
        if isinstance(node, list):
            node.extend([{}] * (index + 1 - len(node)))
        wrong = last or index not in range(len(node)) if isinstance(node, list) else last or index not in node
        if wrong or not isinstance(node[index], type(fresh)) or node[index] == {}:
            node[index] = fresh
        node = node[index]
    return body


def made(at, following):
    """A new object at `at`, of the type its member asks for."""
    shape = copy.deepcopy(SHAPES.get(at, {}))
    if at.endswith(("content/1", "content/2")) and following in PARTS:
        kind = PARTS[following]
        shape["type"] = "input_image" if at.startswith("/input") and kind == "image_url" else kind
    return shape


async def allow_prompt(gate):
    """Let the caller own the stored prompt that the Responses body refers to."""
    principal = gate.gateway.core.keys.current.authenticate(f"Bearer {gate.key}".encode())
    for kept in ("pmpt_1", "msg_1", "rs_1"):
        await gate.gateway.core.state.put(held_key(principal, kept), b"1", 60.0)


def judged(gate, reply, where, canary, before):
    """What became of the canary at `where`: refused, blocked, identity, redacted; or what went wrong."""
    if canary.encode() in reply.body and reply.status != 200 and "{key}" not in where:
        return "WRONG: echoed in the refusal"
    if canary.encode() in gate.upstream.raw:
        return "WRONG: reached the provider"
    if 400 <= reply.status < 500:
        if len(gate.upstream.requests) != before:
            return "WRONG: refused and forwarded"
        if reply.code != "guardrail_blocked":
            return f"refused ({reply.status} {reply.code})"
    elif reply.status != 200:
        return f"WRONG: {reply.status} {reply.code}"
    if where in PROVIDER_NAMED:
        return "identity"
    decided = next(row for row in gate.records("decided") if row["flow"] == reply.headers["x-request-id"])
    pointer = safe_pointer(where.replace("{key}", canary))
    if [pointer, "all"] not in [[row[0], row[2]] for row in decided["ledger"]["new"]]:
        return f"WRONG: not in the ledger as {pointer}"
    return "blocked" if reply.status == 400 else "redacted"


@pytest.mark.parametrize(
    ("endpoint", "stream"),
    [(name, stream) for name in ENDPOINTS for stream in (False, True) if name in STREAMED or not stream],
    ids=lambda value: value if isinstance(value, str) else "stream" if value else "plain",
)
async def test_a_canary_in_any_place_of_a_request(tmp_path, endpoint, stream):
    path, base, places = ENDPOINTS[endpoint]
    if stream:
        base = base | {"stream": True}
    outcomes = {}
    async with harness(tmp_path, provider_of(endpoint, stream), settings={"references": "owned"}) as gate:
        await allow_prompt(gate)
        assert (await gate.call(path, base | {"model": "m"})).status == 200
        for number, where in enumerate(places):
            canary = f"canary{number}x@corp-example.org"
            before = len(gate.upstream.requests)
            reply = await gate.call(path, placed(base, where, canary) | {"model": "m"})
            outcomes[where] = judged(gate, reply, where, canary, before)
    counts = Counter(outcomes.values())
    print(f"\n{path}{' (stream)' if stream else ''}, {len(places)} places: {dict(counts.most_common())}")
    assert {where: outcome for where, outcome in outcomes.items() if outcome.startswith("WRONG")} == {}
    assert counts["redacted"] >= min(5, len(places))


def provider_of(endpoint, stream):
    """A provider that says something short in the dialect's form."""
    if endpoint == "responses":
        told = events_of.message_events([["fine"]])
        if stream:
            return lambda request: sse(*events_of.stream(told), done=False)
        return lambda request: Scripted([json.dumps(events_of.response([told[1]])).encode()])
    if endpoint == "embeddings":
        return lambda request: whole({"object": "list", "data": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    if endpoint == "moderations":
        return lambda request: whole({"id": "modr-1", "results": []})
    if endpoint == "completions":
        choice = {"index": 0, "text": "fine", "logprobs": None, "finish_reason": "stop"}
        body = {"id": "cmpl-1", "object": "text_completion", "created": 1, "choices": [choice]}
        return lambda request: sse(body) if stream else whole(body)
    return lambda request: sse(*chat_chunks("fine")) if stream else chat_answer()


def whole(body):
    return Scripted([json.dumps(body | {"model": "up"}).encode()])


async def test_a_refusal_does_not_repeat_the_key_it_is_about(tmp_path):
    async with harness(tmp_path) as gate:
        reply = await gate.chat("hi", metadata={SECRET: "x"})
        assert (reply.status, reply.code) == (400, "guardrail_blocked")
        assert SECRET.encode() not in reply.body


HIDDEN = {
    "a key after a letter": ("x", SECRET),
    "a card after a word": ("my card", "4111111111111111"),
    "a card after a digit": ("1", "4111111111111111"),
    "an IBAN after a word": ("iban", "DE89370400440532013000"),
}


@pytest.mark.parametrize("case", HIDDEN)
async def test_a_text_part_does_not_hide_the_next_one(tmp_path, case):
    async with harness(tmp_path) as gate:
        parts = [{"type": "text", "text": text} for text in HIDDEN[case]]
        await gate.chat(messages=[{"role": "user", "content": parts}])
        assert HIDDEN[case][1].encode() not in gate.upstream.raw


@pytest.mark.parametrize("cut", [1, 5, 12])
async def test_two_text_parts_do_not_hide_what_they_are_together(tmp_path, cut):
    async with harness(tmp_path) as gate:
        parts = [
            {"type": "text", "text": text} for text in ("card 4111111111111111"[: 5 + cut], "4111111111111111"[cut:])
        ]
        await gate.chat(messages=[{"role": "user", "content": parts}])
        assert "4111111111111111" not in "".join(
            part["text"] for body in gate.upstream.bodies for part in body["messages"][0]["content"]
        )


ESCAPED = {
    "a card after a line break": r"paid with\n4111111111111111",
    "an IBAN after a tab": r"to\tDE89370400440532013000",
    "an address with an escape": r"ada\u0040corp-example.org",
}


@pytest.mark.parametrize("case", ESCAPED)
async def test_json_in_a_tool_result_is_read_as_json(tmp_path, case):
    content = f'{{"text": "{ESCAPED[case]}"}}'
    value = json.loads(content)["text"].split()[-1]
    async with harness(tmp_path) as gate:
        result = {"role": "tool", "tool_call_id": "call_1", "content": content}
        await gate.chat(messages=[*CHAT["messages"][:4], result])
        assert value not in json.loads(gate.upstream.bodies[0]["messages"][-1]["content"])["text"]


async def test_json_in_a_tool_result_is_json_after_a_redaction(tmp_path):
    async with harness(tmp_path) as gate:
        content = json.dumps({"text": "from:\nada@corp-example.org"})
        result = {"role": "tool", "tool_call_id": "call_1", "content": content}
        await gate.chat(messages=[*CHAT["messages"][:4], result])
        sent = gate.upstream.bodies[0]["messages"][-1]["content"]
        assert "corp-example" not in sent
        assert json.loads(sent)["text"].startswith("from:\n")


async def test_a_text_whose_record_was_not_stored_is_new_when_it_is_sent_again(tmp_path, monkeypatch):
    """The ledger may call a text known only if a record that names it is in the log."""
    async with harness(tmp_path) as gate:

        def full(record):
            raise Unavailable("no space", code="audit_unavailable")

        with monkeypatch.context() as patch:
            patch.setattr(gate.gateway.core.audit, "append", full, raising=False)
            assert (await gate.chat("a text nobody sent before")).status == 503
        assert (await gate.chat("a text nobody sent before")).status == 200
        (decided,) = gate.records("decided")
        assert [row[0] for row in decided["ledger"]["new"]] == ["/messages/0/content"]
