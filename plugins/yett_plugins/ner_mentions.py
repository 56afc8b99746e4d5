"""From what a model marks to what is reported: the words of one name joined, titles and punctuation left outside.

Nothing here knows a name: the rules are about form (initials, particles, hyphens, commas of an address). Every back
end of the `ner` detector ends here, so that all of them report the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

PERSON: Final = "person"
LOCATION: Final = "location"
ADDRESS: Final = "address"
ORGANIZATION: Final = "organization"
ZIP: Final = "zip"  # part of an address; alone it is one too
SURE: Final = 0.8  # the least probability of a name in small letters beside one with a capital
OTHER: Final = "other"  # the model knows what it is, and that it is none of these

# What models call these things, in lower case and without B-, I- and the like.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("per", "pers", "person", "name", "full_name"), PERSON),
    **dict.fromkeys(("given_name", "givenname", "first_name", "firstname", "middle_name", "middlename"), PERSON),
    **dict.fromkeys(("surname", "last_name", "lastname", "private_person", "patient", "doctor"), PERSON),
    **dict.fromkeys(("loc", "location", "gpe", "city", "state", "country", "county", "fac", "facility"), LOCATION),
    **dict.fromkeys(("address", "street_address", "street", "street_name", "streetname", "building_number"), ADDRESS),
    **dict.fromkeys(("buildingnumber", "buildingnum", "secondary_address", "private_address"), ADDRESS),
    **dict.fromkeys(("zip", "zip_code", "zipcode", "postcode", "postal_code"), ZIP),
    **dict.fromkeys(("org", "organization", "organisation", "company", "company_name", "corporation"), ORGANIZATION),
}
PREFIX = re.compile(r"^(?:[BIESLUMO][-_])?(?P<label>.+)$")

# What may stand between two words of one person's name: space, hyphen, apostrophe, the dot of an initial, an initial,
# a particle. And between the parts of one address: a comma, a line break.
_PARTICLES = "van|von|de|der|den|del|della|di|da|das|dos|du|la|las|le|los|bin|ibn|al|el|zu|ter|ten"
_NAME_GAP = re.compile(rf"[ \t\xa0]*(?:[-‐'’.]|(?:[^\W\d_]\.?|{_PARTICLES})(?:[ \t\xa0]+(?:{_PARTICLES}))?)?[ \t\xa0]*")
_PLAIN_GAP = re.compile(r"[ \t\xa0]*[-‐'’/&.]?[ \t\xa0]*")
_ADDRESS_GAP = re.compile(r"[ \t\xa0]*(?:[,;.#/\-]|,?[ \t\r]*\n)?[ \t\xa0]*")
_TITLE = re.compile(
    r"(?:(?:mrs?|ms|mx|miss|dr|prof|professor|doctor|sir|madam|lord|lady|herr|frau|hr|fr|mme|mlle|monsieur|madame"
    r"|sr|sra|srta|señora?|signora?|sig)\b\.?[ \t\xa0]+)+(?=\S)",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"['’][sS]$|(?<=[sS])['’]$")
_EDGE = " \t\r\n\xa0.,;:!?\"'’‘“”()[]{}<>|*_`~#-–—/\\&@"
_ADDRESS_EDGE = " \t\r\n\xa0.,;:!?\"'’‘“”()[]{}<>|*_`~-–—/\\&@"


class Mention(NamedTuple):
    """A place that a model marked: characters `start` to `end`, what it is (one of the kinds above), 0 to 1."""

    start: int
    end: int
    kind: str
    score: float


def kind_of(label: str, labels: Mapping[str, str]) -> str:
    """The kind that a model's `label` means: as the operator's `labels` say, else by its usual names."""
    found = PREFIX.match(label)
    bare = found["label"].lower() if found else ""
    return labels.get(bare) or KINDS.get(bare, OTHER)


def settled(text: str, marked: Iterable[Mention]) -> list[Mention]:
    """What `marked` says of `text`, by position: parts joined, edges trimmed, what cannot be one dropped."""
    joined = _joined_addresses(text, _joined_words(text, _likely(text, sorted(marked))))
    trimmed = [_trimmed(text, mention) for mention in joined]
    return [mention for mention in trimmed if _stands(text, mention)]


def _likely(text: str, marked: Sequence[Mention]) -> list[Mention]:
    """`marked` without words in small letters that are hardly names, in a text that writes its names with capitals."""
    capitals = any(one.kind == PERSON and text[one.start].isupper() for one in marked)
    return [
        one
        for one in marked
        if not (capitals and one.kind == PERSON and one.score < SURE and text[one.start].islower())
    ]


def _joined_words(text: str, marked: Sequence[Mention]) -> list[Mention]:
    """Neighbours of one kind as one mention."""
    joined: list[Mention] = []
    for mention in marked:
        last = joined[-1] if joined else None
        if last is not None and last.kind == mention.kind:
            gap = _NAME_GAP if mention.kind == PERSON else _ADDRESS_GAP if mention.kind == ADDRESS else _PLAIN_GAP
            if mention.start <= last.end or gap.fullmatch(text, last.end, mention.start):
                joined[-1] = _union(last, mention, last.kind)
                continue
        joined.append(mention)
    return joined


def _joined_addresses(text: str, marked: Sequence[Mention]) -> list[Mention]:
    """Street, town and postal code that stand together are one address; a town by itself stays a place."""
    joined: list[Mention] = []
    for mention in marked:
        last = joined[-1] if joined else None
        if last is not None and _one_address(last.kind, mention.kind) and _near(text, last, mention):
            street = ADDRESS in {last.kind, mention.kind}
            joined[-1] = _union(last, mention, ADDRESS if street or mention.kind == ZIP else LOCATION)
            continue
        joined.append(mention)
    return [mention._replace(kind=ADDRESS) if mention.kind == ZIP else mention for mention in joined]


def _one_address(first: str, second: str) -> bool:
    parts = {first, second}
    return parts <= {ADDRESS, ZIP, LOCATION} and bool(parts & {ADDRESS, ZIP})


def _near(text: str, first: Mention, second: Mention) -> bool:
    return second.start <= first.end or _ADDRESS_GAP.fullmatch(text, first.end, second.start) is not None


def _union(first: Mention, second: Mention, kind: str) -> Mention:
    return Mention(first.start, max(first.end, second.end), kind, max(first.score, second.score))


def _trimmed(text: str, mention: Mention) -> Mention:
    """`mention` without titles, possessive and punctuation at its edges."""
    start, end = mention.start, mention.end
    edge = _ADDRESS_EDGE if mention.kind == ADDRESS else _EDGE
    while start < end and text[start] in edge:
        start += 1
    while end > start and text[end - 1] in edge:
        end -= 1
    if mention.kind == PERSON and (title := _TITLE.match(text, start, end)):
        start = title.end()
    if owned := _POSSESSIVE.search(text[start:end]):
        end = start + owned.start()
    return Mention(start, end, mention.kind, mention.score)


def _stands(text: str, mention: Mention) -> bool:
    """Whether `mention` can be what it is said to be: letters in a name, more than a character of most scripts."""
    found = text[mention.start : mention.end]
    letters = sum(map(str.isalpha, found))
    if mention.kind == OTHER:
        return False
    if mention.kind == ADDRESS:
        return len(found) > 2
    wide = any(character > "\u02af" for character in found)  # one character of some scripts is a name
    return letters >= (1 if wide else 2) and letters * 2 > len(found)
