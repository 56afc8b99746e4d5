"""Yett, a guardrail and policy gateway between AI agents and the models and tools they call.

These are the public names, all that a plugin author needs; everything else may move between versions.
"""

from yett.detector import CallableDetector, Detector, Found, Pattern, Scanner, Span, Streaming, Validator
from yett.errors import ConfigError, Denied, HttpError, PluginError, RequestError, Unavailable, YettError
from yett.flow import FlowView, Leaf, Phase, Principal, Role, Target, ToolCall, ToolOffer, ToolResult
from yett.hookspecs import hookimpl
from yett.verdict import Action, Decision, Edit, Finding
from yett.version import __version__

__all__ = [
    "Action",
    "CallableDetector",
    "ConfigError",
    "Decision",
    "Denied",
    "Detector",
    "Edit",
    "Finding",
    "FlowView",
    "Found",
    "HttpError",
    "Leaf",
    "Pattern",
    "Phase",
    "PluginError",
    "Principal",
    "RequestError",
    "Role",
    "Scanner",
    "Span",
    "Streaming",
    "Target",
    "ToolCall",
    "ToolOffer",
    "ToolResult",
    "Unavailable",
    "Validator",
    "YettError",
    "__version__",
    "hookimpl",
]
