"""Ways to write a text so that people (or a decoder) still read it and a naive pattern does not."""

from __future__ import annotations

import base64
import codecs
import unicodedata
from collections.abc import Callable, Mapping

CYRILLIC = dict(zip("aceijopsxyABCEHIKMOPSTXY", "асеіјорѕхуАВСЕНІКМОРЅТХУ", strict=True))
GREEK = dict(zip("aiouvABEHIKMNOPTXYZ", "αιουνΑΒΕΗΙΚΜΝΟΡΤΧΥΖ", strict=True))
SMALL_CAPITALS = dict(zip("abcdefghijklmnopqrtuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀᴛᴜᴠᴡʏᴢ", strict=True))
LEET = str.maketrans("aeiost", "4310$7")


def table(mapping: Mapping[str, str]) -> Callable[[str], str]:
    """Each character by what `mapping` has for it."""
    return lambda text: "".join(mapping.get(c, c) for c in text)


def between(sign: str) -> Callable[[str], str]:
    """`sign` between all characters."""
    return sign.join


def after(sign: str) -> Callable[[str], str]:
    """`sign` after each letter and digit."""
    return lambda text: "".join(c + sign if c.isalnum() else c for c in text)


def block(upper: int, lower: int, digit: int = 0) -> Callable[[str], str]:
    """Letters and digits of a block of compatibility forms; 0: the block has none."""

    def one(c: str) -> str:
        if "A" <= c <= "Z" and upper:
            return chr(upper + ord(c) - 65)
        if "a" <= c <= "z" and lower:
            return chr(lower + ord(c) - 97)
        return chr(digit + ord(c) - 48) if "0" <= c <= "9" and digit else c

    return lambda text: "".join(map(one, text))


def name_of(c: str, prefix: str) -> str:
    """The character that `prefix` and `c` name; `c` where there is none."""
    try:
        return unicodedata.lookup(f"{prefix} {c}")
    except KeyError:
        return c


def circled(text: str) -> str:
    """Letters and digits in circles."""
    digits = {"0": "\u24ea"} | {str(n): chr(0x245F + n) for n in range(1, 10)}
    return table(digits)(block(0x24B6, 0x24D0)(text))


def b64(text: str) -> str:
    """base64."""
    return base64.b64encode(text.encode()).decode()


def percent(text: str) -> str:
    """Every byte percent-encoded."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def alternating(text: str) -> str:
    """Letters in alternating case."""
    return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(text))


# Those that keep every value as it is but for its writing: detectors must find what they find in the plain text.
DISGUISES: dict[str, Callable[[str], str]] = {
    "fullwidth": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "math bold": block(0x1D400, 0x1D41A, 0x1D7CE),
    "math sans italic": block(0x1D608, 0x1D622, 0x1D7E2),
    "math script": block(0x1D4D0, 0x1D4EA, 0x1D7EC),
    "math monospace": block(0x1D670, 0x1D68A, 0x1D7F6),
    "circled": circled,
    "negative squared capitals": block(0x1F170, 0),
    "arabic digits": block(0, 0, 0x660),
    "devanagari digits": block(0, 0, 0x966),
    "cyrillic": table(CYRILLIC),
    "greek": table(GREEK),
    "zero-width space": between("\u200b"),
    "zero-width joiner": between("\u200d"),
    "byte order mark": between("\ufeff"),
    "word joiner": between("\u2060"),
    "soft hyphen": between("\u00ad"),
    "combining acute": after("\u0301"),
    "combining stroke": after("\u0336"),
    "enclosing circle": after("\u20dd"),
    "variation selectors": after("\ufe0f"),
    "tag characters": between("\U000e0061"),
    "bidi isolates": lambda text: f"\u2067{text[:3]}\u2069\u2066{text[3:]}\u2069",
    "bidi marks": between("\u200f"),
    "hangul filler": between("\u3164"),
    "braille blank": between("\u2800"),
    "ansi colours": between("\x1b[31m"),
    "terminal links": lambda text: f"{text[:4]}\x1b]8;;https://x.example\x1b\\{text[4:]}\x1b]8;;\x1b\\",
    "base64": b64,
    "base64 url-safe": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 twice": lambda text: b64(b64(text)),
    "base64 of utf-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex pairs": lambda text: text.encode().hex(" "),
    "hex 0x": lambda text: " ".join(f"0x{byte:02x}" for byte in text.encode()),
    "hex of base64": lambda text: b64(text).encode().hex(),
    "hex escapes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "percent": percent,
    "percent twice": lambda text: percent(text).replace("%", "%25"),
    "percent of marks": lambda text: "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in text),
    "html entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "html hex entities": lambda text: "".join(f"&#x{ord(c):X};" for c in text),
    "json escapes": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "json in json": lambda text: "".join(f"\\\\u{ord(c):04x}" for c in text),
    "javascript escapes": lambda text: "".join(f"\\u{{{ord(c):x}}}" for c in text),
    "markdown escapes": lambda text: "".join(c if c.isalnum() or c == " " else "\\" + c for c in text),
}

# Those that change letters, for values whose letters do not matter and for keyword rules.
LETTER_DISGUISES: dict[str, Callable[[str], str]] = {
    "small capitals": table(SMALL_CAPITALS),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "alternating case": alternating,
}

# Those that only keyword rules read (`yett.wire.squash`).
KEYWORD_DISGUISES: dict[str, Callable[[str], str]] = {
    "leetspeak": lambda text: text.translate(LEET),
    "spaced letters": lambda text: "  ".join(" ".join(word) for word in text.split(" ")),
    "dotted letters": lambda text: " ".join(".".join(word) for word in text.split(" ")),
    "accents": lambda text: unicodedata.normalize("NFC", after("\u0301")(text)),
    "regional indicators": block(0, 0x1F1E6),
    "negative circled": lambda text: block(0x1F150, 0)(text.upper()),
}
