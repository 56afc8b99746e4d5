"""Paths under /v1 without a dialect, where the setting passthrough allows them: scanned, or named as opaque."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from yett.errors import RequestError
from yett.flow import Leaf, Role
from yett.server.receive import Scope
from yett.wire import passthrough, strictjson
from yett.wire.exchange import Exchange, Fact, JsonObject

_PATH = re.compile(r"/v1/[A-Za-z0-9_.:/-]{1,512}")
_QUERY = re.compile(rb"[\x21-\x7e]{0,2048}")


class Passed(NamedTuple):
    """A request without a dialect. `raw` stands in place of `body` where there is no JSON to re-encode."""

    exchange: Exchange
    body: JsonObject
    raw: bytes | None


def read_passed(
    scope: Scope, headers: Mapping[bytes, bytes], data: bytes, types: Sequence[str], max_depth: int
) -> Passed:
    """Understand a request to a path without a dialect.

    Its path and query are a leaf that cannot be edited; a JSON body is walked whole; a body of another type must be
    named in the setting passthrough_types, and is then `opaque` in the ledger. Raises RequestError.
    """
    path, query = scope["path"], scope["query_string"]
    if not _PATH.fullmatch(path) or ".." in path or "//" in path or not _QUERY.fullmatch(query):
        raise RequestError("the path is not one that can be passed through", status=404, code="not_found")
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if not data:
        passed = Passed(Exchange(passthrough.DIALECT.name, ""), {}, b"")
    elif kind == "application/json":
        body = strictjson.loads(data, max_depth=max_depth)
        if not isinstance(body, dict):
            raise RequestError("the body must be a JSON object", pointer="")
        passed = Passed(passthrough.DIALECT.read_request(body), body, None)
    elif kind in types:
        exchange = Exchange(passthrough.DIALECT.name, "", facts=[Fact("opaque", "")])
        passed = Passed(exchange, {}, data)
    else:
        message = (
            "a body that is not JSON cannot be scanned: name its type in the setting passthrough_types to allow it"
        )
        raise RequestError(message, status=415, code="content_type_unsupported")
    target = unquote(path + ("?" + query.decode() if query else ""))
    passed.exchange.leaves.append(Leaf("#target", target, Role.OTHER, editable=False, newest=True))
    return passed
