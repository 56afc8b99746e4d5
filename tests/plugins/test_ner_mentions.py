"""What models mark, joined and trimmed to what is reported."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett_plugins.ner_mentions import KINDS, Mention, kind_of, settled

SHORT = {"P": "person", "L": "location", "A": "address", "O": "organization", "Z": "zip", "X": "other"}


def marked(text: str) -> tuple[str, list[Mention]]:
    """`{P:Ada} {P:Lovelace}` -> the text without the marks, and a mention for each."""
    plain, mentions, at = "", [], 0
    while (start := text.find("{", at)) >= 0:
        end = text.index("}", start)
        plain += text[at:start]
        inner = text[start + 3 : end]
        mentions.append(Mention(len(plain), len(plain) + len(inner), SHORT[text[start + 1]], 0.5 + len(mentions) / 100))
        plain += inner
        at = end + 1
    return plain + text[at:], mentions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{P:Ada} {P:Lovelace} wrote", {"Ada Lovelace": "person"}),
        ("{P:Ada}, {P:Charles} wrote", {"Ada": "person", "Charles": "person"}),
        ("{P:Ada}\n{P:Charles}", {"Ada": "person", "Charles": "person"}),
        ("{P:Ada} and {P:Charles}", {"Ada": "person", "Charles": "person"}),
        ("{P:John} F. {P:Kennedy}", {"John F. Kennedy": "person"}),
        ("{P:J}. {P:R}. {P:Tolkien}", {"J. R. Tolkien": "person"}),
        ("{P:Jean}-{P:Luc} {P:Picard}", {"Jean-Luc Picard": "person"}),
        ("{P:O}'{P:Brien}", {"O'Brien": "person"}),
        ("{P:Ludwig} van {P:Beethoven}", {"Ludwig van Beethoven": "person"}),
        ("{P:Juan} de la {P:Cruz}", {"Juan de la Cruz": "person"}),
        ("{P:Mr. Smith} came", {"Smith": "person"}),
        ("{P:Prof. Dr. Weber}", {"Weber": "person"}),
        ("{P:Ada} {P:shouted} at him", {"Ada": "person"}),
        ("the {P:girl} {P:Ada} came", {"Ada": "person"}),
        ("{P:ada} came", {"ada": "person"}),
        ("{P:van Gogh} painted", {"van Gogh": "person"}),
        ("{P:Hans von der Heide}", {"Hans von der Heide": "person"}),
        ("{P:ada lovelace} wrote", {"ada lovelace": "person"}),
        ("{P:Frau} came", {"Frau": "person"}),  # a title alone may be a name
        ("{P:Ada's} book", {"Ada": "person"}),
        ("{P:James'} book", {"James": "person"}),
        ("{P:(Ada),} she", {"Ada": "person"}),
        ("{P:王}说", {"王": "person"}),
        ("{P:Анна Каренина}", {"Анна Каренина": "person"}),
        ("{P:7} {P:x} {P:...}", {}),
        ("{P:12a}", {}),
        ("{A:12} {A:Elm Street}, {L:Springfield}", {"12 Elm Street, Springfield": "address"}),
        ("{A:12 Elm St}\n{L:Springfield}, {L:IL} {Z:62704}", {"12 Elm St\nSpringfield, IL 62704": "address"}),
        ("{A:Apt. 4}\n\n{L:Paris}", {"Apt. 4": "address", "Paris": "location"}),
        ("{L:Springfield}, {Z:62704}", {"Springfield, 62704": "address"}),
        ("in {Z:62704} now", {"62704": "address"}),
        ("{L:New} {L:York}", {"New York": "location"}),
        ("{L:Paris}, {L:France}", {"Paris": "location", "France": "location"}),
        ("{A:12}", {}),
        ("{O:Marks} & {O:Spencer}", {"Marks & Spencer": "organization"}),
        ("{O:Acme}, {O:Initech}", {"Acme": "organization", "Initech": "organization"}),
        ("{P:Ada} {O:Acme}", {"Ada": "person", "Acme": "organization"}),
        ("{X:ada@example.com}", {}),
        ("nothing", {}),
    ],
)
def test_what_is_reported(text, expected):
    plain, mentions = marked(text)
    assert {plain[one.start : one.end]: one.kind for one in settled(plain, mentions)} == expected


def test_the_strongest_part_says_how_sure():
    plain, mentions = marked("{P:Ada} {P:Lovelace}")
    assert [one.score for one in settled(plain, mentions)] == [max(one.score for one in mentions)]


def test_a_sure_name_in_small_letters_stands_beside_one_with_a_capital():
    text = "John smith came"
    mentions = [Mention(0, 4, "person", 0.9), Mention(5, 10, "person", 0.8)]
    assert [text[one.start : one.end] for one in settled(text, mentions)] == ["John smith"]


def test_the_order_of_marks_does_not_matter():
    plain, mentions = marked("{P:Ada} {P:Lovelace} of {L:London}, {O:Royal} {O:Society}")
    assert settled(plain, reversed(mentions)) == settled(plain, mentions)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("B-PER", "person"),
        ("I-GIVEN_NAME", "person"),
        ("S-SURNAME", "person"),
        ("PERSON", "person"),
        ("E-LOC", "location"),
        ("GPE", "location"),
        ("B-ORG", "organization"),
        ("B-STREET_NAME", "address"),
        ("B-ZIP_CODE", "zip"),
        ("B-MISC", "other"),
        ("I-EMAIL", "other"),
        ("LABEL_3", "other"),
        ("", "other"),
    ],
)
def test_labels_are_known_by_their_usual_names(label, kind):
    assert kind_of(label, {}) == kind


def test_the_operator_says_what_a_label_means():
    assert kind_of("B-NOME", {"nome": "person"}) == "person"
    assert kind_of("LABEL_3", {"label_3": "location"}) == "location"
    assert kind_of("PER", {"per": "organization"}) == "organization"
    assert all(name == name.lower() for name in KINDS)


TEXT = st.text(alphabet="Ab .,'-\n1王é", max_size=24)
MARKS = st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24), st.sampled_from(sorted(SHORT.values()))), max_size=8)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(TEXT, MARKS)
def test_whatever_is_marked_stays_in_the_text_and_apart(text, marks):
    mentions = [Mention(min(a, b), max(a, b), kind, 0.5) for a, b, kind in marks if a != b and max(a, b) <= len(text)]
    found = settled(text, mentions)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert all(one.kind in {"person", "location", "address", "organization"} for one in found)
    assert all(text[one.start].strip() and text[one.end - 1].strip() for one in found)
    assert found == sorted(found)
