from pathlib import Path

import pytest

from yett.errors import ConfigError
from yett.flow import Principal
from yett.policy.rbac import Rbac
from yett.policy.rbac_files import MAX_ROLE_DEPTH

MODEL = (Path(__file__).resolve().parents[3] / "policies/rbac_model.conf").read_text()


def who(*roles: str) -> Principal:
    return Principal("bot", "acme", roles=roles)


BAD_LINES = [
    ("p, developer, *, model:*, use", "f:1: 4 fields after 'p'; the form is p, SUBJECT"),
    ("p, developer, *, model:*, use, allow, x", "f:1: 6 fields after 'p'"),
    ("g, a, b", "f:1: 2 fields after 'g'; the form is g, MEMBER"),
    ("\n\nP, a, *, model:*, use, allow", "f:3: a line begins with p or g, not 'P'"),
    ("p2, a, *, model:*, use, allow", "f:1: a line begins with p or g"),
    ("deny everything", "f:1: a line begins with p or g"),
    ("p, a, *, model:*, use, alow", "f:1: the effect is allow or deny (did you mean 'allow'?)"),
    ("p, a, *, model:*, uses, allow", "f:1: unknown action 'uses' (did you mean 'use'?)"),
    ("p, a, *, model:*, *, allow", "f:1: unknown action '*'"),
    ("p, a, *, modle:*, use, allow", "f:1: an object is model:NAME, hosted:TYPE, tool:NAME, admin or * (did you mean"),
    ("p, a, *, model:, use, allow", "f:1: an object is"),
    ("p, a, *, admin:x, use, allow", "f:1: an object is"),
    ("p, a, *, model:*-mini, use, allow", "f:1: * may stand only at the end"),
    ("p, *, *, model:*, use, allow", "f:1: a subject is a whole name"),
    ("p, user:x, *, model:*, use, allow", "f:1: a subject is a role or principal:ID"),
    ("p, a, ac*, model:*, use, allow", "f:1: a tenant is a whole name"),
    ("g, a, b, ac*", "f:1: a tenant is a whole name"),
    ("p, a, , model:*, use, allow", "f:1: a field is empty"),
    ('p, "a", *, model:*, use, allow', "f:1: a field is empty or holds"),
    ("p, a, *, model:*, use, allow # why", "f:1: a field is empty or holds"),
    ("p, a, *, model:x(1), use, allow", "f:1: a field is empty or holds"),
    ("p, a, *, model:*, use, allow\np,a,*,model:*,use,allow", "f:2: this line stands in the file twice (f:1)"),
    ("g, a, a, *", "f:1: roles form a circle"),
    ("g, a, b, *\ng, b, c, *\ng, c, a, *", "f:1: roles form a circle"),
]


@pytest.mark.parametrize(("text", "told"), BAD_LINES, ids=[line[0].replace("\n", "/") for line in BAD_LINES])
def test_bad_policy_lines_are_told_with_their_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Rbac(MODEL, text, policy_file="f")
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("length", [MAX_ROLE_DEPTH, MAX_ROLE_DEPTH + 1])
def test_a_deny_at_the_end_of_the_longest_chain_is_seen(length: int) -> None:
    chain = "".join(f"g, r{n}, r{n + 1}, *\n" for n in range(length))
    policy = f"p, r0, *, model:*, use, allow\np, r{length}, *, model:x, use, deny\n{chain}"
    if length > MAX_ROLE_DEPTH:
        with pytest.raises(ConfigError, match="chain longer"):
            Rbac(MODEL, policy)
        return
    rbac = Rbac(MODEL, policy)
    assert rbac.allowed(who("r0"), "model:x", "use") is False
    assert rbac.allowed(who("r0"), "model:y", "use") is True


BAD_MODELS = [
    ("r = sub, dom, obj, act", "r = sub, obj, act", "m:5: [request_definition] r must be sub,dom,obj,act"),
    ("p = sub, dom, obj, act, eft", "p = sub, dom, obj, act", "m:8: [policy_definition] p must be"),
    ("g = _, _, _", "g = _, _", "m:12: [role_definition] g must be"),
    ("some(where (p.eft == allow)) && ", "", "m:16: [policy_effect] e must be"),
    ("g(r.sub, p.sub, r.dom)", "r.sub == p.sub", "m:20: the matcher must ask g(r.sub, p.sub, r.dom)"),
    ("r.act == p.act", "r.act == p.axt", "m: the matcher cannot be evaluated (NameNotDefined)"),
    ("r.act == p.act", "r.act ==", "m: the matcher cannot be evaluated (SyntaxError)"),
    ("r.act == p.act", "open('/etc/passwd')", "m: the matcher cannot be evaluated (FunctionNotDefined)"),
    ("[matchers]", "[matcher]", "m:20: [matcher] m is not expected here"),
    ("g = _, _, _", "g = _, _, _\ng2 = _, _", "m:13: [role_definition] g2 is not expected here"),
    ("[matchers]\nm =", "[matchers]\nn =", "m:20: [matchers] n is not expected here"),
    ("g = _, _, _", "g = _, \\\n_, _", "m:12: a line is [section] or"),
    ("g = _, _, _", "", "m: [role_definition] g is missing"),
]


@pytest.mark.parametrize(("old", "new", "told"), BAD_MODELS, ids=[b[2] for b in BAD_MODELS])
def test_bad_models_are_told_with_their_line(old: str, new: str, told: str) -> None:
    assert old in MODEL
    policy = "p, developer, *, model:*, use, allow\np, nobody, *, *, use, deny\n"
    with pytest.raises(ConfigError) as caught:
        Rbac(MODEL.replace(old, new), policy, model_file="m")
    assert str(caught.value).startswith(told)
