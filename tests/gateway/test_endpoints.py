"""The whole gate, socket-free: what reaches the provider, what comes back, what is on record."""

import asyncio
import gc
import json

import pytest

from helpers.asgi import Scripted, chat_answer, chat_chunks, harness, sse
from yett.errors import UpstreamError

EMAIL = "ada.lovelace@example.org"
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"[:36]


def echo(request):
    """A model that repeats what it was sent."""
    return chat_answer("You said: " + json.loads(request.body)["messages"][-1]["content"])


async def test_personal_data_never_reaches_the_provider_and_comes_back_as_itself(tmp_path):
    async with harness(tmp_path, echo) as gate:
        reply = await gate.chat(f"write to {EMAIL} please")
        assert reply.status == 200
        assert EMAIL.encode() not in gate.upstream.raw
        assert "<EMAIL_" in gate.upstream.bodies[0]["messages"][0]["content"]
        assert reply.json()["choices"][0]["message"]["content"] == f"You said: write to {EMAIL} please"
        assert reply.headers["x-yett-decision"] == "redact"


async def test_the_audit_says_who_decided_what_and_never_the_text(tmp_path):
    async with harness(tmp_path, echo) as gate:
        await gate.chat(f"write to {EMAIL}")
        decided, completed = gate.records("decided")[0], gate.records("completed")[0]
        assert decided["flow"] == completed["flow"]
        assert decided["action"] == "REDACT"
        assert decided["findings"][0]["code"] == "pii.email"
        assert completed["outcome"] == "ok"
        assert EMAIL not in json.dumps(gate.records())


async def test_every_leaf_is_in_the_ledger(tmp_path):
    async with harness(tmp_path) as gate:
        await gate.chat(
            "one",
            metadata={"k1": "two"},
            tools=[{"type": "function", "function": {"name": "f", "description": "three"}}],
        )
        ledger = gate.records("decided")[0]["ledger"]
        pointers = {row[0] for row in ledger["new"]}
        assert {"/messages/0/content", "/metadata/k1", "/tools/0/function/description"} <= pointers


async def test_resent_history_is_known_and_redacted_the_same_way(tmp_path):
    async with harness(tmp_path, echo) as gate:
        first = [{"role": "user", "content": f"I am {EMAIL}"}]
        await gate.chat(messages=first)
        answer = {"role": "assistant", "content": f"You said: I am {EMAIL}"}
        await gate.chat(messages=[*first, answer, {"role": "user", "content": "and now?"}])
        before, after = gate.upstream.bodies
        assert after["messages"][0] == before["messages"][0]
        assert EMAIL.encode() not in gate.upstream.raw
        assert gate.records("decided")[1]["ledger"]["known"] >= 1


async def test_a_secret_in_the_newest_message_is_denied_and_forwards_nothing(tmp_path):
    async with harness(tmp_path) as gate:
        reply = await gate.chat(f"my token is {SECRET}")
        assert (reply.status, reply.code) == (400, "guardrail_blocked")
        assert reply.headers["x-should-retry"] == "false"
        assert reply.json()["error"]["param"] == "/messages/0/content"
        assert SECRET.encode() not in reply.body
        assert gate.upstream.requests == []
        assert [r["outcome"] for r in gate.records("completed")] == ["denied"]


async def test_a_secret_in_history_is_redacted_so_that_the_conversation_goes_on(tmp_path):
    async with harness(tmp_path) as gate:
        history = [
            {"role": "user", "content": f"my token is {SECRET}"},
            {"role": "assistant", "content": "noted"},
            {"role": "user", "content": "thanks"},
        ]
        reply = await gate.chat(messages=history)
        assert reply.status == 200
        assert SECRET.encode() not in gate.upstream.raw


async def test_tool_arguments_and_results_are_scanned_and_restored(tmp_path):
    def call_tool(request):
        text = json.loads(request.body)["messages"][0]["content"]
        tag = text.split()[-1]
        call = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": json.dumps({"to": tag})}}
        return chat_answer(None, tool_calls=[call])

    async with harness(tmp_path, call_tool) as gate:
        reply = await gate.chat(f"write to {EMAIL}")
        message = reply.json()["choices"][0]["message"]
        assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"to": EMAIL}
        history = [
            {"role": "user", "content": f"write to {EMAIL}"},
            message,
            {"role": "tool", "tool_call_id": "call_1", "content": f"sent to {EMAIL}"},
        ]
        assert (await gate.chat(messages=history)).status == 200
        assert EMAIL.encode() not in gate.upstream.raw


