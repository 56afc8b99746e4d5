"""Who may use, list, call and read what: Casbin decides, this remembers its answers.

All roles of a caller count together, and a deny on any of them wins over every allow.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from yett.errors import ConfigError, Unavailable
from yett.flow import Principal
from yett.policy.rbac_files import PRINCIPAL, Line, check_model, read_policy, read_text

MAX_CACHED = 16384
MAX_CALLERS = 1024

_ODD_ROLE = re.compile(r"[\s:*]")
# With the matcher that ships, lines of another action or object cannot match: Casbin need not be asked about them.
_SHIPPED_MATCHER = "g(r.sub,p.sub,r.dom)&&keyMatch(r.dom,p.dom)&&keyMatch(r.obj,p.obj)&&r.act==p.act"


class Rbac:
    """One revision of the role policy. Not for several threads at once."""

    def __init__(self, model: str, policy: str, *, model_file: str = "model", policy_file: str = "policy") -> None:
        """Check and compile the text of both files; the names are for messages. Raises ConfigError."""
        self._shipped = check_model(model, model_file) == _SHIPPED_MATCHER
        self._model = model
        self._lines = read_policy(policy, policy_file)
        self._rules = [list(line.fields) for line in self._lines if line.section == "p"]
        self._known: dict[tuple[str, tuple[str, ...], str, str, str], bool] = {}
        self._callers: dict[tuple[str, str, tuple[str, ...]], str] = {}
        _try_out(model, model_file)
        self._enforcer = _build(model, self._lines)

    @classmethod
    def load(cls, model_path: Path, policy_path: Path) -> Rbac:
        """Read and compile two files. Raises ConfigError."""
        return cls(
            read_text(model_path),
            read_text(policy_path),
            model_file=str(model_path),
            policy_file=str(policy_path),
        )

    def allowed(self, principal: Principal, obj: str, act: str) -> bool:
        """Whether `principal` may `act` on `obj` (`model:NAME`, `hosted:TYPE`, `tool:NAME`, `admin`)."""
        key = (principal.tenant, principal.roles, principal.id, obj, act)
        answer = self._known.get(key)
        if answer is None:
            answer = self._enforce(principal, obj, act)
            if len(self._known) >= MAX_CACHED:  # the oldest answer goes
                del self._known[next(iter(self._known))]
            self._known[key] = answer
        return answer

    def _enforce(self, principal: Principal, obj: str, act: str) -> bool:
        rules = [rule for rule in self._rules if _may_match(rule, obj, act)] if self._shipped else self._rules
        if not rules:
            return False  # Casbin would run the matcher once over empty strings
        if "*" in principal.tenant or any(_ODD_ROLE.search(role) for role in principal.roles):
            return False  # a name that could pass for another caller, a principal or all tenants
        try:
            caller = self._caller(principal)
            self._enforcer.model["p"]["p"].policy = rules
            return self._enforcer.enforce(caller, principal.tenant, obj, act) is True
        except Exception as error:  # a matcher may raise anything
            raise Unavailable("the role policy could not be evaluated", code="guard_failed") from error

    def _caller(self, principal: Principal) -> str:
        """The Casbin subject of `principal`: linked to `principal:ID` and to each role, so that their rules combine.

        The name begins with a space, so it can be neither a role nor a `principal:`.
        """
        key = (principal.tenant, principal.id, principal.roles)
        name = self._callers.get(key)
        if name is None:
            if len(self._callers) >= MAX_CALLERS:
                self._callers.clear()
                self._enforcer = _build(self._model, self._lines)
            name = f" caller {len(self._callers)}"
            links = self._enforcer.get_role_manager()
            for role in (PRINCIPAL + principal.id, *principal.roles):
                links.add_link(name, role, principal.tenant)
            self._callers[key] = name
        return name


def _may_match(rule: list[str], obj: str, act: str) -> bool:
    wanted = rule[2]
    return rule[3] == act and (obj.startswith(wanted[:-1]) if wanted.endswith("*") else obj == wanted)


def _build(model: str, lines: tuple[Line, ...]) -> Any:  # casbin ships no types
    import casbin
    from casbin.util import key_match_func

    enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=model))
    for line in lines:
        enforcer.model.add_policy(line.section, line.section, list(line.fields))
    enforcer.add_named_domain_matching_func("g", key_match_func)
    # Its default compares every name with every other by ==, which says nothing and takes a second at 1,000 links.
    enforcer.get_role_manager().add_matching_func(None)
    enforcer.build_role_links()
    return enforcer


def _try_out(model: str, file: str) -> None:
    """One question whose every part is evaluated: a typing error in the matcher is told at load, not to a caller."""
    try:
        enforcer = _build(model, (Line("p", ("probe", "probe", "model:probe", "use", "allow")),))
        enforcer.enforce("probe", "probe", "model:probe", "use")
    except Exception as error:  # noqa: BLE001  # a matcher may raise anything
        raise ConfigError(f"the matcher cannot be evaluated ({type(error).__name__})", file) from None
