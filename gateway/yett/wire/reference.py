"""The reference tokens of JSON pointers (RFC 6901), written and read.

One addition to the RFC: a `#` in a member name is written `~2`, so that in `/outer#/inner` (a pointer into JSON inside
a string) the first bare `#` always divides.
"""

from __future__ import annotations

import re

_NEEDS_ESCAPE = re.compile("[~/#]")
_PLAIN_NAME = re.compile("[a-z][a-z_]{0,31}|[0-9]{1,6}")
_TOKEN = re.compile("[^/#]+")


def escape(token: str) -> str:
    """`token` as one reference token of a pointer."""
    if _NEEDS_ESCAPE.search(token) is None:
        return token
    return token.replace("~", "~0").replace("/", "~1").replace("#", "~2")


def tokens(pointer: str) -> list[str]:
    """The unescaped reference tokens of `pointer` (which has no inner part). Raises ValueError on a malformed one."""
    if not pointer:
        return []
    if pointer[0] != "/":
        raise ValueError("a JSON pointer starts with /")
    parts = pointer[1:].split("/")
    if "~" not in pointer:
        return parts
    return [part.replace("~2", "#").replace("~1", "/").replace("~0", "~") for part in parts]


def public(pointer: str) -> str:
    """`pointer` as it may stand in an error or a log: member names that are not plain lower-case words become `*`.

    Names come from clients and models; one that holds an address, a number or a key must not be repeated.
    """
    return _TOKEN.sub(lambda part: part.group() if _PLAIN_NAME.fullmatch(part.group()) else "*", pointer)