async def test_a_value_split_over_two_parts_is_found(tmp_path):
    async with harness(tmp_path) as gate:
        parts = [{"type": "text", "text": "mail ada.love"}, {"type": "text", "text": "lace@example.org now"}]
        reply = await gate.chat(messages=[{"role": "user", "content": parts}])
        assert reply.status == 200
        assert b"lace@example.org" not in gate.upstream.raw
        assert b"ada.love" not in gate.upstream.raw


async def test_tag_shaped_text_of_the_caller_cannot_restore_anything(tmp_path):
    async with harness(tmp_path, echo) as gate:
        text = "what is <EMAIL_aaaaaaaa>?"
        reply = await gate.chat(text)
        assert "<EMAIL_aaaaaaaa>" not in gate.upstream.bodies[0]["messages"][0]["content"]
        assert reply.json()["choices"][0]["message"]["content"] == f"You said: {text}"


async def test_end_user_ids_go_upstream_as_hashes(tmp_path):
    async with harness(tmp_path) as gate:
        await gate.chat("hi", user="user-4711", safety_identifier="person-1")
        body = gate.upstream.bodies[0]
        assert body["user"] != "user-4711"
        assert body["safety_identifier"] != "person-1"
        assert len(body["user"]) == 32


async def test_the_provider_gets_its_own_name_key_and_nothing_of_the_client(tmp_path):
    async with harness(tmp_path) as gate:
        reply = await gate.chat("hi", headers={"cookie": "a=b", "x-yett-trick": "1", "x-forwarded-for": "1.2.3.4"})
        request = gate.upstream.requests[0]
        sent = dict(request.headers)
        assert request.path == "/v1/chat/completions"
        assert gate.upstream.bodies[0]["model"] == "upstream-model"
        assert sent[b"authorization"] == b"Bearer provider-secret"
        assert not {b"cookie", b"x-yett-trick", b"x-forwarded-for"} & set(sent)
        assert gate.key.encode() not in b"".join(sent.values())
        assert reply.json()["model"] == "m"


async def test_trace_context_is_taken_up_and_passed_on(tmp_path):
    async with harness(tmp_path) as gate:
        trace = "0af7651916cd43dd8448eb211c80319c"
        reply = await gate.chat("hi", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert reply.headers["traceparent"].split("-")[1] == trace
        assert dict(gate.upstream.requests[0].headers)[b"traceparent"].decode().split("-")[1] == trace
        assert gate.records("decided")[0]["trace"] == trace
        assert reply.headers["x-request-id"] == gate.records("decided")[0]["flow"]


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        pytest.param("Bearer nonsense", 401, "invalid_api_key", id="malformed"),
        pytest.param("Bearer yett_aaaaaaaa_" + "x" * 43, 401, "invalid_api_key", id="unknown"),
        pytest.param("Basic abc", 401, "invalid_api_key", id="another scheme"),
        pytest.param("", 401, "invalid_api_key", id="none"),
    ],
)
async def test_a_stranger_is_refused_before_anything_is_read(tmp_path, authorization, status, code):
    async with harness(tmp_path) as gate:
        reply = await gate.chat("hi", headers={"authorization": authorization})
        assert (reply.status, reply.code) == (status, code)
        assert gate.upstream.requests == []
        assert gate.records("decided") == []


async def test_refusals_before_authentication_are_counted_not_listed(tmp_path):
    async with harness(tmp_path) as gate:
        for _ in range(5):
            await gate.chat("hi", key="nobody")
        gate.gateway.core.refusals.flush()
        (event,) = [r for r in gate.records("event") if r["name"] == "refused_before_authentication"]
        assert "5" in json.dumps(event)


