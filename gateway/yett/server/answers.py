"""Steps 11 and 12: the provider's answer comes back through the same checks, then the record, then the last byte."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from yett.audit import record
from yett.errors import HttpError, RequestError, UpstreamError
from yett.flow import Flow, Leaf, Phase, Principal, Role
from yett.ledger import Ledger
from yett.pipeline import Checked
from yett.server import relay
from yett.server.admitted import Admitted
from yett.server.call import JSON_TYPE, Call
from yett.server.core import Core
from yett.server.recorder import WORDS, Answered
from yett.server.routes import PASSTHROUGH
from yett.stream_guard import block_message
from yett.upstream.transport import UpstreamResponse
from yett.verdict import Decision, apply_edits
from yett.wire import pointer, strictjson
from yett.wire.headers import to_client

HELD_TTL_S = 30 * 24 * 3600.0
_PLAIN_CODE = re.compile(r"[a-z][a-z_]{0,63}")  # no digits: a code is not scanned, so it cannot be anything else
PASSED_STATUS = frozenset({400, 404, 409, 413, 422, 429})


async def answer(core: Core, call: Call, admitted: Admitted, upstream: UpstreamResponse) -> None:
    """Bring the provider's answer to the client, checked. Raises HttpError before the first byte has left."""
    if upstream.status >= 300:
        raise await _provider_error(core, admitted, upstream)
    content_type = dict(upstream.headers).get(b"content-type", b"").partition(b";")[0].strip().lower()
    if content_type == b"text/event-stream":
        await relay.relay(core, call, admitted, upstream)
        return
    if admitted.route is PASSTHROUGH and _may_pass_unseen(content_type, core.settings.passthrough_types):
        await _opaque(call, admitted, upstream, content_type)
        return
    if admitted.flow.stream:
        raise UpstreamError("the provider did not stream though it was asked to", code="upstream_protocol")
    await _whole(core, call, admitted, upstream)


def _may_pass_unseen(content_type: bytes, named: Sequence[str]) -> bool:
    """Whether the setting passthrough_types names this type; JSON is always scanned."""
    return content_type != b"application/json" and content_type.decode("latin-1") in named


async def _whole(core: Core, call: Call, admitted: Admitted, upstream: UpstreamResponse) -> None:
    body = _parsed(await upstream.read())
    flow, dialect, recorder = admitted.flow, admitted.route.dialect, admitted.recorder
    found = dialect.read_answer(body)
    flow.tool_calls = found.tool_calls
    checked = await core.pipeline.check(flow, admitted.policy, Phase.RESPONSE, found.leaves, opaque=found.opaque)
    recorder.saw_answer(Answered(checked.decision, checked.judged, checked.ledger.summary(core.known), found.usage))
    await recorder.tell(Phase.RESPONSE, checked.decision)
    call.decision = max(call.decision, WORDS[checked.decision.action], key=_STRICTNESS.index)
    outcome = "ok"
    if checked.denied:
        body, outcome = dialect.block_answer(body, block_message(checked.decision)), "blocked"
    elif checked.edits:
        pointer.apply(body, checked.edits)
        dialect.finish_answer(body, admitted.body, checked.edits)
    else:
        dialect.finish_answer(body, admitted.body, {})
    _name_model(body, flow.model)
    if found.held_ids:
        await remember_held(core, flow.principal, found.held_ids)
    await recorder.completed(outcome, upstream.status, upstream_status=upstream.status)
    await call.reply(upstream.status, strictjson.dumps(body), [JSON_TYPE, *passed_headers(upstream)])


async def _opaque(call: Call, admitted: Admitted, upstream: UpstreamResponse, content_type: bytes) -> None:
    """An answer of a type that the setting passthrough_types lets through unseen: opaque in the ledger."""
    data = await upstream.read()
    ledger = record.Ledger([("", "", "opaque")])
    admitted.recorder.saw_answer(Answered(Decision(), ledger=ledger))
    await admitted.recorder.completed("ok", upstream.status, upstream_status=upstream.status)
    await call.reply(upstream.status, data, [(b"content-type", content_type), *passed_headers(upstream)])


