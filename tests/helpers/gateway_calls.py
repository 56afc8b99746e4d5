"""Calls to a running gateway from blocking code, and its audit log as it lies on disk."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from helpers.gateway import RunningGateway

Json = dict[str, Any]
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
MODEL = "gpt-4o-mini"


@dataclass(frozen=True)
class Answer:
    """What a client got, whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    took_s: float

    @property
    def flow(self) -> str:
        return self.headers["x-request-id"]

    @property
    def code(self) -> str:
        """The code of an error envelope, or of the error event at the end of a stream; "" where there is none."""
        said = self.events[-1] if self.events else json.loads(self.body)
        return said["error"]["code"] if isinstance(said, dict) and said.get("error") else ""

    @property
    def events(self) -> list[Any]:
        """The data of each event, parsed; `[DONE]` stays a string."""
        data = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [one if one == "[DONE]" else json.loads(one) for one in data]

    @property
    def clean(self) -> bool:
        """Whether a stream ended as its dialect ends a whole answer."""
        last = self.events[-1] if self.events else None
        return last == "[DONE]" or (isinstance(last, dict) and last.get("type") == "response.completed")


class Client:
    """One keep-alive connection to the data port."""

    def __init__(self, gate: RunningGateway, timeout_s: float = 10.0) -> None:
        parts = urlsplit(gate.base_url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
        self.headers = {"authorization": f"Bearer {gate.key}", "content-type": "application/json"}

    def begin(self, path: str, body: Json) -> http.client.HTTPResponse:
        """Send, and return when the answer's head is there; for reading it in pieces."""
        self.send(path, body)
        return self.connection.getresponse()

    def send(self, path: str, body: Json) -> None:
        """Send and do not wait."""
        self.connection.request("POST", path, json.dumps(body), self.headers)

    def call(self, path: str, body: Json) -> Answer:
        """Send and read all of the answer."""
        started = time.monotonic()
        response = self.begin(path, body)
        data = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, data, time.monotonic() - started)

    def ask(self, text: str, *, path: str = CHAT, **more: Any) -> Answer:
        """One user message."""
        return self.call(path, request(text, path, **more))

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def request(text: str, path: str = CHAT, **more: Any) -> Json:
    """The smallest body that says `text`."""
    said: Json = {"input": text} if path == RESPONSES else {"messages": [{"role": "user", "content": text}]}
    return {"model": MODEL, **said, **more}


def ask(gate: RunningGateway, text: str, **more: Any) -> Answer:
    """One user message on a connection of its own."""
    client = Client(gate)
    try:
        return client.ask(text, **more)
    finally:
        client.close()


def records(audit: Path, kind: str = "") -> list[Json]:
    """The audit log as it lies on disk now: the whole lines of all segments."""
    lines = [line for path in sorted(audit.glob("*/*.jsonl")) for line in path.read_bytes().split(b"\n")[:-1]]
    return [row for row in map(json.loads, lines) if not kind or row["kind"] == kind]


def until(condition: Callable[[], Any], timeout_s: float = 5.0) -> Any:
    """Look until `condition()` is true, and return it. Raises AssertionError after `timeout_s`."""
    pause, end = threading.Event(), time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end, f"this did not come true within {timeout_s} s: {condition}"
        pause.wait(0.005)
    return found