async def test_an_unknown_model_is_404_with_the_nearest_name(tmp_path):
    async with harness(tmp_path) as gate:
        reply = await gate.call(
            "/v1/chat/completions", {"model": "othr", "messages": [{"role": "user", "content": "x"}]}
        )
        assert (reply.status, reply.code) == (404, "model_not_found")
        assert "other" in reply.json()["error"]["message"]
        assert gate.upstream.requests == []


def only_model_m(folder):
    (folder / "rbac_policy.csv").write_text("p, developer, *, model:m, use, allow\n")


async def test_a_forbidden_model_is_refused_and_not_listed(tmp_path):
    async with harness(tmp_path, policies=only_model_m) as gate:
        body = {"model": "other", "messages": [{"role": "user", "content": "x"}]}
        reply = await gate.call("/v1/chat/completions", body)
        assert (reply.status, reply.code) == (403, "model_forbidden")
        assert gate.upstream.requests == []
        listed = await gate.call("/v1/models", method="GET")
        assert [model["id"] for model in listed.json()["data"]] == ["m"]
        assert (await gate.call("/v1/models/other", method="GET")).status == 404
        assert (await gate.call("/v1/models/m", method="GET")).json()["id"] == "m"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param(b'{"model":"m","model":"other","messages":[]}', {}, 400, "duplicate_key", id="duplicate key"),
        pytest.param(b'{"model":"m","messages":[],"temperature":NaN}', {}, 400, None, id="NaN"),
        pytest.param(b"[]", {}, 400, "invalid_request", id="not an object"),
        pytest.param(b"{", {}, 400, "invalid_json", id="not JSON"),
        pytest.param(b"\xff", {}, 400, None, id="not UTF-8"),
        pytest.param(b'{"model":"m","messages":"x"}', {}, 400, "invalid_request", id="messages not a list"),
        pytest.param(b'{"messages":[]}', {}, 400, "invalid_request", id="no model"),
        pytest.param(b"[" * 100 + b"]" * 100, {}, 400, "too_deep", id="too deep"),
        pytest.param(b"{}", {"content-type": "text/plain"}, 415, "content_type_unsupported", id="not JSON by its type"),
        pytest.param(b"{}", {"content-encoding": "gzip"}, 415, "content_encoding_unsupported", id="compressed"),
        pytest.param(b"x" * 9_000_000, {}, 413, "body_too_large", id="too large"),
    ],
)
async def test_bad_bodies_get_a_4xx_in_the_envelope(tmp_path, body, headers, status, code):
    async with harness(tmp_path) as gate:
        reply = await gate.call("/v1/chat/completions", body, headers=headers)
        assert reply.status == status
        assert reply.json()["error"]["trace_id"]
        if code is not None:
            assert reply.code == code
        assert gate.upstream.requests == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param(
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}],
                    }
                ]
            },
            "media_denied",
            id="image",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]},
            None,
            id="file",
        ),
        pytest.param({"web_search_options": {}}, "hosted_tool_denied", id="provider-run tool"),
    ],
)
async def test_what_the_gate_does_not_see_it_does_not_pass(tmp_path, more, code):
    async with harness(tmp_path) as gate:
        reply = await gate.chat("hi", **more)
        assert reply.status == 403
        if code:
            assert reply.code == code
        assert gate.upstream.requests == []


async def test_other_paths_are_denied_by_the_setting_that_is_named(tmp_path):
    async with harness(tmp_path) as gate:
        reply = await gate.call("/v1/files", {"a": "b"})
        assert (reply.status, reply.code) == (403, "passthrough_denied")
        assert "passthrough" in reply.json()["error"]["message"]
        assert (await gate.call("/nowhere", {})).status == 404


async def test_an_answer_blocked_by_policy_has_openais_own_form(tmp_path):
    def strict(folder):
        (folder / "block.yaml").write_text(
            "version: 1\nrules:\n  - {id: no-secrets-out, when: {finding: 'secret.*', direction: response}, do: deny}\n"
        )

    async with harness(tmp_path, lambda request: chat_answer(f"take {SECRET}"), policies=strict) as gate:
        reply = await gate.chat("hi")
        choice = reply.json()["choices"][0]
        assert reply.status == 200
        assert choice["finish_reason"] == "content_filter"
        assert choice["message"]["content"] is None
        assert "no-secrets-out" in choice["message"]["refusal"]
        assert reply.json()["usage"]["total_tokens"] == 2
        assert SECRET.encode() not in reply.body
        assert gate.records("completed")[0]["outcome"] == "blocked"


