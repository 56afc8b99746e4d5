"""URLs as a browser reads them, and whether one carries data that somebody put into it.

Written for hostile input: schemes may be missing, slashes turned, hosts percent-encoded or in other scripts, and a user
name may look like a host (`https://good.example@stranger.example`).
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

from yett.wire.unicode import ScanView

_MAX_URLS = 32  # in one match; more is answered as "carries data"
_START = re.compile(
    r"(?:https?|ftps?|wss?):[/\\]*|(?:^|(?<=[(\"'\s=<]))[/\\]{2}(?=[^/\\\s])|(?<![\w.\-])www\d?\.", re.IGNORECASE
)
_CONTROL = re.compile(r"[\t\r\n]")
_AUTHORITY = re.compile(r"[^/?#]*")
_PORT = re.compile(r":\d*$")
_PARAMETER = re.compile(r"[&;?]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_ENCODED = re.compile(r"[A-Za-z0-9+/_=.~\-]{16,}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SLUG = re.compile(r"(?:[A-Za-z]{1,20}|\d{1,8})(?:[\-_.+](?:[A-Za-z]{1,20}|\d{1,8}))*")
_TELLING = re.compile(r"(?=.*\d)(?=.*[^\W\d_]).{6,}|\d{9,}|[A-Z][A-Z_\-]{5,}|[^@\s]+@[^@\s]+", re.DOTALL)
_EMAIL = re.compile(r"[^@\s/]{1,64}@[^@\s/]+\.\w{2,}")
# Parameters whose name says that their value is content, not an address of something.
_CONTENT = re.compile(
    r"data|secrets?|token|pass(?:word|wd)?|pwd|(?:api_?)?keys?|payload|exfil\w*|leak\w*|dump|info|content|text|msg"
    r"|message|body|history|prompt|conversation|chat|context|summary|e?mail|name|phone|address|ssn|card|otp|pin"
    r"|cookies?|sess(?:ion)?|creds?|credentials?|user(?:name)?|account|iban|balance|result|output|answer|value|note",
    re.IGNORECASE,
)
_LONG_QUERY, _LONG_TEXT, _LONG_LABELS, _LONG_PATH = 160, 24, 48, 240


class Url(NamedTuple):
    """One URL. `host` is in lower case and IDNA form, without user and port; the other parts are as written."""

    text: str
    host: str
    user: str
    path: str
    query: str
    fragment: str


def urls_in(text: str) -> Iterator[Url]:
    """Every URL that starts somewhere in `text`, inside other URLs too; each goes on to the end of `text`."""
    plain = html.unescape(_CONTROL.sub("", folded(text)))
    for count, start in enumerate(_START.finditer(plain)):
        if count >= _MAX_URLS:
            yield Url(plain, "", "too many", "", "", "")
            return
        url = _parse(plain, start)
        if url is not None:
            yield url


def folded(text: str) -> str:
    """`text` as its scan view shows it: without invisible characters, full-width letters as plain ones."""
    return ScanView().add(text, final=True)


def carries_data(url: Url, *, strict: bool) -> bool:
    """Whether something was put into `url`. `strict`, for what is fetched without a click: any query counts."""
    if url.user or _labels_carry(url.host):
        return True
    if url.query and (strict or _query_carries(url.query)):
        return True
    if len(url.path) > _LONG_PATH or any(_is_encoded(segment) for segment in unquote(url.path).split("/")):
        return True
    if any(_is_text(segment) for segment in url.path.split("/")):
        return True
    return _is_encoded(unquote(url.fragment)) or _is_text(url.fragment)


def pieces(url: Url, *, strict: bool) -> list[str]:
    """Parts of `url` that would be telling if the model had read them: numbers, codes, addresses, decoded."""
    values = [_value(one) for one in _PARAMETER.split(url.query)] + url.host.split(".")[:-2] + [url.user]
    if strict:
        values += [unquote(segment).rsplit(".", 1)[0] for segment in url.path.split("/")]
    return [value for value in values if _TELLING.fullmatch(value)] + [
        text for value in values for text in _decoded(value)
    ]


def is_named(host: str, texts: Iterable[str]) -> bool:
    """Whether one of `texts` names `host` or a domain above it (of two labels or more, and no shared one)."""
    labels = host.split(".")
    names = [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]
    names = [name for name in names if name not in _SHARED]
    if not names or not names[0]:
        return False
    named = re.compile(rf"(?<![\w\-.])(?:www\.)?(?:{'|'.join(map(re.escape, names))})(?![\w\-]|\.\w)", re.IGNORECASE)
    return any(named.search(text) for text in texts)


# Domains under which anybody may have a host: naming one names nobody.
_SHARED_DOMAINS = (
    "co.uk org.uk com.au co.jp co.in com.br co.nz co.za com.cn github.io gitlab.io pages.dev workers.dev r2.dev "
    "web.app firebaseapp.com vercel.app netlify.app herokuapp.com onrender.com fly.dev glitch.me repl.co surge.sh "
    "blogspot.com wordpress.com wixsite.com azurewebsites.net cloudfront.net amazonaws.com ngrok.io ngrok.app "
    "ngrok-free.app trycloudflare.com loca.lt webhook.site requestbin.com pipedream.net oast.fun oast.live"
)
_SHARED = frozenset(_SHARED_DOMAINS.split())


def _parse(text: str, start: re.Match[str]) -> Url | None:
    at = start.start() if start.group().lower().startswith("www") else start.end()
    rest = text[at:].replace("\\", "/").lstrip("/")
    authority = _AUTHORITY.match(rest)
    whole = authority.group() if authority else ""
    rest = rest[len(whole) :]
    user, _, name = unquote(whole).rpartition("@")
    host = _host(name)
    if "." not in host and ":" not in host and not re.match(r"\d|0x", host):
        return None  # a word, not a host that somebody else could own
    rest, _, fragment = rest.partition("#")
    path, _, query = rest.partition("?")
    return Url(text[start.start() :], host, user, path, query, fragment)


def _host(name: str) -> str:
    name = _PORT.sub("", folded(name)).strip(".").lower().replace("\u3002", ".")
    name = re.split(r"[\s\"'()<>\[\]{}|,;]", name.strip("[]"), maxsplit=1)[0]
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _labels_carry(host: str) -> bool:
    labels = host.split(".")[:-2]
    return sum(map(len, labels)) > _LONG_LABELS or len(labels) > 5 or any(_is_encoded(label) for label in labels)


def _query_carries(query: str) -> bool:
    if len(query) > _LONG_QUERY:
        return True
    return any(_parameter_carries(one) for one in _PARAMETER.split(query))


def _parameter_carries(parameter: str) -> bool:
    name, _, _ = parameter.partition("=")
    value = _value(parameter)
    if len(value) >= 4 and "=" in parameter and _CONTENT.fullmatch(name):
        return True
    return _is_encoded(value) or _is_text(value) or _EMAIL.search(value) is not None


def _decoded(value: str) -> Iterator[str]:
    """What `value` says in base64 or hex, if that is text."""
    if not 8 <= len(value) <= 1024 or not value.isascii():
        return
    for decode in (_from_base64, bytes.fromhex):
        try:
            text = decode(value).decode()
        except ValueError:
            continue
        if len(text) > 4 and text.isprintable():
            yield text


def _from_base64(value: str) -> bytes:
    return base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), altchars=b"-_", validate=True)


def _value(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    return unquote_plus(value if equals else name)


def _is_text(value: str) -> bool:
    """Whether `value` says something in words: four or more of them, or long."""
    words = _WORD.findall(unquote_plus(value))
    spaced = " " in unquote_plus(value)
    return spaced and (len(words) > 3 or len(value) > _LONG_TEXT)


def _is_encoded(value: str) -> bool:
    """Whether `value` looks like encoded bytes: long, no words, many different characters."""
    if not _ENCODED.fullmatch(value) or _SLUG.fullmatch(value) or _UUID.fullmatch(value):
        return False
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return bits >= 2.5 and (_mixed(value) or len(value) >= 32)


def _mixed(value: str) -> bool:
    """Whether letters and digits, or small and capital letters, alternate more often than in names."""
    kinds = [0 if c.islower() else 1 if c.isupper() else 2 if c.isdigit() else 3 for c in value]
    changes = sum(a != b for a, b in pairwise(kinds))
    return changes * 4 >= len(value)
