r"""Ways to write a character with several others: `%40`, `\u0040`, `&#64;`, and terminal sequences that show nothing.

They are read where they stand, so that a value written with them is found at its very place. Escapes within escapes
(`%2540`, `\\u0040`, `&amp;#64;`) are read through. Every sequence is bounded, so a stream waits for a few characters.
"""

from __future__ import annotations

import re
from html.entities import html5

TRIGGERS = "%\\&\x1b"

_H = "[0-9A-Fa-f]"
_P = "%(?:25){0,3}"
_MORE = f"{_P}[89ABab]{_H}"
_PERCENT = f"{_P}(?:[0-7]{_H}|[CDcd]{_H}{_MORE}|[Ee]{_H}(?:{_MORE}){{2}}|[Ff][0-7](?:{_MORE}){{3}})"
_B = r"\\{1,4}"
_BACKSLASH = (
    rf"{_B}(?:u[dD][89ABab]{_H}{{2}}{_B}u[dD][C-Fc-f]{_H}{{2}}|u{_H}{{4}}|u\{{{_H}{{1,6}}\}}|U{_H}{{8}}|x{_H}{{2}}"
    r"|[bfnrt!-/:-@\[\]^-`{-~])"
)
_ENTITY = f"&(?:amp;){{0,3}}(?:#[0-9]{{1,8}};?|#[xX]{_H}{{1,8}};?|[A-Za-z]{{2,18}};)"
_ANSI = r"\x1b(?:\[[?>=<]?(?:[0-9]{1,4}(?:[;:][0-9]{0,4}){0,15})?[A-Za-z]|\][^\x07\x1b\n]{0,1024}(?:\x07|\x1b\\))"

SEQUENCE = f"{_PERCENT}|{_BACKSLASH}|{_ENTITY}|{_ANSI}"
# What may still become a sequence, or a longer one, when more text comes.
OPEN = (
    rf"(?:%[%0-9A-Fa-f]{{0,35}}|{_B}(?:[uU][{{0-9A-Fa-f]{{0,8}}(?:{_B}u?{_H}{{0,3}})?|x{_H}?)?|&[A-Za-z0-9#;]{{0,31}}"
    r"|\x1b(?:\[[?>=<]?[0-9;:]{0,80}|\][^\x07\x1b\n]{0,1024}\x1b?)?)\Z"
)

_SEQUENCES = re.compile(SEQUENCE)
_OPEN = re.compile(OPEN)
_PERCENT_BYTE = re.compile(f"{_P}({_H}{{2}})")
_UNITS = re.compile(rf"u\{{?({_H}+)")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SURROGATES = range(0xD800, 0xE000)
_HIGHEST = 0x10FFFF


def has_sequences(text: str) -> bool:
    """Whether `text` has a whole sequence."""
    return _triggered(text) and _SEQUENCES.search(text) is not None


def may_have_sequences(text: str) -> bool:
    """Whether `text` has a sequence, or ends with what may become one."""
    return _triggered(text) and (_SEQUENCES.search(text) is not None or _OPEN.search(text) is not None)


def read(sequence: str) -> str:
    """The character that `sequence` stands for; the sequence itself where it stands for none; nothing for terminals."""
    first = sequence[0]
    if first == "%":
        code = bytes(int(found[1], base=16) for found in _PERCENT_BYTE.finditer(sequence))
        return code.decode("utf-8", "replace")
    if first == "&":
        return _entity(sequence)
    return "" if first == "\x1b" else _backslash(sequence.lstrip("\\"))


def _triggered(text: str) -> bool:
    return "%" in text or "\\" in text or "&" in text or "\x1b" in text


def _backslash(rest: str) -> str:
    if rest[0] == "u":
        units = [int(found[1], base=16) for found in _UNITS.finditer(rest)]
        if len(units) == 2:
            return chr(0x10000 + ((units[0] - 0xD800) << 10) + units[1] - 0xDC00)
        return _character(units[0])
    if rest[0] in "Ux":
        return _character(int(rest[1:], base=16))
    return _SHORT.get(rest, rest)


def _entity(sequence: str) -> str:
    name = sequence[1:]
    while name.startswith("amp;") and len(name) > len("amp;"):
        name = name[len("amp;") :]
    if name[0] != "#":
        return html5.get(name, sequence)
    digits = name[1:].rstrip(";")
    return _character(int(digits[1:], base=16) if digits[0] in "xX" else int(digits))


def _character(code: int) -> str:
    return "?" if code in _SURROGATES or code > _HIGHEST else chr(code)
