r"""The `yett` pack: patterns that go beyond Presidio's, and the two detectors that both packs share.

Most patterns begin with `\b`: one test then settles the inside of every word for all of them, which keeps streams
cheap. Long runs are unbounded and end with `max_len`, because counting them makes RE2's automata large. A candidate
that its validator refuses still ends the search there, so boundaries and lengths are exact.
"""

from __future__ import annotations

from collections.abc import Iterable

from yett.detector import Detector, Pattern
from yett_plugins import pii_checks as checks
from yett_plugins.pii_countries import Entry
from yett_plugins.pii_national import END, START, national
from yett_plugins.pii_words import BIRTH_WORDS
from yett_plugins.presidio import Pack

# Countries by the length of their IBAN (SWIFT registry): the length ends the match, not what happens to follow.
IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
MONTHS = (
    "jan(?:uary|uar|vier|ner)?|feb(?:ruary|ruar|rero|braio)?|f[ée]v(?:rier|ereiro)?|mar(?:ch|s|zo|ço)?|m[äa]rz|maart"
    "|apr(?:il|ile)?|avril|abril|may|mayo|mai|mei|maio|maggio|june?|juni|juin|junio|junho|giugno|july?|juli|juillet"
    "|julio|julho|luglio|aug(?:ust|ustus|usti)?|août|agosto|sept?(?:ember|embre|iembre)?|set(?:tembre|embro)|oct(?:ober"
    "|obre|ubre)?|okt(?:ober)?|ottobre|outubro|nov(?:ember|embre|iembre|embro)?|dec(?:ember|embre)?|dez(?:ember|embro)?"
    "|d[ée]cembre|dicembre|diciembre|enero|ene|gennaio|janeiro"
)
LETTERS = "À-ԯ"  # Latin, Greek and Cyrillic beyond ASCII: not scripts that write without spaces
GAP = r"[ .\-\xa0]{1,3}"


def yett_pack(data: Pack, entries: Iterable[Entry]) -> tuple[Detector, ...]:
    """One detector for each of `entries`; `data` lends its context words and weak SSN patterns. Raises PluginError."""
    own = {
        "EMAIL_ADDRESS": _email,
        "CREDIT_CARD": _card,
        "IBAN_CODE": _iban,
        "IP_ADDRESS": _ip,
        "US_SSN": _ssn,
        "CRYPTO": _crypto,
        "URL": _url,
    }
    return tuple(own[e.entity](data) if e.entity in own else national(data, e) for e in entries)


def shared_detectors() -> tuple[Detector, ...]:
    """What Presidio has no recogniser for: credentials in URLs, dates of birth."""
    return (_url_credentials(), _date_of_birth())


def _email(data: Pack) -> Detector:
    rest, label = rf"[\w{LETTERS}.%+'\-]*", rf"[A-Za-z0-9{LETTERS}][\w{LETTERS}\-]*"
    top = rf"(?:xn--[A-Za-z0-9\-]+|[A-Za-z{LETTERS}]{{2,24}})"
    host = rf"@(?:{label}\.)+{top}(?![\w{LETTERS}@]|-\w)"
    return Detector(
        name="pii.email",
        code="pii.email",
        entity="EMAIL",
        patterns=(
            Pattern("e-mail", rf"\b(?<!\$)\w{rest}{host}", 0.5),
            # Word boundaries are those of ASCII: this one finds the whole, the other what follows the first letters.
            Pattern("letters beyond ASCII first", rf"(?<![\w{LETTERS}$])[{LETTERS}]{rest}{host}", 0.5),
        ),
        validator=checks.email,
        context=data.recognizers["EmailRecognizer"].words,
        max_len=448,
        hit=(
            "mail ada@example.com.",
            "<o'brien+x@mail.example.co.uk>",
            "örjan@müller.example",
            "to:a@xn--bcher-kva.example",
        ),
        miss=(
            "git@github.com:org/repo",
            "logo@2x.png",
            "@user",
            "a@b",
            "pkg@1.2.3",
            "user @ example.com",
            "https://$TOKEN@example.com",
        ),
    )


