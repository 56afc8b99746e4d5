"""X-Forwarded-For is believed from trusted proxies only, and only as far as they reach."""

import ipaddress

import pytest

from helpers.asgi import harness
from yett.server.client import client_address

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))


def scope(peer, *forwarded):
    return {"client": (peer, 1), "headers": [(b"x-forwarded-for", one.encode()) for one in forwarded]}


@pytest.mark.parametrize(
    ("made", "trusted", "expected"),
    [
        pytest.param(scope("198.51.100.1", "203.0.113.9"), (), "198.51.100.1", id="nobody is trusted"),
        pytest.param(scope("198.51.100.1", "203.0.113.9"), TRUSTED, "198.51.100.1", id="the peer is a stranger"),
        pytest.param(scope("10.0.0.1", "203.0.113.9"), TRUSTED, "203.0.113.9", id="one proxy"),
        pytest.param(
            scope("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2"), TRUSTED, "203.0.113.9", id="a forged first hop"
        ),
        pytest.param(scope("10.0.0.1", "6.6.6.6", "203.0.113.9"), TRUSTED, "203.0.113.9", id="two header lines"),
        pytest.param(scope("10.0.0.1", "not an address"), TRUSTED, "10.0.0.1", id="junk"),
        pytest.param(scope("10.0.0.1"), TRUSTED, "10.0.0.1", id="no header"),
        pytest.param(scope("::1", "2001:db8::7"), TRUSTED, "2001:db8::7", id="IPv6"),
        pytest.param({"client": None, "headers": []}, TRUSTED, "", id="no peer"),
    ],
)
def test_the_client_is(made, trusted, expected):
    assert client_address(made, trusted) == expected


async def test_the_setting_decides_what_the_record_says(tmp_path):
    forwarded = {"x-forwarded-for": "203.0.113.9"}
    async with harness(tmp_path) as gate:
        await gate.chat("hi", headers=forwarded)
        assert gate.records("decided")[0]["client"] == "127.0.0.1"
    async with harness(tmp_path, settings={"trusted_proxies": ["127.0.0.0/8"]}, name="trusting") as gate:
        await gate.chat("hi", headers=forwarded)
        assert gate.records("decided")[0]["client"] == "203.0.113.9"