@pytest.mark.parametrize(
    ("scripted", "status", "code"),
    [
        pytest.param(Scripted([b'{"error":{"message":"no key"}}'], 401), 502, "provider_auth", id="401"),
        pytest.param(
            Scripted([b'{"error":{"message":"slow down","code":"rate_limit"}}'], 429), 429, "rate_limit", id="429"
        ),
        pytest.param(Scripted([b'{"error":{"message":"bad"}}'], 400), 400, "provider_error", id="400"),
        pytest.param(Scripted([b"oops"], 500), 502, "upstream_error", id="500"),
        pytest.param(Scripted([b"not json"]), 502, "upstream_protocol", id="garbage"),
        pytest.param(Scripted([b'{"a":1,"a":2}']), 502, "upstream_protocol", id="ambiguous JSON"),
        pytest.param(UpstreamError("gone", code="upstream_reset"), 502, "upstream_reset", id="reset"),
    ],
)
async def test_provider_failures(tmp_path, scripted, status, code):
    async with harness(tmp_path, lambda request: scripted) as gate:
        reply = await gate.chat("hi")
        assert (reply.status, reply.code) == (status, code)
        assert len(gate.records("completed")) == 1


async def test_the_providers_error_message_is_checked_too(tmp_path):
    def reflect(request):
        return Scripted([json.dumps({"error": {"message": f"bad: {SECRET}"}}).encode()], 400)

    async with harness(tmp_path, reflect) as gate:
        reply = await gate.chat("hi")
        assert reply.status == 400
        assert SECRET.encode() not in reply.body


async def test_a_stream_restores_across_chunks_and_ends_after_its_record(tmp_path):
    def stream(request):
        text = "You said: " + json.loads(request.body)["messages"][-1]["content"]
        return sse(*chat_chunks(*text), size=7)

    async with harness(tmp_path, stream) as gate:
        seen = []
        reply = await gate.chat(
            f"mail {EMAIL} now", stream=True, on_send=lambda r: seen.append((len(gate.records("completed")), r.ended))
        )
        assert EMAIL.encode() not in gate.upstream.raw
        assert reply.text() == f"You said: mail {EMAIL} now"
        assert reply.events[-1] == "[DONE]"
        assert [done for done, ended in seen if ended] == [1]
        assert gate.upstream.bodies[0]["stream_options"]["include_usage"] is True


async def test_a_secret_in_a_stream_is_redacted_however_it_is_cut(tmp_path):
    async with harness(tmp_path, lambda request: sse(*chat_chunks(*f"take {SECRET} and go"), size=3)) as gate:
        reply = await gate.chat("hi", stream=True)
        assert SECRET[:12].encode() not in reply.body
        assert reply.text() == "take <SECRET> and go"


async def test_a_broken_stream_never_ends_clean(tmp_path):
    def broken(request):
        scripted = sse(*chat_chunks("hel", "lo", finish=None), done=False)
        scripted.chunks.append(UpstreamError("gone", code="upstream_reset"))
        return scripted

    async with harness(tmp_path, broken) as gate:
        reply = await gate.chat("hi", stream=True)
        assert "[DONE]" not in reply.events
        assert reply.events[-1]["error"]["code"] == "upstream_reset"
        assert gate.records("completed")[0]["outcome"] == "error"


async def test_a_truncated_stream_is_an_error_too(tmp_path):
    async with harness(tmp_path, lambda request: sse(*chat_chunks("hello"), done=False)) as gate:
        reply = await gate.chat("hi", stream=True)
        assert "[DONE]" not in reply.events
        assert reply.events[-1]["error"]["code"] == "upstream_truncated"


