"""The key formats that `secrets` finds, one row each: code, patterns, and examples that cannot be real keys.

Quantifiers are bounded or end with the detector's `max_len`. Examples are put together from parts, so that scanners of
source code stay quiet.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

# Beginning with \b keeps streams cheap: one test settles the inside of every word for all rules at once.
START = r"\b"
END = r"(?![A-Za-z0-9])"
WORD = r"[A-Za-z0-9_\-]"
LONG_END = r"(?![A-Za-z0-9_\-])"
PEM_LABEL = r"(?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?"
PEM_MAX_LEN = 8192
JWT_MAX_LEN = 4096
GITLAB_LENGTHS = {
    "glpat": (20, 60),
    "glcbt": (20, 26),
    "glimt": (25, 25),
    "glptt": (40, 40),
    "glagent": (50, 500),
    "gloas": (64, 64),
}

_FILL = re.compile(r"[xX*.]+")


@dataclass(frozen=True, slots=True)
class SecretRule:
    """One key format. Each pattern is (regex, group to report); `check` sees the reported text."""

    code: str
    patterns: tuple[tuple[str, int], ...]
    hit: tuple[str, ...]
    miss: tuple[str, ...] = ()
    check: Callable[[str], bool | None] | None = None
    max_len: int = 512
    ignore_case: bool = False


def not_filled(text: str) -> bool | None:
    """`sk-xxxxxxxx` and `ghp_********` stand for a key and are none; published example keys count as keys."""
    body = max(re.split(r"[_\-.:]", text), key=len)
    return False if _FILL.fullmatch(body[4:]) else None


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
    """Each kind of GitLab token has its length; a routable `glpat-` ends in `.01.` and nine characters."""
    prefix, body = ("GR1348941", text[9:]) if text.startswith("GR") else text.split("-", 1)
    least, most = GITLAB_LENGTHS.get(prefix, (20, 50))
    return least <= len(body.partition(".")[0]) <= most and not_filled(text) is not False


def mixed(text: str) -> bool | None:
    """Forty characters of base64, not a hash: both cases and digits."""
    return any(c.islower() for c in text) and any(c.isupper() for c in text) and any(c.isdigit() for c in text)


def not_a_word(text: str) -> bool | None:
    """A quoted value with the variety of a password, not a placeholder or plain words."""
    if len(set(text)) < 6 or re.search(r"(?i)[$<{%]|example|placeholder|change|your|password|dummy|test|todo", text):
        return False
    kinds = (any(c.isdigit() for c in text), any(c.islower() for c in text), any(c.isupper() for c in text))
    return sum(kinds) >= 2


def _run(length: int, alphabet: str = "0a1B2c3D4e5F6g7H8i9J") -> str:
    """`length` characters that no random key would show."""
    return (alphabet * (length // len(alphabet) + 1))[:length]


def rules() -> tuple[SecretRule, ...]:
    """All formats that are on by default, the commonest first."""
    return (*_clouds(), *_models(), *_forges(), *_services(), *_formats())


def generic_rule() -> SecretRule:
    """`password = "..."` in quotes: useful on code, too broad for prose, therefore off unless configured."""
    regex = (
        r"(?<![A-Za-z])(?:password|passwd|pwd|secret|api[_\-]?key|access[_\-]?token|auth[_\-]?token)"
        r"[\"']?\s{0,3}(?::=|=>|[:=])\s{0,3}[\"']([^\"'\s]{8,})[\"']"
    )
    return SecretRule(
        "secret.generic",
        ((regex, 1),),
        ('password = "Tr0ub4dor&3"',),
        ('password = "changeme1A"',),
        not_a_word,
        ignore_case=True,
    )


def _clouds() -> tuple[SecretRule, ...]:
    aws_name = r"(?i:aws_?)?(?i:secret_?(?:access_?)?key(?:_?id)?|sk)"
    forty = "[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
    return (
        SecretRule(
            "secret.aws_key",
            (
                (rf"{START}(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[A-Z0-9]{{16}}{END}", 0),
                (rf"(?<![A-Za-z0-9]){aws_name}[\"' \t:=>]{{1,8}}({forty})", 1),
            ),
            ("AKIA" + "IOSFODNN7EXAMPLE", "aws_secret_access_key = " + _run(40)),
            ("akia" + "iosfodnn7example", "AKIA1234", "aws_secret_access_key = " + "0123456789" * 4),
            aws,
        ),
        SecretRule(
            "secret.google_key",
            (
                (rf"{START}AIza{WORD}{{35}}{LONG_END}", 0),
                (rf"{START}GOCSPX-{WORD}{{28}}{LONG_END}", 0),
                (rf"{START}ya29\.{WORD}{{20,}}", 0),
            ),
            ("key=" + "AIza" + _run(35), "GOCSPX-" + _run(28), "ya29." + _run(60)),
            ("AIza" + _run(20), "AIza" + _run(50)),
        ),
        SecretRule(
            "secret.azure_key",
            (
                (r"\b(?:AccountKey|accountkey)=([A-Za-z0-9+/]{86}==)", 1),
                (r"\bSharedAccessKey=([A-Za-z0-9+/]{43}=)(?!=)", 1),
            ),
            ("AccountKey=" + _run(86) + "==;", "SharedAccessKey=" + _run(43) + "="),
            ("AccountKey=" + _run(20),),
        ),
        SecretRule(
            "secret.digitalocean_token",
            ((rf"{START}do[opr]_v1_[0-9a-f]{{64}}{END}", 0),),
            ("dop_v1_" + "0123456789abcdef" * 4,),
            ("dop_v1_" + "0123456789abcdef",),
        ),
        SecretRule(
            "secret.databricks_token",
            ((rf"{START}dapi[0-9a-f]{{32}}(?:-\d{{1,2}})?{END}", 0),),
            ("dapi" + "0123456789abcdef" * 2,),
            ("dapi" + "0123456789abcdef",),
        ),
    )


def _models() -> tuple[SecretRule, ...]:
    return (
        SecretRule(
            "secret.anthropic_key",
            ((rf"{START}sk-ant-[a-z]{{2,12}}\d{{2}}-{WORD}{{20,}}", 0),),
            ("sk-ant-" + "api03-" + _run(95),),
            ("sk-ant-" + "api03-short",),
        ),
        SecretRule(
            "secret.openai_key",
            (
                (rf"{START}sk-(?:proj|svcacct|admin|service|None)-{WORD}{{20,}}", 0),
                (rf"{START}sk-[A-Za-z0-9]{{32,64}}{LONG_END}", 0),
            ),
            ("sk-" + "proj-" + _run(48), "sk-" + _run(48)),
            ("sk-learn-is-a-library-for-machine-learning", "sk-" + "proj-", "task-" + _run(48), "sk-" + "x" * 48),
        ),
        SecretRule(
            "secret.model_provider_key",
            (
                (rf"{START}sk-or-v1-[0-9a-f]{{64}}{END}", 0),
                (rf"{START}gsk_[A-Za-z0-9]{{40,64}}{END}", 0),
                (rf"{START}xai-[A-Za-z0-9]{{70,90}}{END}", 0),
                (rf"{START}pplx-[A-Za-z0-9]{{40,64}}{END}", 0),
                (rf"{START}r8_[A-Za-z0-9]{{37,40}}{END}", 0),
            ),
            (
                "sk-or-v1-" + "0123456789abcdef" * 4,
                "gsk_" + _run(52),
                "xai-" + _run(80),
                "pplx-" + _run(48),
                "r8_" + _run(37),
            ),
            ("gsk_short", "xai-team"),
        ),
        SecretRule(
            "secret.huggingface_token",
            ((rf"{START}(?:hf|api_org)_[A-Za-z0-9]{{34,40}}{END}", 0),),
            ("hf_" + _run(34),),
            ("hf_hub_download", "hf_" + _run(12)),
        ),
        SecretRule(
            "secret.yett_key",
            ((rf"{START}yett_[A-Za-z0-9\-]{{1,64}}_{WORD}{{43}}{LONG_END}", 0),),
            ("yett_" + "k1_" + _run(43),),
            ("yett_plugins_register_detectors",),
        ),
    )


def _forges() -> tuple[SecretRule, ...]:
    gitlab = "GR1348941|gl(?:pat|dt|ft|rt|soat|cbt|imt|ptt|agent|oas)-"
    npmrc_value = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|npm_\w{8,64}"
    return (
        SecretRule(
            "secret.github_token",
            ((rf"{START}(?:gh[opsur]_[A-Za-z0-9]{{36,}}|github_pat_[A-Za-z0-9_]{{22,}}){END}", 0),),
            ("ghp_" + _run(36), "github_pat_" + _run(22) + "_" + _run(59), "https://x:gho_" + _run(36) + "@github.com"),
            ("ghp_" + _run(20), "foo_" + _run(36)),
        ),
        SecretRule(
            "secret.gitlab_token",
            (
                (rf"{START}(?:{gitlab}){WORD}{{20,}}", 0),
                (rf"{START}glpat-{WORD}{{20,60}}\.[0-9a-z]{{2}}\.[0-9a-z]{{9}}{END}", 0),
            ),
            ("glpat-" + _run(20), "GR1348941" + _run(20), "glptt-" + _run(40)),
            ("glpat_" + _run(20), "glpat-short", "glptt-" + _run(20)),
            gitlab_length,
        ),
        SecretRule(
            "secret.npm_token",
            (
                (rf"{START}npm_[A-Za-z0-9]{{36}}{END}", 0),
                (rf"//[^\s/]+/[^\s:]*:_authToken=\s?({npmrc_value})", 1),
            ),
            ("npm_" + _run(36), "//registry.example.org/:_authToken=" + "743b294a-cd03-11ec-9d64-0242ac120002"),
            ("npm_install", "//registry.example.org/:_authToken=${NPM_TOKEN}"),
        ),
        SecretRule(
            "secret.pypi_token",
            ((rf"{START}pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw){WORD}{{70,}}", 0),),
            ("pypi-AgE" + "IcHlwaS5vcmc" + _run(80),),
            ("pypi-AgE" + "IcHlwaS5vcmc" + _run(30),),
            max_len=600,
        ),
    )


def _services() -> tuple[SecretRule, ...]:
    return (
        SecretRule(
            "secret.slack_token",
            (
                (rf"{START}xox[abeoprs](?:\.xox[abp])?-[A-Za-z0-9\-]{{10,}}", 0),
                (rf"{START}xapp-\d-[A-Za-z0-9\-]{{20,}}", 0),
                (r"\bhooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{40,90})", 1),
            ),
            (
                "xoxb" + "-012345678901-" + _run(24),
                "https://hooks.slack.com/services/" + "T00000000/B00000000/" + _run(24),
            ),
            ("xoxo-hugs", "https://hooks.slack.com/services/"),
        ),
        SecretRule(
            "secret.stripe_key",
            ((rf"{START}(?:(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{{10,}}|whsec_[A-Za-z0-9+/]{{32,64}}){END}", 0),),
            ("sk_live_" + _run(24), "rk_test_" + _run(24)),
            ("pk_live_" + _run(24), "sk_live_"),
        ),
        SecretRule(
            "secret.twilio_key",
            ((rf"{START}SK[0-9a-f]{{32}}{END}", 0),),
            ("SK" + "0123456789abcdef" * 2,),
            ("SK" + "0123456789abcdef",),
        ),
        SecretRule(
            "secret.sendgrid_key",
            ((rf"{START}SG\.{WORD}{{22}}\.{WORD}{{43}}{LONG_END}", 0),),
            ("SG." + _run(22) + "." + _run(43),),
            ("SG." + _run(22) + ".." + _run(43),),
        ),
        SecretRule(
            "secret.mail_service_key",
            (
                (rf"{START}key-[0-9a-f]{{32}}{END}", 0),
                (r"\b[0-9a-f]{32}-us\d{1,2}\b", 0),
            ),
            ("key-" + "0123456789abcdef" * 2, "0123456789abcdef" * 2 + "-us12"),
            ("key-value", "0123456789abcdef" * 2 + "-2"),
        ),
        SecretRule(
            "secret.telegram_token",
            ((rf"\b(?<!:)(?:bot)?(\d{{8,10}}:AA{WORD}{{33}}){LONG_END}", 1),),
            ("110201543:AA" + _run(33), "https://api.telegram.org/bot110201543:AA" + _run(33) + "/getMe"),
            ("arn:aws:sns:aaa:111122223333:" + _run(35),),
        ),
        SecretRule(
            "secret.discord_token",
            ((rf"{START}[MNO]{WORD}{{23,25}}\.{WORD}{{6}}\.{WORD}{{27,38}}{LONG_END}", 0),),
            ("MTIz" + _run(20) + "." + _run(6) + "." + _run(27),),
            ("MTIz" + _run(20) + "." + _run(5) + "." + _run(27),),
        ),
    )


def _formats() -> tuple[SecretRule, ...]:
    prefixes = "gh[opsur]_|github_pat_|glpat-|sk-|AIza|xox[abeoprs]-|npm_|hf_|[sr]k_live_"
    escaped = rf"(?:AKIA|ASIA)[A-Z0-9]{{16}}|(?:{prefixes}){WORD}{{30,}}"
    base64_run = "[A-Za-z0-9+/=]"
    newline = r"(?:[ \t]*(?:\r?\n|(?:\\r)?\\n))+[ \t>]*"
    header = r"[A-Za-z][A-Za-z\-]+: [^\r\n\\]+"
    body = rf"(?:{newline}(?:{header}|{base64_run}+)| {base64_run}{{40,}})*"
    return (
        SecretRule(
            "secret.jwt",
            ((rf"{START}eyJ{WORD}{{7,}}\.eyJ{WORD}{{7,}}(?:\.[A-Za-z0-9_\-]*)?", 0),),
            ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + ".eyJzdWIiOiIxIn0." + _run(43),),
            ("eyJAAAA.eyJBBB", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"),
            jwt,
            JWT_MAX_LEN,
        ),
        SecretRule(
            "secret.private_key",
            ((rf"-----BEGIN {PEM_LABEL}-----{body}(?:(?:{newline}| )?-----END {PEM_LABEL}-----)?", 0),),
            (
                "-----BEGIN RSA "
                "PRIVATE KEY-----\n" + _run(64) + "\n" + _run(20) + "=\n-----END RSA " + "PRIVATE KEY-----",
                "-----BEGIN " + "PRIVATE KEY-----\\n" + _run(64),
            ),
            ("-----BEGIN PUBLIC KEY-----\n" + _run(64), "-----BEGIN CERTIFICATE-----"),
            max_len=PEM_MAX_LEN,
        ),
        SecretRule(
            "secret.escaped_key",  # after the letter of an escape in quoted code there is no word boundary: `\nghp_...`
            ((rf"\\[nrt]({escaped})", 1),),
            (r"log = 'token:\n" + "ghp_" + _run(36) + "'", r"\tsk-" + _run(48)),
            (r"\nsk-learn", "C:\\new\\" + "ghp_" + _run(10)),
        ),
        SecretRule(
            "secret.age_key",
            ((rf"{START}AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{{58}}{END}", 0),),
            ("AGE-SECRET-KEY-1" + _run(58, "QPZRY9X8GF"),),
            ("AGE-SECRET-KEY-1" + _run(20, "QPZRY9X8GF"),),
        ),
    )


def aws(text: str) -> bool | None:
    """An access key id as it stands; a secret key must look random."""
    return mixed(text) if len(text) == 40 else not_filled(text)