_STRICTNESS = ("none", "allow", "redact", "approve", "deny")


def _parsed(raw: bytes) -> dict[str, Any]:
    """The provider's body as a JSON object. Raises UpstreamError: what cannot be read cannot be checked."""
    try:
        body = strictjson.loads(raw)
    except RequestError as error:
        raise UpstreamError(
            f"the provider's answer is not strict JSON ({error.code})", code="upstream_protocol"
        ) from None
    if not isinstance(body, dict):
        raise UpstreamError("the provider's answer is not a JSON object", code="upstream_protocol")
    return body


def _name_model(body: dict[str, Any], model: str) -> None:
    """The client reads the name it asked for, not the provider's."""
    if isinstance(body.get("model"), str):
        body["model"] = model


async def _provider_error(core: Core, admitted: Admitted, upstream: UpstreamResponse) -> HttpError:
    """The client's error for the provider's: status kept where the client can act on it, message checked."""
    status = upstream.status
    if status in (401, 403):
        return UpstreamError("the provider refused this gateway's credentials", code="provider_auth", status=502)
    if status not in PASSED_STATUS:
        return UpstreamError(f"the provider answered with status {status}", code="upstream_error", status=502)
    message, code = _error_words(await upstream.read())
    message = await _checked_message(core, admitted, message)
    error = RequestError(message, status=status, code=code)
    error.retry = status in (409, 429)
    retry_after = dict(upstream.headers).get(b"retry-after", b"")
    if retry_after.isdigit():
        error.retry_after_s = int(retry_after[:6])
    return error


def _error_words(raw: bytes) -> tuple[str, str]:
    """Message and code of an OpenAI error body; a plain sentence for anything else."""
    try:
        said = strictjson.loads(raw)["error"]
        message, code = said["message"], said.get("code")
    except (RequestError, KeyError, TypeError, AttributeError):
        return "the provider refused the request without saying why", "provider_error"
    return str(message)[:4096], code if isinstance(code, str) and _PLAIN_CODE.fullmatch(code) else "provider_error"


async def _checked_message(core: Core, admitted: Admitted, message: str) -> str:
    leaf = Leaf("/error/message", message, Role.OTHER)
    checked = await core.pipeline.check(admitted.flow, admitted.policy, Phase.RESPONSE, [leaf])
    admitted.recorder.saw_answer(Answered(checked.decision, checked.judged, checked.ledger.summary(core.known)))
    if checked.denied:
        return "the provider's error message was blocked by policy"
    return apply_edits(message, checked.edits.get(leaf.pointer, []))


def passed_headers(upstream: UpstreamResponse) -> list[tuple[bytes, bytes]]:
    """The provider's headers that the client may see; the content type is ours to say."""
    return [header for header in to_client(upstream.headers) if header[0] != b"content-type"]


def held_key(principal: Principal, held_id: str) -> str:
    """Where the state store notes that `principal` received a provider-held id from us."""
    return f"held:{principal.tenant}:{principal.id}:{held_id}"


async def remember_held(core: Core, principal: Principal, ids: Sequence[str]) -> None:
    """Note ids the provider now holds, so that only their owner may refer to them later."""
    if core.settings.references == "owned":
        for held_id in ids:
            await core.state.put(held_key(principal, held_id), b"1", HELD_TTL_S)


def keep_content(core: Core, flow: Flow, leaves: Sequence[Leaf], checked: Checked) -> None:
    """Give the content store each leaf as policy left it (redacted), or raw where it seals."""
    if core.content is None:
        return
    subject = f"{flow.principal.tenant}/{flow.principal.id}"
    ledger: Ledger = checked.ledger
    for leaf, digest in zip(leaves, ledger.digests(), strict=True):
        if leaf.part == "value":
            edits = [] if core.content.mode == "sealed" else checked.edits.get(leaf.pointer, [])
            core.content.put(subject, digest, apply_edits(leaf.text, edits) if edits else leaf.text)
