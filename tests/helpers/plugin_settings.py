"""What to ask of a built-in plugin in tests: its settings for a gateway, flows for its checks, its scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yett.callables import make_scanner
from yett.detector import CallableDetector, Detector, Found
from yett.flow import FlowView, Leaf, Principal, Role
from yett_plugins import BUILTINS


def settings_for(plugin: type, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Gateway settings with `plugin` and its `config`, and without the plugins that find data and keys."""
    name = plugin.name  # type: ignore[attr-defined]  # every plugin has one
    off = {"pii": False, "secrets": False}
    if plugin in BUILTINS:
        return {"builtins": {**off, name: dict(config or {})}}
    path = f"{plugin.__module__}:{plugin.__name__}"
    return {"builtins": off, "plugins": [{"name": path, "config": dict(config or {})}]}


def flow_of(*asked: tuple[Role, str], leaves: Sequence[Leaf] = ()) -> FlowView:
    """A flow whose request says `asked`."""
    said = tuple(Leaf(f"/messages/{at}/content", text, role) for at, (role, text) in enumerate(asked))
    return FlowView(
        "f" * 32, "t" * 32, Principal("p"), "openai_chat", "m", False, "", "", leaves=tuple(leaves) or said, asked=said
    )


def contributed(plugin: type, **config: Any) -> list[Detector | CallableDetector]:
    """What `plugin` brings with this configuration."""
    settings = plugin.Config.model_validate(config)  # type: ignore[attr-defined]  # every plugin here has one
    return list(plugin(settings).register_detectors())  # type: ignore[attr-defined]


def declarative(plugin: type, **config: Any) -> list[Detector]:
    return [one for one in contributed(plugin, **config) if isinstance(one, Detector)]


def called(plugin: type, text: str, at: int = 0, **config: Any) -> list[Found]:
    """What the callable detector number `at` of `plugin` finds in `text`."""
    coded = [one for one in contributed(plugin, **config) if isinstance(one, CallableDetector)]
    (found,) = make_scanner(coded[at]).scan([text])
    return list(found)
