"""National numbers: known ones, and the differential proof that each check answers as Presidio's own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import regex

from helpers.detectors import CACHE
from helpers.regex_samples import samples
from yett.detector import Validator
from yett_plugins import pii_numbers as numbers
from yett_plugins import presidio
from yett_plugins.pii_countries import Entry, entries
from yett_plugins.pii_presidio import checked

CHECKS: dict[str, Validator | None] = {entry.entity: entry.check for entry in entries()}

# Published examples (python-stdnum, Presidio's and the issuers' documentation), and each with its last place changed.
KNOWN = {
    "US_NPI": ("1245319599", "1245319598"),
    "ABA_ROUTING_NUMBER": ("111000025", "111000026"),
    "MEDICAL_LICENSE": ("BB1388568", "BB1388569"),
    "DE_TAX_ID": ("36574261809", "36574261800"),
    "DE_SOCIAL_SECURITY": ("65170839J003", "65170839J004"),
    "DE_HEALTH_INSURANCE": ("A123456780", "A123456781"),
    "ES_NIF": ("54362315K", "54362315L"),
    "ES_NIE": ("X-2482300W".replace("-", ""), "X2482300A"),
    "FI_PERSONAL_IDENTITY_CODE": ("131052-308T", "131052-308U"),
    "IT_VAT_CODE": ("00743110157", "00743110158"),
    "PL_PESEL": ("44051401359", "44051401358"),
    "SE_PERSONNUMMER": ("880320-0016", "880320-0018"),
    "SE_ORGANISATIONSNUMMER": ("212000-0142", "212000-0143"),
    "TR_NATIONAL_ID": ("17291716060", "17291716050"),
    "UK_NHS": ("943 476 5870", "943 476 5871"),
    "IN_AADHAAR": ("2341 2341 2346", "2341 2341 2347"),
    "KR_BRN": ("220-81-62517", "220-81-62518"),
    "SG_UEN": ("T01FC6132D", "T01FC6132E"),
    "TH_TNIN": ("1234545678781", "1234545678782"),
    "AU_ABN": ("51 824 753 556", "51 824 753 557"),
    "AU_ACN": ("004 085 616", "004 085 617"),
    "AU_TFN": ("123 456 782", "123 456 783"),
    "AU_MEDICARE": ("2123 45670 1", "2123 45671 1"),
    "ZA_ID_NUMBER": ("7503305044089", "7503305044088"),
}


@pytest.mark.parametrize("entity", KNOWN)
def test_known_numbers(entity: str) -> None:
    check, (right, wrong) = CHECKS[entity], KNOWN[entity]
    assert check is not None
    assert check(right) is True
    assert check(wrong) is False


PERHAPS: dict[str, tuple[Validator | None, str, bool | None]] = {
    "fiscal code, right": (numbers.italian_fiscal_code, "RCCMNL83S18D969H", True),
    "fiscal code, wrong letter": (numbers.italian_fiscal_code, "RCCMNL83S18D969I", None),
    "German VAT, right": (numbers.german_vat, "DE 136 695 976", True),
    "German VAT, wrong": (numbers.german_vat, "DE136695978", None),
    "Canadian SIN, right": (CHECKS["CA_SIN"], "123-456-782", None),
    "Canadian SIN, wrong": (CHECKS["CA_SIN"], "123-456-783", False),
    "NRIC, right": (numbers.singapore_person, "S1234567D", True),
    "NRIC, wrong": (numbers.singapore_person, "S1234567E", False),
    "FIN of the M series": (numbers.singapore_person, "M1234567K", True),
    "NRIC of no series": (numbers.singapore_person, "A1234567D", None),
    "Korean RRN without check digit": (numbers.korean_resident, "960121-1234567", None),
    "old German identity card": (numbers.german_identity_card, "T22000129", None),
    "UK licence of nobody": (numbers.british_driver, "99999610112A99AA", False),
    "UK plate never issued": (numbers.british_vehicle, "AB40 XYZ", False),
    "UK plate of an older form": (numbers.british_vehicle, "A123 BCD", None),
    "Indian plate of a known district": (numbers.indian_vehicle({"KA": frozenset({"53"})}), "KA53ME3456", True),
    "Indian plate of no district": (numbers.indian_vehicle({"KA": frozenset({"53"})}), "KA99ME3456", None),
    "birth in the future": (CHECKS["ZA_ID_NUMBER"], "9902310000080", False),
    "all zeros": (CHECKS["IT_VAT_CODE"], "00000000000", False),
}


@pytest.mark.parametrize("name", PERHAPS)
def test_answers_between_certain_and_refused(name: str) -> None:
    check, text, answer = PERHAPS[name]
    assert check is not None
    assert check(text) is answer


SAMPLES, REPAIRED = 400, 40
LAST = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

ASK_PRESIDIO = """
import json, sys
from presidio_analyzer import predefined_recognizers as p
for line in sys.stdin:
    name, texts = json.loads(line)
    recognizer, answers = getattr(p, name)(), []
    for text in texts:
        valid = recognizer.validate_result(text)
        answers.append(False if recognizer.invalidate_result(text) else valid if valid is None else bool(valid))
    print(json.dumps(answers))
"""

# The IBAN recogniser is tried on shrinking texts, e-mail by another rule (docs/pii.md): test_pii_data compares them.
COMPARED = [entry for entry in entries() if entry.recognizer not in {"IbanRecognizer", "EmailRecognizer"}]


def candidates(entry: Entry, pack: presidio.Pack) -> list[str]:
    """Texts that Presidio's patterns for `entry` match, as its validator would be given them."""
    found: dict[str, None] = {}
    for pattern in checked(pack, entry).patterns:
        texts = samples(pattern.regex, SAMPLES, entry.entity)
        exact = regex.compile(pattern.regex.removeprefix("(?s)"), regex.IGNORECASE | regex.ASCII)
        found.update(dict.fromkeys(texts))
        for text in texts[-REPAIRED:]:  # one of these has the right check digit or letter
            found.update((text[:-1] + c, None) for c in LAST if exact.fullmatch(text[:-1] + c))
    return list(found)


@pytest.mark.proof
def test_each_check_answers_as_presidios() -> None:
    pack = presidio.load(CACHE)
    texts = {entry.recognizer: candidates(entry, pack) for entry in COMPARED}
    given = "\n".join(json.dumps(item) for item in texts.items())
    done = subprocess.run([sys.executable, "-c", ASK_PRESIDIO], input=given, capture_output=True, text=True, check=True)
    different = {}
    for entry, line in zip(COMPARED, done.stdout.splitlines(), strict=True):
        check = checked(pack, entry).validator
        answers = [check(text) if check else None for text in texts[entry.recognizer]]
        pairs = zip(texts[entry.recognizer], answers, json.loads(line), strict=True)
        different[entry.recognizer] = [pair for pair in pairs if pair[1] != pair[2]]
        print(entry.entity, len(answers), {str(a): answers.count(a) for a in (True, False, None)})
    assert {name: pairs[:3] for name, pairs in different.items() if pairs} == {}
    assert sum(map(len, texts.values())) > 60_000
