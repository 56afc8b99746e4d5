"""kill -9 under load: every answer that a client received has its record, and the log verifies after repair."""

import http.client
import json
import os
import random
import signal
import threading
import time

import pytest

from helpers.gateway import running_gateway
from helpers.upstream import ThreadedUpstream
from yett.audit.sink import AuditLog
from yett.audit.verify import verify

ROUNDS = int(os.environ.get("YETT_KILLS", "50"))
CLIENTS = 6


class Client(threading.Thread):
    """Calls until the gateway is gone; keeps the ids of the answers it received whole."""

    def __init__(self, address, key, stream):
        super().__init__(daemon=True)
        self.address, self.key, self.stream = address, key, stream
        self.answered: list[str] = []

    def run(self):
        host, _, port = self.address.removeprefix("http://").partition(":")
        body = json.dumps(
            {
                "model": "gpt-4o-mini",
                "stream": self.stream,
                "messages": [{"role": "user", "content": "mail ada@example.org"}],
            }
        )
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        connection = http.client.HTTPConnection(host, int(port.partition("/")[0]), timeout=10)
        try:
            while True:
                connection.request("POST", "/v1/chat/completions", body, headers)
                response = connection.getresponse()
                data = response.read()
                if response.status == 200 and (not self.stream or data.endswith(b"data: [DONE]\n\n")):
                    self.answered.append(response.headers["x-request-id"])
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


def one_round(tmp_path, rng, upstream):
    tmp_path.mkdir()
    provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": "unused"}
    with running_gateway(tmp_path, {"up": provider}) as gate:
        clients = [Client(gate.base_url, gate.key, stream=index % 2 == 1) for index in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(rng.uniform(0.005, 0.5))  # the moment of the kill is the random variable of this test
        gate.process.send_signal(signal.SIGKILL)
        gate.process.wait()
        for client in clients:
            client.join(15)
    answered = [flow for client in clients for flow in client.answered]
    AuditLog.open(gate.audit_dir, durability="group", signing_key=gate.root / "var/keys/audit.pem").close()
    report = verify(gate.audit_dir)
    assert report.ok, report
    lines = b"".join(path.read_bytes() for path in sorted(gate.audit_dir.glob("*/*.jsonl"))).splitlines()
    records = [json.loads(line) for line in lines]
    completed = {r["flow"] for r in records if r["kind"] == "completed" and r["outcome"] != "unknown"}
    decided = {r["flow"] for r in records if r["kind"] == "decided"}
    missing = [flow for flow in answered if flow not in completed or flow not in decided]
    assert missing == []
    every = [r["flow"] for r in records if r["kind"] == "completed"]
    assert len(every) == len(set(every))
    assert set(every) == decided
    return len(answered), len(decided)


@pytest.mark.proof
def test_no_answered_request_is_without_its_record(tmp_path):
    seed = int(os.environ.get("YETT_SEED", "20261122"))
    rng = random.Random(seed)
    answered = decided = 0
    with ThreadedUpstream() as upstream:
        for number in range(ROUNDS):
            got, made = one_round(tmp_path / str(number), rng, upstream)
            answered += got
            decided += made
    print(f"\n{ROUNDS} kills, seed {seed}: {answered} answers received, {decided} flows decided, 0 records missing")
    assert answered > ROUNDS
