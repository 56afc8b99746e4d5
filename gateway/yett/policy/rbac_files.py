"""The two Casbin files, checked line by line: Casbin itself would skip, misread or misunderstand what is wrong.

A policy line is `p, SUBJECT, TENANT, OBJECT, ACTION, allow|deny`; a role line is `g, MEMBER, ROLE, TENANT`. A subject
is a role or `principal:ID`; TENANT is a name or `*`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from yett.errors import ConfigError
from yett.strictyaml import nearest

ACTIONS = ("use", "list", "call", "read")
OBJECT_KINDS = ("model:", "hosted:", "tool:", "admin")
PRINCIPAL = "principal:"
MAX_ROLE_DEPTH = 7  # Casbin looks ten links deep and then silently stops: a deny beyond would not be seen

# What the rest of Yett relies on; only the matcher is the operator's to change.
_DEFINITIONS = {
    ("request_definition", "r"): "sub,dom,obj,act",
    ("policy_definition", "p"): "sub,dom,obj,act,eft",
    ("role_definition", "g"): "_,_,_",
    ("policy_effect", "e"): "some(where(p.eft==allow))&&!some(where(p.eft==deny))",
}
_MATCHER = ("matchers", "m")
_CALLER_LINK = "g(r.sub,p.sub,r.dom)"
_ARITY = {"p": 6, "g": 4}
_FORM = {"p": "p, SUBJECT, TENANT, OBJECT, ACTION, allow|deny", "g": "g, MEMBER, ROLE, TENANT"}
_FIELD = re.compile(r"[^\s,\"'()\[\]#]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One checked line of the policy file."""

    section: str
    fields: tuple[str, ...]


def read_text(path: Path) -> str:
    """The text of a policy file. Raises ConfigError."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the file: {error.strerror}", str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("the file is not UTF-8", str(path)) from None


def read_policy(text: str, file: str) -> tuple[Line, ...]:
    """The checked lines of a policy file. Raises ConfigError with `file:line`: Casbin itself would skip or misread."""
    lines: dict[Line, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        row = raw.strip()
        if not row or row.startswith("#"):
            continue
        where = f"{file}:{number}"
        line = _check_line([field.strip() for field in row.split(",")], where)
        if line in lines:
            raise ConfigError(f"this line stands in the file twice ({lines[line]})", where)
        lines[line] = where
    _check_depth(lines)
    return tuple(lines)


def _check_line(fields: list[str], where: str) -> Line:
    section = fields[0]
    if section not in _ARITY:
        raise ConfigError(f"a line begins with p or g, not {section!r}", where)
    if len(fields) != _ARITY[section]:
        raise ConfigError(f"{len(fields) - 1} fields after {section!r}; the form is {_FORM[section]}", where)
    for field in fields[1:]:
        if not _FIELD.fullmatch(field):
            raise ConfigError("a field is empty or holds a blank, quote, bracket or #", where)
    for subject in fields[1:2] if section == "p" else fields[1:3]:
        _check_subject(subject, where)
    tenant = fields[2] if section == "p" else fields[3]
    if "*" in tenant and tenant != "*":
        raise ConfigError("a tenant is a whole name, or * alone for all", where)
    if section == "p":
        _check_rule(fields[3], fields[4], fields[5], where)
    return Line(section, tuple(fields[1:]))


def _check_subject(subject: str, where: str) -> None:
    if "*" in subject:
        raise ConfigError("a subject is a whole name: Casbin would match * with nobody", where)
    if ":" in subject and not subject.startswith(PRINCIPAL):
        raise ConfigError(f"a subject is a role or {PRINCIPAL}ID", where)


def _check_rule(obj: str, act: str, effect: str, where: str) -> None:
    if "*" in obj[:-1]:
        raise ConfigError("* may stand only at the end of an object: Casbin ignores what follows it", where)
    kind = obj.partition(":")[0] + (":" if ":" in obj else "")
    if obj not in {"*", "admin"} and (kind not in OBJECT_KINDS or len(obj) == len(kind)):
        raise ConfigError(
            f"an object is model:NAME, hosted:TYPE, tool:NAME, admin or *{nearest(kind, OBJECT_KINDS)}", where
        )
    if act not in ACTIONS:
        raise ConfigError(f"unknown action {act!r}{nearest(act, ACTIONS)}; there are {', '.join(ACTIONS)}", where)
    if effect not in {"allow", "deny"}:
        raise ConfigError(f"the effect is allow or deny{nearest(effect, ('allow', 'deny'))}", where)


def _check_depth(lines: dict[Line, str]) -> None:
    """No circle of roles and no chain that Casbin would give up on; told at the line it begins with."""
    links: dict[str, set[str]] = {}
    for line in lines:
        if line.section == "g":
            links.setdefault(line.fields[0], set()).add(line.fields[1])
    for line, where in lines.items():
        level, length = {line.fields[0]} if line.section == "g" else set(), 0
        while level := {role for name in level for role in links.get(name, ())}:
            length += 1
            if length > MAX_ROLE_DEPTH:
                raise ConfigError(f"roles form a circle, or a chain longer than {MAX_ROLE_DEPTH}", where)


def check_model(text: str, file: str) -> str:
    """The matcher of a model, without blanks. Raises ConfigError with `file:line` if the rest is not as needed."""
    section, found = "", {}
    for number, raw in enumerate(text.splitlines(), 1):
        row = raw.strip()
        if not row or row[0] in "#;":
            continue
        if row.startswith("[") and row.endswith("]"):
            section = row[1:-1]
            continue
        name, equals, value = row.partition("=")
        key = (section, name.strip())
        if not equals or row.endswith("\\"):
            raise ConfigError("a line is [section] or `name = value`, whole on one line", f"{file}:{number}")
        if key in found or (key not in _DEFINITIONS and key != _MATCHER):
            raise ConfigError(f"[{section}] {name.strip()} is not expected here", f"{file}:{number}")
        found[key] = (re.sub(r"\s", "", value), number)
    for key, needed in {**_DEFINITIONS, _MATCHER: ""}.items():
        if key not in found:
            raise ConfigError(f"[{key[0]}] {key[1]} is missing", file)
        value, number = found[key]
        if needed and value != needed:
            raise ConfigError(f"[{key[0]}] {key[1]} must be {needed}", f"{file}:{number}")
        if key == _MATCHER and _CALLER_LINK not in value:
            raise ConfigError("the matcher must ask g(r.sub, p.sub, r.dom): roles count through it", f"{file}:{number}")
    return found[_MATCHER][0]
