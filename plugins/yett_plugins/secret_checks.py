"""The validators that rules of `secrets.toml` name: what a regex cannot say about a secret.

Each is given the secret: True = certain, False = none, None = as its pattern says.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from yett.detector import Validator

_FILL = re.compile(r"[xX*.]+")
_PLACEHOLDER = re.compile(
    r"(?i)^(?:[$<{%\[*].*|\W*|x{3,}|.*\b(?:your|my|example|placeholder|redacted|changeme|dummy)[_\-]?.*"
    r"|(?:db_?|user_?)?pass(?:word|wd)?|pwd|secret)$"
)
_WORDS = re.compile(r"(?i)[$<{%]|example|placeholder|change|your|password|dummy|test|todo")
_GITLAB_LENGTHS = {
    "glpat": (20, 300),
    "glcbt": (20, 26),
    "glimt": (25, 25),
    "glptt": (40, 40),
    "glagent": (50, 500),
    "gloas": (64, 64),
    "glrt": (20, 300),
}


def checks() -> Mapping[str, Validator]:
    """All validators by the names that rules use."""
    named: tuple[Validator, ...] = (
        anything,
        encoded_login,
        gitlab_length,
        jwt,
        mixed,
        not_a_word,
        not_filled,
        opaque,
        password,
        with_digit,
    )
    return {check.__name__: check for check in named}


def anything(_text: str) -> bool | None:
    """Whatever the regex matched."""
    return None


def not_filled(text: str) -> bool | None:
    """`sk-xxxxxxxx` and `ghp_********` stand for a key and are none; published example keys count as keys."""
    body = max(re.split(r"[_\-.:]", text), key=len)
    return False if _FILL.fullmatch(body[4:]) else None


def with_digit(text: str) -> bool | None:
    """No words put together (`fw_update_configuration`): a key of this length has digits."""
    return None if any(c.isdigit() for c in text) and not_filled(text) is None else False


def opaque(text: str) -> bool | None:
    """Not a name from code (`get_token_v2`): random letters and digits of this length have several digits."""
    return None if sum(c.isdigit() for c in text) >= 2 and not _WORDS.search(text) else False


def mixed(text: str) -> bool | None:
    """Random letters and digits, not a hash or a name: both cases and digits."""
    return any(c.islower() for c in text) and any(c.isupper() for c in text) and any(c.isdigit() for c in text)


def jwt(text: str) -> bool | None:
    """The first part decodes to a JOSE header."""
    head = text.split(".", 1)[0]
    try:
        header = base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))
    except (binascii.Error, ValueError):
        return False
    named = b'"alg"' in header or b'"typ"' in header
    return named and header[:1] == b"{" and header.rstrip()[-1:] == b"}"


def gitlab_length(text: str) -> bool | None:
    """Each kind of GitLab token has its length; a routable one ends in two short parts more."""
    prefix, body = ("GR1348941", text[9:]) if text.startswith("GR") else text.split("-", 1)
    least, most = _GITLAB_LENGTHS.get(prefix, (20, 50))
    return least <= len(body.partition(".")[0]) <= most and not_filled(text) is not False


def not_a_word(text: str) -> bool | None:
    """A value with the variety of a password, not a placeholder or plain words."""
    if len(set(text)) < 6 or _WORDS.search(text):
        return False
    kinds = (any(c.isdigit() for c in text), any(c.islower() for c in text), any(c.isupper() for c in text))
    return sum(kinds) >= 2


def password(text: str) -> bool | None:
    """Not a placeholder: `${PASS}`, `<password>`, `***`, `your_password`, the word itself."""
    return False if _PLACEHOLDER.match(text) else None


def encoded_login(text: str) -> bool | None:
    """Base64 of `user:password` in printable characters."""
    try:
        login = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    user, colon, secret = login.partition(":")
    return bool(user and colon and secret) and login.isprintable() and password(secret) is None
