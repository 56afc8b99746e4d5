"""Our transport against aiohttp over one table of server behaviours: where they differ, we are the stricter one."""

from __future__ import annotations

import pytest

from helpers.behaviours import BAD, GOOD
from helpers.transport import LIMITS, POST
from helpers.upstream import FakeUpstream
from yett.errors import UpstreamError
from yett.upstream.aiohttp_transport import AiohttpTransport
from yett.upstream.messages import Transport
from yett.upstream.transport import Deadlines, HttpTransport, UpstreamRequest

pytest.importorskip("aiohttp", reason="the extra yett[aiohttp] is not installed: the reference is NOT compared")

HASTY = Deadlines(connect_s=2, first_byte_s=0.1, idle_s=0.1, total_s=0.5)
# What aiohttp takes for an answer and we do not; each with the reason why we do not.
STRICTER = {
    "RTSP": "another protocol on the port is a wrong address, not a provider",
    "HTTP/1.0 chunked": "1.0 has no chunks: a proxy on the way may have framed the body otherwise",
    "bare LF": "line ends that proxies read differently are how answers are smuggled",
    "folded header": "obsolete since 2014 and read differently by proxies",
    "head over the cap": "aiohttp bounds a line, not the head",
}
# Both refuse; aiohttp only notices when the deadline passes, because it does not bound these.
LATER = {"endless interim answers", "endless chunk extension"}


async def outcome(transport: Transport, request: UpstreamRequest = POST) -> tuple[int, bytes] | str:
    try:
        response = await transport.send(request)
        try:
            return response.status, await response.read()
        finally:
            await response.aclose()
    except UpstreamError as error:
        return error.code
    finally:
        await transport.aclose()


@pytest.mark.parametrize("case", [*GOOD, *BAD])
async def test_same_server_same_outcome(case: str) -> None:
    reply = GOOD[case][0] if case in GOOD else BAD[case][0]
    slow = case in LATER or (case in BAD and BAD[case][1] == "upstream_timeout")
    deadlines = HASTY if slow else LIMITS
    async with FakeUpstream(lambda _: reply) as upstream:
        ours = await outcome(HttpTransport(upstream.base_url, deadlines=deadlines, drain_s=0.1))
        theirs = await outcome(AiohttpTransport(upstream.base_url, deadlines=deadlines))
        first, second = upstream.calls
        assert (first.method, first.path, first.body) == (second.method, second.path, second.body)
    if case in STRICTER:
        assert isinstance(ours, str)
        assert not isinstance(theirs, str), "aiohttp has become stricter: take the case off the list"
    elif case in LATER:
        assert (ours, theirs) == ("upstream_protocol", "upstream_timeout")
    else:
        assert ours == theirs
