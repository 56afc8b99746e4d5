from __future__ import annotations

import pytest

from yett.evaluation.cases import Case, Gold, Kind
from yett.evaluation.labels import Vocabulary, parse_map

CODES = frozenset({"pii.email", "pii.phone", "pii.id.de", "pii.id.fr", "pii.age", "injection.override", "secret.aws"})


@pytest.mark.parametrize(
    ("label", "entity"),
    [
        pytest.param("EMAIL_ADDRESS", "pii.email", id="known label"),
        pytest.param("EMAIL", "pii.email", id="other word for it"),
        pytest.param("AGE", "pii.age", id="by the code's own name"),
        pytest.param("PERSON", None, id="no detector"),
        pytest.param("ZODIAC", None, id="unknown label"),
    ],
)
def test_a_label_means_a_code_that_some_detector_has(label: str, entity: str | None) -> None:
    assert Vocabulary(CODES).entity(label) == entity


def test_a_mapping_goes_before_what_is_built_in_and_may_be_a_pattern() -> None:
    words = Vocabulary(CODES, parse_map(["NATIONAL_ID=pii.id.*", "EMAIL=pii.phone"]))
    assert words.entity("NATIONAL_ID") == "pii.id.*"
    assert words.of_codes(["NATIONAL_ID", "EMAIL"]) == {
        "pii.id.de": "pii.id.*",
        "pii.id.fr": "pii.id.*",
        "pii.phone": "pii.phone",
    }


def test_a_code_written_out_goes_before_a_pattern() -> None:
    words = Vocabulary(CODES, parse_map(["ID=pii.id.*", "DE=pii.id.de"]))
    assert words.of_codes(["ID", "DE"])["pii.id.de"] == "pii.id.de"


def test_several_codes_of_one_label_add_up() -> None:
    assert parse_map(["A=x.b", "A=x.c"]) == {"A": ("x.b", "x.c")}
    words = Vocabulary(frozenset({"x.b", "x.c"}), parse_map(["A=x.b", "A=x.c"]))
    assert words.of_codes(["A"]) == {"x.b": "x.b x.c", "x.c": "x.b x.c"}


@pytest.mark.parametrize("entry", ["A", "=x", "A=", "A=x y"])
def test_a_mapping_that_is_none_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is not LABEL=code"):
        parse_map([entry])


def test_a_task_counts_the_codes_of_its_family() -> None:
    assert Vocabulary(CODES).task_codes("attack") == ("injection.override",)
    assert Vocabulary(CODES).task_codes("secret") == ("secret.aws",)
    assert Vocabulary(frozenset({"pii.email"})).task_codes("attack") == ()
    assert Vocabulary(CODES, {"attack": ("pii.id.*",)}).task_codes("attack") == ("pii.id.de", "pii.id.fr")


def test_what_no_detector_can_find_is_listed_not_scored() -> None:
    cases = [
        Case("f", 1, "", "abc", Kind.SPANS, spans=(Gold(0, 1, "PERSON"), Gold(1, 2, "EMAIL"), Gold(2, 3, "PERSON"))),
        Case("f", 2, "", "abc", Kind.LABEL, task="attack", positive=True),
        Case("f", 3, "", "abc", Kind.NEGATIVE, negative_for=("CRYPTO", "EMAIL")),
    ]
    assert Vocabulary(frozenset({"pii.email"})).not_scored(cases) == {"CRYPTO": 1, "PERSON": 2, "attack": 1}