async def test_a_client_that_leaves_closes_the_provider_call_and_the_flow_once(tmp_path):
    never, gone = asyncio.Event(), asyncio.Event()
    scripted = sse(*chat_chunks("hello", finish=None), done=False)
    scripted.chunks.append(never)
    async with harness(tmp_path, lambda request: scripted) as gate:
        await asyncio.wait_for(gate.chat("hi", stream=True, disconnect=gone, on_send=lambda r: gone.set()), 5)
        assert scripted.closed
        assert [r["outcome"] for r in gate.records("completed")] == ["client_gone"]
        assert len(gate.gateway.core.live) == 0


async def test_a_revoked_key_ends_its_live_stream(tmp_path):
    from yett.auth import revoke_key

    never = asyncio.Event()
    scripted = sse(*chat_chunks("hello", finish=None), done=False)
    scripted.chunks.append(never)
    async with harness(tmp_path, lambda request: scripted) as gate:

        def revoke(reply):
            if reply.body:
                revoke_key(gate.root / "config/keys.yaml", gate.key.split("_")[1])
                gate.gateway.reload()

        reply = await asyncio.wait_for(gate.chat("hi", stream=True, on_send=revoke), 5)
        assert reply.events[-1]["error"]["code"] == "key_revoked"
        assert scripted.closed
        assert (await gate.chat("again")).status == 401


async def test_a_bad_policy_file_keeps_the_last_good_one_and_shows(tmp_path):
    async with harness(tmp_path) as gate:
        before = (await gate.chat("hi")).headers["x-yett-policy-revision"]
        (gate.root / "policies/default.yaml").write_text("rules: [")
        gate.gateway.reload()
        assert (await gate.chat("hi")).headers["x-yett-policy-revision"] == before
        assert "default.yaml" in str(gate.gateway.promises()["policy"]["rejected"])


async def test_a_good_policy_change_takes_effect(tmp_path):
    async with harness(tmp_path, echo) as gate:
        before = (await gate.chat("hi")).headers["x-yett-policy-revision"]
        (gate.root / "policies/extra.yaml").write_text(
            "version: 1\nrules:\n  - {id: no-mail, when: {finding: pii.email, direction: request}, do: deny}\n"
        )
        gate.gateway.reload()
        reply = await gate.chat(f"mail {EMAIL}")
        assert (reply.status, reply.code) == (400, "guardrail_blocked")
        assert "no-mail" in reply.json()["error"]["message"]
        assert reply.headers["x-yett-policy-revision"] != before


async def test_without_a_record_nothing_is_forwarded(tmp_path, monkeypatch):
    from yett.errors import Unavailable

    async with harness(tmp_path) as gate:

        def full(record):
            raise Unavailable("no space", code="audit_unavailable")

        monkeypatch.setattr(gate.gateway.core.audit, "append", full, raising=False)
        reply = await gate.chat("hi")
        assert (reply.status, reply.code) == (503, "audit_unavailable")
        assert gate.upstream.requests == []
        monkeypatch.undo()
        assert (await gate.chat("hi")).status == 200


async def test_two_gateways_in_one_process_share_nothing(tmp_path):
    async with (
        harness(tmp_path, echo, name="one", share=False) as one,
        harness(tmp_path, echo, name="two", share=False) as two,
    ):
        first, second = await asyncio.gather(one.chat(f"a {EMAIL}"), two.chat(f"b {EMAIL}"))
        assert (first.status, second.status) == (200, 200)
        assert one.upstream.bodies[0]["messages"] != two.upstream.bodies[0]["messages"]
        assert (await two.chat("hi", key=one.key)).status == 401
        assert len(one.records("completed")) == len(two.records("completed")) == 1


async def test_the_limit_of_calls_in_flight(tmp_path):
    wait = asyncio.Event()

    async def slow():
        await wait.wait()
        return chat_answer()

    async with harness(tmp_path, lambda request: slow(), settings={"limits": {"inflight": 1}}) as gate:
        first = asyncio.ensure_future(gate.chat("hi"))
        await asyncio.sleep(0)
        while not gate.upstream.requests:
            await asyncio.sleep(0)
        second = await gate.chat("hi")
        assert (second.status, second.code) == (503, "overloaded")
        assert second.headers["retry-after"] == "1"
        wait.set()
        assert (await first).status == 200


