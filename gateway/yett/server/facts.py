"""Facts of a request that only settings or RBAC may allow: what the gate does not see, it does not pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from yett.errors import Denied, RequestError
from yett.wire.exchange import Exchange, Fact

Owns = Callable[[str], bool]


def refuse_by_settings(
    exchange: Exchange, media: Mapping[str, str], references: str, owned: Owns, hosted: Owns
) -> None:
    """Refuse the first fact that nothing allows.

    `media` maps image, audio, file, video to deny or allow; `references` is deny or owned; `owned(id)` says whether
    this principal received that id from us; `hosted(type)` asks RBAC. Raises Denied or RequestError.
    """
    for fact in exchange.facts:
        error = _refusal(fact, media, references, owned, hosted)
        if error is not None:
            raise error


def opaque_pointers(exchange: Exchange) -> list[str]:
    """What passes without being scanned because it was allowed to: `opaque` in the ledger, never `scanned`."""
    return [fact.pointer for fact in exchange.facts if fact.kind in ("opaque", "media")]


def _refusal(fact: Fact, media: Mapping[str, str], references: str, owned: Owns, hosted: Owns) -> RequestError | None:
    if fact.kind == "tokens":
        return RequestError(
            "token ids cannot be scanned: send text (LangChain: check_embedding_ctx_length=False)",
            code="tokens_not_scannable",
            pointer=fact.pointer,
        )
    if fact.kind == "background":
        return RequestError(
            "background responses are not supported", code="background_unsupported", pointer=fact.pointer
        )
    if fact.kind == "media" and media.get(fact.name, "deny") != "allow":
        return _forbidden(f"{fact.name} input is denied by the setting media.{fact.name}", "media_denied", fact)
    if fact.kind == "reference" and references == "deny":
        message = f"{fact.name} names something the provider holds; the setting references: deny refuses it"
        return _forbidden(message, "references_denied", fact)
    if fact.kind == "reference" and not owned(fact.value):
        return _forbidden(f"{fact.name} was not given to this principal by this gateway", "reference_not_owned", fact)
    if fact.kind == "hosted_tool" and not hosted(fact.name):
        message = f"the provider-run tool {fact.name!r} is not allowed: grant `hosted:{fact.name}` in rbac_policy.csv"
        return _forbidden(message, "hosted_tool_denied", fact)
    return None


def _forbidden(message: str, code: str, fact: Fact) -> Denied:
    return Denied(message, status=403, code=code, pointer=fact.pointer, rules=(f"settings:{code}",))
