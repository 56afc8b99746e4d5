"""The body of a request: its limits hold whether it is here already or comes in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from yett.errors import RequestError
from yett.server.receive import ClientGone, read_body, require_json


def pieces(*bodies: bytes, end: bool = True) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A `receive` that gives these, then hangs (a client that never ends its body) or has left."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    if end:
        messages[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    return receive


HERE = [pytest.param(lambda: True, id="all here"), pytest.param(None, id="nobody knows")]


@pytest.mark.parametrize("arrived", HERE)
@pytest.mark.parametrize("bodies", [[b""], [b"abc"], [b"a", b"", b"bc"]], ids=["empty", "one", "several"])
async def test_the_whole_body_is_read(bodies: list[bytes], arrived: Callable[[], bool] | None) -> None:
    assert await read_body(pieces(*bodies), {}, 3, 5.0, arrived) == b"".join(bodies)


@pytest.mark.parametrize("arrived", HERE)
@pytest.mark.parametrize("bodies", [[b"abcd"], [b"ab", b"cd"]], ids=["one", "several"])
async def test_a_body_over_the_limit_is_refused(bodies: list[bytes], arrived: Callable[[], bool] | None) -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(pieces(*bodies), {}, 3, 5.0, arrived)
    assert (caught.value.status, caught.value.code) == (413, "body_too_large")


@pytest.mark.parametrize("arrived", [lambda: False, None], ids=["not yet here", "nobody knows"])
async def test_a_body_that_does_not_come_is_given_up(arrived: Callable[[], bool] | None) -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(pieces(b"a", end=False), {}, 3, 0.01, arrived)
    assert (caught.value.status, caught.value.code) == (408, "receive_timeout")


@pytest.mark.parametrize("arrived", HERE)
async def test_a_client_that_left_is_told_apart(arrived: Callable[[], bool] | None) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        await read_body(receive, {}, 3, 5.0, arrived)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({b"content-length": b"4"}, "body_too_large"),
        ({b"content-encoding": b"gzip"}, "content_encoding_unsupported"),
    ],
    ids=["length", "encoding"],
)
async def test_headers_alone_can_refuse_a_body(headers: dict[bytes, bytes], code: str) -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(pieces(b"abc"), headers, 3, 5.0)
    assert caught.value.code == code


@pytest.mark.parametrize("encoding", [b"", b"identity", b" Identity "])
async def test_no_encoding_by_any_name_is_fine(encoding: bytes) -> None:
    assert await read_body(pieces(b"abc"), {b"content-encoding": encoding}, 3, 5.0) == b"abc"


@pytest.mark.parametrize(
    ("content_type", "fine"),
    [
        (b"application/json", True),
        (b"Application/JSON; charset=UTF-8", True),
        (b"application/json; charset=latin-1", False),
        (b"text/plain", False),
        (b"", False),
    ],
)
def test_only_json_in_utf8_is_json(content_type: bytes, fine: bool) -> None:
    if fine:
        require_json({b"content-type": content_type})
        return
    with pytest.raises(RequestError) as caught:
        require_json({b"content-type": content_type})
    assert caught.value.status == 415
