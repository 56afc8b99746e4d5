"""What the shipped policy does, told as a table: it is a promise to users."""

import re
import shutil
from pathlib import Path

import pytest

from yett.flow import Leaf, Phase, Principal, Role
from yett.policy import PolicySnapshot, load_policies
from yett.verdict import Action, Finding

POLICIES = Path(__file__).resolve().parents[2] / "policies"
REQUEST, RESPONSE = Phase.REQUEST, Phase.RESPONSE


@pytest.fixture(scope="module")
def default() -> PolicySnapshot:
    return load_policies(POLICIES)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> PolicySnapshot:
    folder = tmp_path_factory.mktemp("strict") / "policies"
    shutil.copytree(POLICIES, folder)
    file = folder / "strict.yaml"
    text, count = re.subn(r"(?m)^active: false$", "active: true", file.read_text())
    assert count == 1
    file.write_text(text)
    return load_policies(folder)


def action(policy: PolicySnapshot, code: str, phase: Phase, role: Role, newest: bool = False) -> Action:
    return policy.judge(Finding(code, "/x", (0, 1)), Leaf("/x", "text", role, newest=newest), phase).action


TABLE = [
    # code, phase, role, newest, default, strict
    ("pii.email", REQUEST, Role.USER, True, Action.REDACT, Action.REDACT),
    ("pii.email", REQUEST, Role.USER, False, Action.REDACT, Action.REDACT),
    ("pii.iban", REQUEST, Role.SYSTEM, False, Action.REDACT, Action.REDACT),
    ("pii.iban", REQUEST, Role.TOOL_RESULT, True, Action.REDACT, Action.REDACT),
    ("pii.email", RESPONSE, Role.ASSISTANT, False, Action.ALLOW, Action.REDACT),
    ("pii.email", RESPONSE, Role.TOOL_ARGUMENTS, False, Action.ALLOW, Action.REDACT),
    ("secret.aws_key", REQUEST, Role.USER, True, Action.DENY, Action.DENY),
    ("secret.aws_key", REQUEST, Role.USER, False, Action.REDACT, Action.REDACT),
    ("secret.aws_key", REQUEST, Role.ASSISTANT, False, Action.REDACT, Action.REDACT),
    ("secret.aws_key", REQUEST, Role.TOOL_RESULT, True, Action.REDACT, Action.REDACT),
    ("secret.aws_key", REQUEST, Role.SYSTEM, False, Action.REDACT, Action.REDACT),
    ("secret.aws_key", RESPONSE, Role.ASSISTANT, False, Action.REDACT, Action.REDACT),
    ("injection.override", REQUEST, Role.USER, True, Action.ALLOW, Action.ALLOW),
]


@pytest.mark.parametrize(
    ("code", "phase", "role", "newest", "by_default", "when_strict"),
    TABLE,
    ids=[f"{code} {phase} {role}{' newest' if newest else ''}" for code, phase, role, newest, *_ in TABLE],
)
def test_the_shipped_rules(
    code: str,
    phase: Phase,
    role: Role,
    newest: bool,
    by_default: Action,
    when_strict: Action,
    default: PolicySnapshot,
    strict: PolicySnapshot,
) -> None:
    assert action(default, code, phase, role, newest) is by_default
    assert action(strict, code, phase, role, newest) is when_strict


def test_strict_never_loosens(default: PolicySnapshot, strict: PolicySnapshot) -> None:
    for code in ("pii.email", "secret.aws_key", "injection.override"):
        for phase in Phase:
            for role in Role:
                for newest in (False, True):
                    assert action(strict, code, phase, role, newest) >= action(default, code, phase, role, newest)


def test_a_denied_secret_tells_what_to_do_and_who_decided(default: PolicySnapshot) -> None:
    leaf = Leaf("/x", "text", Role.USER, newest=True)
    verdict = default.judge(Finding("secret.aws_key", "/x", (0, 1)), leaf, REQUEST)
    assert verdict.rule == "secrets-in-newest-message"
    assert "Remove it" in verdict.reason


@pytest.mark.parametrize(
    ("roles", "obj", "act", "allowed"),
    [
        (("developer",), "model:gpt-4o-mini", "use", True),
        (("developer",), "hosted:web_search", "use", False),
        (("developer",), "tool:anything", "call", False),
        (("developer",), "admin", "read", False),
        (("admin",), "admin", "read", True),
        (("admin",), "model:gpt-4o-mini", "use", False),
        ((), "model:gpt-4o-mini", "use", False),
    ],
)
def test_the_shipped_roles(roles: tuple[str, ...], obj: str, act: str, allowed: bool, default: PolicySnapshot) -> None:
    for tenant in ("default", "dev", "acme"):
        assert default.rbac.allowed(Principal("bot", tenant, roles=roles), obj, act) is allowed
