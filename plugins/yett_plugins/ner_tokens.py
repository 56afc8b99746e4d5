"""A token classifier in ONNX: texts of any length in windows, its BIO or BIOES labels read as words with a kind.

A text is cut where sentences or lines end; where a stretch has no such place, windows overlap and each token is taken
from the window in which it stands farther from the edge. Nothing is ever truncated. A window runs alone: in padded
batches the eight-bit scales, and so the findings, of one text would depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from yett_plugins.ner_mentions import OTHER, Mention, kind_of

OUTSIDE = "O"
WINDOW_TOKENS = 64  # short windows find more and cost less than long ones: see docs/ner.md
OVERLAP_TOKENS = 16
BREAKS = ".!?\n。！？"  # a window may end after one of these

Probabilities = NDArray[np.float32]


class Encoding(Protocol):
    """What a tokenizer gives: ids, the characters of each token, the word it belongs to."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    word_ids: list[int | None]


class TokenClassifier:
    """A model folder: `model.onnx`, `tokenizer.json`, `config.json` with `id2label`.

    `labels`: the operator's names for what the model's labels mean. `by_first`: a word is what its first token is, as
    most models are trained; else what its tokens are on average. `prepare`: applied to the model before it is loaded.
    Raises ValueError for a folder that holds something else.
    """

    def __init__(
        self,
        folder: Path,
        model: str = "model.onnx",
        *,
        labels: Mapping[str, str],
        by_first: bool = True,
        prepare: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._by_first = by_first
        config = _config(folder)
        self._tokenizer = _tokenizer(folder)
        self._session = _session(folder / model, prepare)
        self._inputs = {one.name for one in self._session.get_inputs()}
        names = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        kinds = [OUTSIDE if name == OUTSIDE else kind_of(name, labels) for name in names]
        self.kinds = (OUTSIDE, *sorted(set(kinds) - {OUTSIDE}))
        self._to_kind = np.array([[kind == one for one in self.kinds] for kind in kinds], dtype=np.float32)
        self._edges = _edges(self._tokenizer)
        room = int(config.get("max_position_embeddings") or 512) - len(self._edges[0]) - len(self._edges[1]) - 2
        self._window = min(WINDOW_TOKENS, max(8, room))
        if "input_ids" not in self._inputs:
            raise ValueError("the model has no input `input_ids`")

    def mentions(self, text: str, threshold: float) -> list[Mention]:
        """The words of `text` that are something with at least `threshold`."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        if not encoding.ids:
            return []
        scores = self._scores(encoding.ids, _breaks(text, encoding.offsets))
        return _words(encoding, scores @ self._to_kind, self._by_first, self.kinds, threshold)

    def _scores(self, ids: Sequence[int], breaks: NDArray[np.bool_]) -> Probabilities:
        """The probability of each label at each token."""
        scores = np.zeros((len(ids), len(self._to_kind)), dtype=np.float32)
        for start, end, first, last in windows(len(ids), breaks, self._window):
            scores[first:last] = self._run(ids[start:end])[first - start : last - start]
        return scores

    def _run(self, ids: Sequence[int]) -> Probabilities:
        before, after = self._edges
        array = np.array([[*before, *ids, *after]], dtype=np.int64)
        feed = {"input_ids": array, "attention_mask": np.ones_like(array), "token_type_ids": np.zeros_like(array)}
        (logits,) = self._session.run(None, {name: feed[name] for name in self._inputs})[:1]
        rows = np.asarray(logits[0][len(before) : len(before) + len(ids)], dtype=np.float32)
        if rows.shape != (len(ids), len(self._to_kind)):
            raise ValueError("the model does not label each token")
        powers = np.exp(rows - rows.max(axis=-1, keepdims=True))
        probabilities: Probabilities = powers / powers.sum(axis=-1, keepdims=True)
        return probabilities


def windows(tokens: int, breaks: NDArray[np.bool_], size: int) -> list[tuple[int, int, int, int]]:
    """Windows over `tokens` tokens: (start, end, first, last), of which first to last are its own to label.

    A window ends after the last break in its second half, and the next one begins there; without one they overlap.
    """
    overlap = min(OVERLAP_TOKENS, size // 4)
    found: list[tuple[int, int, int, int]] = []
    start = first = 0
    while True:
        end = min(start + size, tokens)
        if end == tokens:
            found.append((start, end, first, end))
            return found
        places = np.flatnonzero(breaks[start + size // 2 : end])
        if len(places):
            end = start + size // 2 + int(places[-1]) + 1
            found.append((start, end, first, end))
            start = first = end
        else:
            last = end - overlap // 2
            found.append((start, end, first, last))
            start, first = end - overlap, last


def _breaks(text: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """After which tokens a sentence or line ends: at a mark that is followed by space, or before a line break."""
    size = len(text)
    ends = [end for _, end in offsets]
    starts = [*(start for start, _ in offsets[1:]), size]
    return np.array(
        [
            0 < end < start and (text[end - 1] in BREAKS or "\n" in text[end:start])
            for end, start in zip(ends, starts, strict=True)
        ]
    )


def _words(
    encoding: Encoding, kinds: Probabilities, by_first: bool, names: Sequence[str], threshold: float
) -> list[Mention]:
    """The words that are something. Whether the model says B- or I- is not asked: neighbours are joined later."""
    offsets = encoding.offsets  # a copy at each read
    numbers = [-1 if number is None else number for number in encoding.word_ids]
    firsts = np.flatnonzero(np.diff(numbers, prepend=-2))
    lasts = np.append(firsts[1:], len(numbers)) - 1
    words = kinds[firsts] if by_first else np.add.reduceat(kinds, firsts, axis=0) / (lasts - firsts + 1)[:, None]
    scores = 1 - words[:, 0]
    found: list[Mention] = []
    for word in np.flatnonzero(scores >= threshold):
        start, end = offsets[firsts[word]][0], offsets[lasts[word]][1]
        kind = names[1 + int(words[word, 1:].argmax())]
        if kind != OTHER and start < end:
            found.append(Mention(start, end, kind, min(1.0, float(scores[word]))))
    return found


def _config(folder: Path) -> dict[str, Any]:
    config = orjson.loads((folder / "config.json").read_bytes())
    names = config.get("id2label") if isinstance(config, dict) else None
    if not isinstance(names, dict) or not names or set(names) != {str(number) for number in range(len(names))}:
        raise ValueError("config.json has no `id2label` from 0 upwards")
    return dict(config)


def _tokenizer(folder: Path) -> Any:  # a tokenizers.Tokenizer, which has no types
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _edges(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that a text stands between."""
    encoding = tokenizer.encode("a")
    inner = [at for at, special in enumerate(encoding.special_tokens_mask) if not special]
    if not inner:
        return [], []
    return encoding.ids[: inner[0]], encoding.ids[inner[-1] + 1 :]


def _session(path: Path, prepare: Callable[[bytes], bytes] | None) -> Any:  # an InferenceSession, which has no types
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("optimization.enable_gelu_approximation", "1")
    options.log_severity_level = 4
    model = prepare(path.read_bytes()) if prepare is not None else str(path)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