async def test_health_is_bare_on_the_data_port(tmp_path):
    async with harness(tmp_path) as gate:
        assert (await gate.call("/livez", method="GET")).body == b"ok\n"
        assert (await gate.call("/readyz", method="GET")).body == b"ok\n"
        gate.gateway.core.stopping = True
        assert (await gate.call("/readyz", method="GET")).status == 503
        assert (await gate.call("/livez", method="GET")).status == 200


async def test_cross_origin_access_is_for_named_origins_only(tmp_path):
    settings = {"cors_origins": ["https://console.example"]}
    async with harness(tmp_path, settings=settings) as gate:
        named = await gate.call("/v1/models", method="OPTIONS", headers={"origin": "https://console.example"})
        other = await gate.call("/v1/models", method="OPTIONS", headers={"origin": "https://evil.example"})
        assert (named.status, named.headers["access-control-allow-origin"]) == (204, "https://console.example")
        assert (other.status, other.code) == (403, "origin_denied")
        reply = await gate.chat("hi", headers={"origin": "https://console.example"})
        assert reply.headers["access-control-allow-origin"] == "https://console.example"


OPEN = {"passthrough": "allow", "passthrough_types": ["audio/mpeg"]}


async def test_an_allowed_path_without_a_dialect_is_still_scanned(tmp_path):
    def reflect(request):
        return Scripted([b'{"echo": ' + request.body + b"}"])

    async with harness(tmp_path, reflect, settings=OPEN) as gate:
        reply = await gate.call("/v1/threads/t_1/notes", {"deep": [{"note": f"ask {EMAIL}"}]})
        assert reply.status == 200
        assert EMAIL.encode() not in gate.upstream.raw
        assert reply.json()["echo"]["deep"][0]["note"] == f"ask {EMAIL}"
        assert gate.upstream.requests[0].path == "/v1/threads/t_1/notes"


async def test_a_get_without_a_body_passes_without_one(tmp_path):
    async with harness(tmp_path, lambda request: Scripted([b'{"data": []}']), settings=OPEN) as gate:
        reply = await gate.call("/v1/batches", method="GET", headers={"content-type": ""})
        assert (reply.status, reply.json()) == (200, {"data": []})
        assert gate.upstream.requests[0].body == b""


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param(f"/v1/users/{EMAIL}", 404, "not_found", id="sign that a path never has"),
        pytest.param("/v1/pay/4111-1111-1111-1111", 400, "guardrail_blocked", id="personal data in the path"),
        pytest.param("/v1/../admin", 404, "not_found", id="climbing out"),
        pytest.param("/v1//files", 404, "not_found", id="empty step"),
    ],
)
async def test_paths_that_are_not_passed(tmp_path, path, status, code):
    async with harness(tmp_path, settings=OPEN) as gate:
        reply = await gate.call(path, {"a": "b"})
        assert (reply.status, reply.code) == (status, code)
        assert gate.upstream.requests == []


async def test_bodies_and_answers_that_are_not_json_need_their_type_named(tmp_path):
    audio = Scripted([b"\x00\x01"], headers=((b"content-type", b"audio/mpeg"),))
    async with harness(tmp_path, lambda request: audio, settings=OPEN) as gate:
        sent = await gate.call("/v1/audio/x", b"\x00raw", headers={"content-type": "audio/mpeg"})
        assert (sent.status, sent.body, sent.headers["content-type"]) == (200, b"\x00\x01", "audio/mpeg")
        assert gate.upstream.requests[0].body == b"\x00raw"
        assert dict(gate.upstream.requests[0].headers)[b"content-type"] == b"audio/mpeg"
        assert gate.records("decided")[0]["ledger"]["new"][0][2] == "opaque"
        other = await gate.call("/v1/audio/x", b"\x00raw", headers={"content-type": "application/zip"})
        assert (other.status, other.code) == (415, "content_type_unsupported")


async def test_a_model_name_that_is_a_secret_is_neither_repeated_nor_recorded(tmp_path):
    async with harness(tmp_path) as gate:
        reply = await gate.call(
            "/v1/chat/completions", {"model": SECRET, "messages": [{"role": "user", "content": "x"}]}
        )
        assert (reply.status, reply.code) == (404, "model_not_found")
        assert SECRET.encode() not in reply.body
        assert SECRET not in json.dumps(gate.records())