def _card(data: Pack) -> Detector:
    start, end = r"\b(?<![0-9A-Fa-f]{4}-)(?<!\d[.\-])", r"(?!\w)(?!\.\d)"
    fours = rf"(?:[3-6]\d\d\d|2[2-7]\d\d)(?:{GAP}\d{{4}}){{3}}"
    six_and_five = rf"3\d{{3}}{GAP}\d{{6}}{GAP}\d{{4,5}}"
    return Detector(
        name="pii.credit_card",
        code="pii.credit_card",
        entity="CREDIT_CARD",
        patterns=(
            Pattern("as printed", rf"{start}(?:\d{{12,19}}|{fours}|{six_and_five}){end}", 0.3),
            Pattern("nineteen digits", rf"{start}{fours}{GAP}\d{{3}}{end}", 0.3),
            Pattern("any grouping", rf"{start}\d(?:[ .\-\xa0]{{0,3}}\d){{11,18}}{end}", 0.3),
        ),
        validator=checks.card,
        context=(
            *data.recognizers["CreditCardRecognizer"].words,
            *["cc", "debit", "pan", "kreditkarte", "karte", "kartennummer", "carte", "tarjeta", "carta", "cartão"],
        ),
        max_len=80,
        priority=1,
        hit=(
            "pay with 4111 1111 1111 1111 12/26",
            "4111-1111-1111-1111",
            "378282246310005",
            "till 2027 4111.1111.1111.1111",
            "card 41 11 11 11 11 11 11 11",
        ),
        miss=("4111111111111112", "1700000000000", "550e8400-e29b-41d4-a716-446655440000", "0.4111111111111111"),
    )


def _iban(data: Pack) -> Detector:
    # A pattern for each length: the prefilter picks the right one; one with all of them is ten times slower to search.
    patterns = tuple(
        Pattern(
            f"{length} characters",
            rf"\b(?i:{codes.replace(' ', '|')}) ?\d\d(?:[ .\-\xa0]?[A-Za-z0-9]){{{length - 4}}}(?![A-Za-z0-9])",
            0.3,
        )
        for length, codes in IBAN_COUNTRIES.items()
    )
    return Detector(
        name="pii.iban",
        code="pii.iban",
        entity="IBAN",
        patterns=patterns,
        validator=checks.iban_number,
        context=data.recognizers["IbanRecognizer"].words,
        max_len=80,
        priority=1,
        hit=("DE89370400440532013000 2 days", "gb29 nwbk 6016 1331 9268 19", "FR14-2004-1010-0505-0001-3M02-606"),
        miss=("DE89370400440532013001", "ZZ89370400440532013000", "XDE89370400440532013000"),
    )


def _ip(data: Pack) -> Detector:
    octet = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
    four = rf"{octet}(?:\.{octet}){{3}}"
    not_version = r"(?<![.:\-])(?<![A-Za-z0-9]/)(?<!version )(?<!Version )"
    six = rf"[0-9A-Fa-f]{{1,4}}:(?:[0-9A-Fa-f]{{0,4}}:){{1,6}}(?:{four}|[0-9A-Fa-f]{{0,4}})"
    return Detector(
        name="pii.ip",
        code="pii.ip",
        entity="IP",
        patterns=(
            # Not a version (`v1.2.3.4`, `Chrome/120.0.0.0`, `1.2.3.4.5`) nor the tail of an IPv6 address.
            Pattern("IPv4", rf"\b(?:{not_version}|(?<=[A-Za-z]:)){four}(?![\w\-]|\.\d)", 0.6),
            Pattern("IPv6", rf"\b(?<![.:]){six}(?![\w:]|\.\d)", 0.6),
        ),
        validator=checks.public_ip,
        context=data.recognizers["IpRecognizer"].words,
        max_len=64,
        hit=("from 8.8.4.4:53", "http://9.9.9.9/x", "2606:4700:4700::1111", "ip:1.1.1.1", "::ffff:8.8.8.8"),
        miss=(
            *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "203.0.113.7", "256.1.1.1", "0.0.0.1"),
            *("::1", "2001:db8::1", "fe80::1", "12:34:56", "std::vector", "x[1::2]"),
            *("v1.2.3.4", "version 1.2.3.4", "Chrome/120.0.0.0", "1.2.3.4.5"),
        ),
    )


def _ssn(data: Pack) -> Detector:
    weak = [p for p in data.recognizers["UsSsnRecognizer"].patterns if p.score < 0.1]
    regex = rf"{START}\d{{3}}(?:-\d{{2}}-|\.\d{{2}}\.| \d{{2}} )\d{{4}}{END}"
    return Detector(
        name="pii.us_ssn",
        code="pii.us_ssn",
        entity="US_SSN",
        patterns=(Pattern("separated", regex, 0.5), *(Pattern(p.name, p.regex, p.score) for p in weak)),
        validator=checks.ssn,
        context=data.recognizers["UsSsnRecognizer"].words,
        max_len=16,
        priority=1,
        hit=("my number is 219-09-9999", "ssn 219099999", "123-45-6789"),
        miss=(
            *("000-12-3456", "666-12-3456", "219-00-9999", "219-09-0000"),
            *("order 219099999", "1219-09-9999", "219-09-99991"),
        ),
    )


