"""URLs as browsers read them: hosts behind tricks, and what counts as data."""

from __future__ import annotations

import pytest

from yett_plugins.url_data import carries_data, is_named, pieces, urls_in

HOSTS = {
    "https://Example.COM:443/a": ["example.com"],
    "https://good.example@evil.test/": ["evil.test"],
    "https://good.example%40evil.test/": ["evil.test"],
    "https:\\\\evil.test\\a": ["evil.test"],
    "https:evil.test": ["evil.test"],
    "//evil.test/a": ["evil.test"],
    "ht\ntps://ev\til.test/": ["evil.test"],
    "https://evil.test./": ["evil.test"],
    "https://bücher.example/": ["xn--bcher-kva.example"],
    "https://xn--bcher-kva.example/": ["xn--bcher-kva.example"],
    "https://evil。test/": ["evil.test"],
    "https://e\u200bvil.test/": ["evil.test"],
    "www.evil.test": ["www.evil.test"],
    "https://[2001:db8::1]:8443/": ["2001:db8::1"],
    "https://localhost/x": [],
    "docs/a.md": [],
    "mailto:a@b.example": [],
}


@pytest.mark.parametrize("url", HOSTS, ids=ascii)
def test_hosts(url: str) -> None:
    assert [one.host for one in urls_in(url)] == HOSTS[url]


def test_urls_inside_urls_are_told_too() -> None:
    assert [one.host for one in urls_in("https://a.test/?u=https://b.test/)[x](//c.test")] == [
        "a.test",
        "b.test",
        "c.test",
    ]


def test_more_urls_than_anybody_reads_carry_data() -> None:
    last = list(urls_in("https://a.test/" * 100))[-1]
    assert last.user
    assert carries_data(last, strict=False)


DATA = {
    "https://a.test/?q=1": (True, False),
    "https://a.test/": (False, False),
    "https://a.test/a/b.png": (False, False),
    "https://a.test/?": (False, False),
    "https://a.test/?token=abcd": (True, True),
    "https://a.test/?x=deadbeefdeadbeef0123456789abcdef": (True, True),
    "https://a.test/?x=" + "a" * 200: (True, True),
    "https://a.test/the%20secret%20word%20is%20kestrel": (True, True),
    "https://a.test/the-ten-best-walks-in-the-north-of-england": (False, False),
    "https://u:p@a.test/": (True, True),
    "https://a.b.c.d.e.f.g.a.test/": (True, True),
    "https://a.test/#installation": (False, False),
    "https://a.test/?id=550e8400-e29b-41d4-a716-446655440000": (True, False),
}


@pytest.mark.parametrize("url", DATA)
def test_what_carries_data(url: str) -> None:
    (one,) = urls_in(url)
    assert (carries_data(one, strict=True), carries_data(one, strict=False)) == DATA[url]


def test_pieces_are_decoded_values_that_tell_something() -> None:
    (one,) = urls_in("https://T0KEN-9.a.test/SECRET-7.png?q=hunter22&r=red&s=aHVudGVyMg&t=68756e74657232")
    assert pieces(one, strict=False) == ["hunter22", "68756e74657232", "t0ken-9", "hunter2", "hunter2"]
    assert "SECRET-7" in pieces(one, strict=True)


@pytest.mark.parametrize(
    ("host", "text", "named"),
    [
        ("a.test", "see a.test.", True),
        ("a.test", "https://A.TEST/x", True),
        ("a.test", "www.a.test", True),
        ("b.a.test", "see a.test", True),
        ("a.test", "see b.a.test", False),
        ("a.test", "see xa.test", False),
        ("a.test", "see a.test.evil", False),
        ("a.test", "see a-test", False),
        ("x.github.io", "see github.io", False),
        ("x.github.io", "see x.github.io", True),
        ("", "anything", False),
    ],
)
def test_named(host: str, text: str, named: bool) -> None:
    assert is_named(host, [text]) is named
