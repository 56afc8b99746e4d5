"""A dozen realistic detectors and a generator of nasty texts, for tests of scanning and streaming."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from yett.detector import Detector, Pattern, Span
from yett.errors import ConfigError
from yett.scan import ScanEngine
from yett.streaming import Judge, Judgement, TextStream, redact
from yett.verdict import Action
from yett.wire.guard import Blocked


def luhn(text: str) -> bool:
    """The check digit of payment cards."""
    digits = [int(c) for c in text if c.isdigit()]
    return sum(sum(divmod(d * 2, 10)) if i % 2 else d for i, d in enumerate(reversed(digits))) % 10 == 0


def detector(
    name: str, *regexes: str, score: float = 0.6, ignore_case: bool = False, group: int = 0, **more
) -> Detector:
    """A detector `name` with one pattern per regex."""
    patterns = tuple(Pattern(f"{name}{i}", r, score, group, ignore_case) for i, r in enumerate(regexes))
    return Detector(name, f"x.{name}", name.upper(), patterns, **more)


EMAIL = detector("email", r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+\b", hit=("a@b.co",), miss=("a@b",))
PEM = detector(
    "pem",
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]+?-----END [A-Z ]{0,30}PRIVATE KEY-----",
    max_len=8192,
    priority=5,
)
IBAN = detector("iban", r"\b[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?\b")
CARD = detector("card", r"(?<![\d.])\d(?:[ \-]?\d){12,18}(?!\d)", validator=luhn)
SSN = detector(
    "ssn",
    r"\b(?!000|666|9\d\d)\d{3}[- .]\b\d{2}[- .]\d{4}\b",
    r"\b\d{9}\b",
    score=0.1,
    context=("ssn", "social security"),
)
PHONE = detector("phone", r"(?<![\w.])(?:\+\d{1,3}[ .\-]?)?(?:\(\d{1,4}\)[ .\-]?)?\d{2,4}(?:[ .\-]?\d{2,4}){1,4}(?!\w)")
IPV4 = detector("ipv4", r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")
JWT = detector("jwt", r"\beyJ[\w\-]{5,}+\.eyJ[\w\-]{5,}\.[\w\-]{5,}", max_len=600)
AWS = detector("aws", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", priority=3)
URL = detector("url", r"(?i)\b[a-z][a-z0-9+.\-]{1,15}://[^\s/:@]+:(?:[^\s/@]+)@[^\s/]+", priority=2)
DOB = detector("dob", r"\b\d{1,2}[/.\-]\d{1,2}[/.\-](?:19|20)?\d{2}\b", score=0.2, context=("born", "birth", "dob"))
BEARER = detector("bearer", r"\bbearer\s+((?>[A-Za-z0-9._~+/\-]{12,})=*)", ignore_case=True, group=1, max_len=300)
LINE = detector("line", r"^>> .{1,40}$", max_len=64)
DASH = detector("dash", r"#\b[a-f]+\b-\b\w{2,5}\b", max_len=20)

ALL = (EMAIL, PEM, IBAN, CARD, SSN, PHONE, IPV4, JWT, AWS, URL, DOB, BEARER, LINE, DASH)

RESTORES = {
    "<EMAIL_q7k2xm4p>": "jane.roe@example.org",
    "<PHONE_aaaaaaaa>": "+44 20 7946 0000",
    "<SSN_bbbbbbbb22222>": "x",
}

PIECES = (
    "john.doe@example.com",
    "a@b.co",
    "x@y",
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "4111111111111112",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "536-90-4399",
    "ssn 536904399",
    "social security",
    "+1 (212) 555-0188",
    "8.8.8.8",
    "10.0.0.256",
    "1.2.3.4.5",
    "eyJhbGciOi.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "eyJhbGci",
    "AKIAIOSFODNN7EXAMPLE",
    "AKIAIOSF",
    "https://bob:hunter2@db.example.com/x",
    "ftp://a:b@c",
    "born 12/03/1985",
    "12.3.85",
    "Authorization: Bearer abcdef0123456789==",
    "bearer",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMII",
    "-----",
    "<EMAIL_q7k2xm4p>",
    "<PHONE_aaaaaaaa>",
    "<SSN_bbbbbbbb22222>",
    "<EMAIL_zzzzzzzz>",
    "<EMAIL_q7k2",
    "<",
    ">",
    "<P",
    "\n>> a line\n",
    ">> ",
    "#cafe-box",
    "#cafe",
    "-",
    "\u00e9t\u00e9",
    "Stra\u00dfe",
    "\uff14\uff11\uff11\uff11 1111 1111 1111",
    "jo\u200bhn@exa\u00admple.com",
    "\U0001d41a@\U0001d41b.co",
    "\U0001f600",
    "\ufb01x@b.co",
    "\u200b",
    "\u202e",
    "\U000e0041",
    "\u3000",
    "\u2100",
    "\u33c2",
    "the quick brown fox",
    "No. 42",
    "Hello",
    ",",
    ". ",
    " ",
    " ",
    " ",
    "\n",
    "1",
    "9",
    "0",
    "a",
    "A",
    "@",
    ".",
    ":",
    "12",
    "99-",
    "_",
    "",
)


def text_of(rng: random.Random, pieces: int) -> str:
    """A text of so many pieces, joined with or without spaces, sometimes cut or with a long token in it."""
    out = []
    for _ in range(pieces):
        piece = rng.choice(PIECES)
        kind = rng.random()
        if kind < 0.08:
            piece = piece[: rng.randrange(len(piece) + 1)]
        elif kind < 0.10:
            piece = rng.choice("aA1.") * rng.choice((15, 63, 520, 610)) + piece
        out.append(piece + rng.choice(("", "", " ", " ", "\n")))
    return "".join(out)


def chunks_of(rng: random.Random, text: str) -> list[str]:
    """`text` cut into random chunks, of one character each, or nearly whole."""
    kind = rng.random()
    if kind < 0.1:
        return list(text)
    longest = rng.choice((2, 4, 9, 40, 700))
    out, at = [], 0
    while at < len(text):
        size = rng.randint(0 if kind < 0.2 else 1, longest)
        out.append(text[at : at + size])
        at += size
    return out


Outcome = tuple[str, tuple[tuple[int, int], ...], str | None]


class Recorder:
    """A judge that redacts by default, denies and ignores the detectors it is told, and remembers every question."""

    def __init__(self, deny: Iterable[str] = (), ignore: Iterable[str] = ()) -> None:
        self.deny, self.ignore = frozenset(deny), frozenset(ignore)
        self.asked: list[tuple[int, int, str, float, str]] = []

    def __call__(self, span: Span, text: str) -> Judgement:
        name = span.detector.name
        self.asked.append((span.start, span.end, name, round(span.score, 6), text))
        if name in self.deny:
            return Judgement(Action.DENY, None, f"no {name}")
        return Judgement(
            Action.ALLOW if name in self.ignore else Action.REDACT, None if name in self.ignore else f"[{name}]"
        )


def whole(engine: ScanEngine, text: str, judge: Judge, restores: dict[str, str]) -> Outcome:
    """What `redact` gives: text, edits, and the message of a block."""
    try:
        return (*redact(engine.scan(text), text, judge, restores), None)
    except Blocked as blocked:
        return blocked.released.text, blocked.released.edits, blocked.message


def streamed(engine: ScanEngine, chunks: Sequence[str], judge: Judge, restores: dict[str, str]) -> Outcome:
    """The same from a stream; checks that what is released follows without gap."""
    stream = TextStream(engine, judge, restores)
    text, edits, at = "", [], 0
    try:
        for chunk in (*chunks, None):
            released = stream.finish() if chunk is None else stream.feed(chunk)
            assert released.start == at
            at = released.end
            text += released.text
            edits += released.edits
    except Blocked as blocked:
        assert blocked.released.start == at
        return text + blocked.released.text, (*edits, *blocked.released.edits), blocked.message
    assert stream.held == 0
    assert at == sum(map(len, chunks))
    return text, tuple(edits), None


def assert_same(engine: ScanEngine, rng: random.Random, text: str) -> bool:
    """Whole and streamed agree on `text`, chunked at random, judged at random; whether it was blocked."""
    names = [d for d in engine.names if rng.random() < 0.15]
    deny, ignore = (names, []) if rng.random() < 0.4 else ([], names)
    once, again = Recorder(deny, ignore), Recorder(deny, ignore)
    restores = RESTORES if rng.random() < 0.7 else {}
    expected = whole(engine, text, once, restores)
    chunks = chunks_of(rng, text)
    assert streamed(engine, chunks, again, restores) == expected, (text, chunks, deny, ignore)
    assert again.asked == once.asked, (text, chunks)
    return expected[2] is not None


def refused(*detectors: Detector) -> str:
    """The message with which an engine refuses `detectors`."""
    try:
        ScanEngine(detectors)
    except ConfigError as error:
        return str(error)
    return ""