def _crypto(data: Pack) -> Detector:
    return Detector(
        name="pii.crypto",
        code="pii.crypto",
        entity="CRYPTO",
        patterns=(
            Pattern("base58", r"\b[13][a-km-zA-HJ-NP-Z1-9]{25,34}(?!\w)", 0.3),
            Pattern("bech32", r"\b(?:bc1[ac-hj-np-z02-9]{11,}|BC1[AC-HJ-NP-Z02-9]{11,})(?!\w)", 0.3),
            Pattern("ethereum", r"\b0x[0-9A-Fa-f]{40}(?!\w)", 0.6),
        ),
        validator=checks.wallet,
        context=(*data.recognizers["CryptoRecognizer"].words, "ethereum", "eth"),
        max_len=96,
        hit=(
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "0x52908400098527886E0F7030069857D2E4169EE7",
        ),
        miss=(
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "0x0000000000000000000000000000000000000000",
            "0x52908400098527886E0F",
        ),
    )


def _url(data: Pack) -> Detector:
    host = r"(?:[A-Za-z0-9][A-Za-z0-9\-]*\.)+(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9\-]+)"
    path = r"(?:[/?#](?:[^\s()<>\"']*[^\s()<>\"'.,;:!?])?)?"
    return Detector(
        name="pii.url",
        code="pii.url",
        entity="URL",
        patterns=(Pattern("host", rf"\b(?<![@.\-])(?:https?://)?{host}(?![\w@\-])(?::\d{{1,5}})?{path}", 0.5),),
        validator=checks.url(data.tlds),
        context=data.recognizers["UrlRecognizer"].words,
        max_len=1024,
        hit=("see www.example.com/a?b=1.", "https://intra.example.de:8443/x", "'example.org'"),
        miss=("ada@mail.example.com", "main.py", "README.md", "1.2.3", "e.g.this", "obj.method()"),
    )


def _url_credentials() -> Detector:
    regex = r"\b[A-Za-z][A-Za-z0-9+.\-]*://([^\s/?#:@\"'<>]*:[^\s/?#\"'<>]+@[\w.\-]+)"
    return Detector(
        name="pii.url_credentials",
        code="pii.url_credentials",
        entity="URL_CREDENTIALS",
        patterns=(Pattern("user:password@host", regex, 0.8, group=1),),
        validator=checks.url_credentials,
        max_len=540,
        priority=2,
        hit=("postgres://app:s3cret@db.example:5432/x", "https://u:p@ss@example.com/"),
        miss=(
            *("https://example.com:8080/a@b", "https://${USER}:${PASS}@example.com"),
            *("http://user@example.com", "https://url:8000 @x"),
        ),
    )


def _date_of_birth() -> Detector:
    year, month = r"(?:19|20)\d\d", f"(?i:{MONTHS})"
    forms = (
        ("year first", rf"{year}(?:-\d\d?-|/\d\d?/|\.\d\d?\.)\d\d?"),
        ("year last", rf"\d\d?(?:-\d\d?-|/\d\d?/|\. ?\d\d?\. ?)(?:{year}|\d\d)"),
        ("day month year", rf"\d\d?(?:st|nd|rd|th|er|\.|º)?(?: of| de)?[ \-]{month}\.?,?(?: de)?[ \-](?:{year}|\d\d)"),
        ("month day year", rf"{month}\.? \d\d?(?:st|nd|rd|th)?,? {year}"),
    )
    return Detector(
        name="pii.date_of_birth",
        code="pii.date_of_birth",
        entity="DATE_OF_BIRTH",
        patterns=tuple(Pattern(name, rf"{START}{form}{END}", 0.1) for name, form in forms),
        validator=checks.calendar_date,
        context=BIRTH_WORDS,
        context_chars=40,
        max_len=40,
        hit=(
            "She was born on 2/8/1935",
            "DOB: 1980-02-29",
            "date of birth: 3rd of March 1971",
            "birthday June 5, 1990",
        ),
        miss=("released on 1980-02-29", "born 1980", "born on 40/40/1980"),
    )
