"""The request bodies of the bench: about 1 KB of chat, clean or with six pieces of personal data, plain or streamed."""

from __future__ import annotations

import json

MODEL = "gpt-4o-mini"
ANSWER_STARTS = "The gate is a lattice of iron bars"
PERSONAL = (
    "maria.lopez@example.org",
    "+44 20 7946 0958",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "81.2.69.142",
    "536-90-4399",
)
_CLEAN = (
    "Please read the following notes and sum them up in three short points. The team met on Tuesday and spoke about "
    "the new layout of the reading room, the order in which the shelves are moved, and who keeps the old catalogue. "
    "Two people would rather wait until the roof is mended; the others want to begin with the east wing at once. "
    "Nobody objects to the lamps. The budget is enough for the shelves and the lamps, and not for the carpet. "
    "A decision about the carpet is left to the next meeting, at which the architect will show two samples. "
    "Please keep the tone friendly, leave out who said what, and end with one open question to the group. "
)
_PERSONAL = (
    f"Write to {PERSONAL[0]} or call {PERSONAL[1]} about the invoice. The card {PERSONAL[2]} was charged twice and the "
    f"refund goes to the account {PERSONAL[3]}. The order came from {PERSONAL[4]} and her social security number is "
    f"{PERSONAL[5]}. "
)


def chat(*, personal: bool = False, stream: bool = False) -> bytes:
    text = (_PERSONAL + _CLEAN)[: len(_CLEAN) + 220] if personal else _CLEAN + _CLEAN[:220]
    body: dict[str, object] = {
        "model": MODEL,
        "messages": [{"role": "system", "content": "You are a careful secretary."}, {"role": "user", "content": text}],
        "temperature": 0.2,
    }
    if stream:
        body["stream"] = True
    return json.dumps(body, separators=(",", ":")).encode()