async def test_a_model_name_under_the_star_is_a_text_like_any_other(tmp_path):
    models = {"*": {"targets": [{"provider": "up", "model": "*"}]}}
    async with harness(tmp_path, settings={"models": models}) as gate:
        reply = await gate.call(
            "/v1/chat/completions", {"model": SECRET, "messages": [{"role": "user", "content": "x"}]}
        )
        assert (reply.status, reply.code) == (400, "guardrail_blocked")
        assert gate.upstream.requests == []
        assert SECRET not in json.dumps(gate.records())
        assert (await gate.call("/v1/chat/completions", {"model": "any", "messages": []})).status == 200
        assert gate.records("decided")[-1]["model"] == "any"


@pytest.mark.parametrize(
    "scripted",
    [
        pytest.param(sse(*chat_chunks("x")), id="a stream that was not asked for"),
        pytest.param(Scripted([b"{}"], 500), id="a failure"),
        pytest.param(chat_answer(), id="success"),
    ],
)
async def test_every_answer_is_closed(tmp_path, scripted):
    async with harness(tmp_path, lambda request: scripted) as gate:
        await gate.chat("hi")
        assert scripted.closed


async def test_an_answer_of_the_wrong_kind_for_its_dialect_is_closed_too(tmp_path):
    scripted = sse({"object": "x"})
    async with harness(tmp_path, lambda request: scripted) as gate:
        reply = await gate.call("/v1/embeddings", {"model": "m", "input": "x"})
        assert reply.status in (200, 502)
        assert scripted.closed
        assert [r["outcome"] for r in gate.records("completed")] == ["error"]


async def test_json_is_scanned_even_where_its_type_is_named(tmp_path):
    settings = {"passthrough": "allow", "passthrough_types": ["application/json"]}
    answer = Scripted([json.dumps({"note": SECRET}).encode()])
    async with harness(tmp_path, lambda request: answer, settings=settings) as gate:
        reply = await gate.call("/v1/notes", {"a": "b"})
        assert SECRET.encode() not in reply.body


async def test_a_providers_error_code_is_a_plain_word_or_none(tmp_path):
    said = {"error": {"message": "no", "code": SECRET}}
    async with harness(tmp_path, lambda request: Scripted([json.dumps(said).encode()], 400)) as gate:
        assert (await gate.chat("hi")).code == "provider_error"


@pytest.mark.parametrize("text", ["hello", "write to maria.lopez@example.org"], ids=["clean", "personal"])
async def test_a_call_leaves_nothing_that_refers_to_itself(tmp_path, text):
    """A flow in a cycle lies in memory, texts and all, until the next collection: that cost a tenth of all CPU."""
    async with harness(tmp_path) as gate:
        for _ in range(3):
            assert (await gate.chat(text)).status == 200
        gc.collect()
        gc.disable()
        try:
            gc.set_debug(gc.DEBUG_SAVEALL)
            assert (await gate.chat(text)).status == 200
            gc.collect()
            left = [type(one).__name__ for one in gc.garbage if type(one).__module__.startswith("yett.")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert left == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_every_value_that_is_put_back_is_an_audit_event(tmp_path, stream):
    def reply(request):
        said = json.loads(request.body)["messages"][0]["content"].split(" and ")[0]
        return sse(*chat_chunks(said)) if stream else chat_answer(said)

    async with harness(tmp_path, reply) as gate:
        await gate.chat("ada@corp.example and bob@corp.example", stream=stream)
        (event,) = [row for row in gate.records("event") if row["name"] == "reveal"]
        (ended,) = gate.records("completed")
        assert (event["flow"], event["count"]) == (ended["flow"], 1)
        assert event["i"] < ended["i"]
        assert event["pseudonyms"][0] in gate.upstream.bodies[0]["messages"][0]["content"]
        await gate.chat("nothing to see", stream=stream)
        assert len([row for row in gate.records("event") if row["name"] == "reveal"]) == 1
        assert "corp.example" not in json.dumps(gate.records())
