"""Which path speaks which dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yett.wire import (
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_moderations,
    openai_responses,
    passthrough,
)
from yett.wire.exchange import Dialect


@dataclass(frozen=True, slots=True)
class Route:
    """A served path. `one_way`: nothing is restored in its answers, so values become marks, not pseudonyms."""

    path: str
    dialect: Dialect
    one_way: bool = False


MODERATIONS = Route("/v1/moderations", openai_moderations.DIALECT, one_way=True)

ROUTES: Mapping[str, Route] = {
    route.path: route
    for route in (
        Route("/v1/chat/completions", openai_chat.DIALECT),
        Route("/v1/responses", openai_responses.DIALECT),
        Route("/v1/completions", openai_completions.DIALECT),
        Route("/v1/embeddings", openai_embeddings.DIALECT, one_way=True),
        MODERATIONS,
    )
}

# Any other path under /v1, where the setting passthrough allows it: every string is a leaf, path "" means the caller's.
PASSTHROUGH = Route("", passthrough.DIALECT)
