"""A text classifier from a local folder (`model.onnx`, `tokenizer.json`, `config.json`), for any plugin that takes one.

Texts longer than the model's window are read in windows that overlap, never cut off; the worst window counts. The
factory is for worker processes: only they import onnxruntime.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from yett.detector import Found
from yett.errors import PluginError

FILES = ("model.onnx", "tokenizer.json", "config.json")
NEEDS = ("onnxruntime", "tokenizers")
HARMLESS = frozenset({"benign", "safe", "legit", "label_0", "neutral", "clean", "negative", "normal", "non_toxic"})
WINDOW_TOKENS = 512
OVERLAP_TOKENS = 64
BATCH_WINDOWS = 8


class TextClassifier:
    """The model of one folder: how probable it is that a text is one of `labels`.

    `labels`: names from the model's `id2label`, any case; None: all that do not sound `HARMLESS`. Raises ValueError for
    a folder that holds something else, and for a label that the model does not have.
    """

    def __init__(self, folder: Path, labels: Sequence[str] | None = None) -> None:
        from tokenizers import Tokenizer

        config = _read_config(folder)
        self._counted = _counted([str(config["id2label"][key]) for key in sorted(config["id2label"], key=int)], labels)
        self._independent = config.get("problem_type") == "multi_label_classification"
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._head, self._tail = _edges(self._tokenizer)
        self._pad = int(config.get("pad_token_id") or 0)
        room = min(WINDOW_TOKENS, _positions(config)) - len(self._head) - len(self._tail)
        if room < 2:
            raise ValueError("the model's window has no room for a text")
        self._room, self._step = room, max(1, room - min(OVERLAP_TOKENS, room // 4))
        self._session = _session(folder / "model.onnx")
        self._inputs = {one.name for one in self._session.get_inputs()}
        if "input_ids" not in self._inputs:
            raise ValueError("the model has no input `input_ids`")

    def worst(self, text: str) -> tuple[float, int, int]:
        """The highest probability of any window, and where that window stands in `text`."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids, offsets = encoding.ids, encoding.offsets
        if not ids:
            return 0.0, 0, len(text)
        spans = list(self._windows(len(ids)))
        scores: list[float] = []
        for at in range(0, len(spans), BATCH_WINDOWS):
            scores += self._run([ids[start:end] for start, end in spans[at : at + BATCH_WINDOWS]])
        score = max(scores)
        start, end = spans[scores.index(score)]
        return score, offsets[start][0], offsets[end - 1][1]

    def _windows(self, size: int) -> Iterator[tuple[int, int]]:
        start = 0
        while start + self._room < size:
            yield start, start + self._room
            start += self._step
        yield max(0, size - self._room), size

    def _run(self, windows: Sequence[Sequence[int]]) -> list[float]:
        import numpy as np

        rows = [[*self._head, *window, *self._tail] for window in windows]
        longest = max(map(len, rows))
        padded = [row + [self._pad] * (longest - len(row)) for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        feed = {"input_ids": np.array(padded, dtype=np.int64), "attention_mask": np.array(mask, dtype=np.int64)}
        feed["token_type_ids"] = np.zeros_like(feed["input_ids"])
        logits = self._session.run(None, {name: feed[name] for name in self._inputs})[0]
        return [self._probability([float(value) for value in row]) for row in logits]

    def _probability(self, logits: Sequence[float]) -> float:
        if len(logits) == 1:
            return _sigmoid(logits[0])
        if self._independent:
            return max(_sigmoid(logits[at]) for at in self._counted)
        highest = max(logits)
        shares = [math.exp(value - highest) for value in logits]
        return min(1.0, sum(shares[at] for at in self._counted) / sum(shares))


class OnnxTextScanner:
    """Gives one finding of `code` for each text, whatever the score: the worst window and its probability."""

    def __init__(self, classifier: TextClassifier, code: str) -> None:
        self._classifier = classifier
        self._code = code

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """See `yett.detector.Scanner`."""
        known = {text: self._found(text) for text in dict.fromkeys(texts)}
        return [known[text] for text in texts]

    def _found(self, text: str) -> list[Found]:
        score, start, end = self._classifier.worst(text)
        return [Found(start, end, self._code, score)] if start < end else []


def make_scanner(*, folder: str, code: str, labels: Sequence[str] | None = None) -> OnnxTextScanner:
    """The scanner of the model in `folder`, warmed up. Raises ValueError for a folder that holds something else."""
    scanner = OnnxTextScanner(TextClassifier(Path(folder), labels), code)
    scanner.scan(["Good morning."])
    return scanner


def located(plugin: str, folder: Path) -> str:
    """`folder` as an absolute path. Imports nothing heavy. Raises PluginError for a missing package or file."""
    if missing := [name for name in NEEDS if find_spec(name) is None]:
        raise PluginError(f"{plugin}: {', '.join(missing)} not installed: pip install 'yett[onnx]'")
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise PluginError(f"{plugin}: the model folder {folder} has no {', '.join(missing)}")
    return str(folder.resolve())


def _read_config(folder: Path) -> dict[str, Any]:
    config = orjson.loads((folder / "config.json").read_bytes())
    names = config.get("id2label") if isinstance(config, dict) else None
    if not isinstance(names, dict) or sorted(names) != sorted(map(str, range(len(names)))) or not names:
        raise ValueError("config.json has no `id2label` that names the classes 0, 1, ...")
    return dict(config)


def _counted(names: Sequence[str], labels: Sequence[str] | None) -> tuple[int, ...]:
    """The numbers of the classes that count as a finding."""
    known = [name.lower() for name in names]
    if labels is None:
        counted = tuple(at for at, name in enumerate(known) if name not in HARMLESS)
        if not counted or (len(counted) == len(known) > 1):
            raise ValueError(f"say with `labels` which of {', '.join(names)} counts as a finding")
        return counted
    if unknown := [label for label in labels if label.lower() not in known]:
        raise ValueError(f"the model has no label {', '.join(unknown)}; it has {', '.join(names)}")
    return tuple(sorted(known.index(label.lower()) for label in labels))


def _edges(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that a text stands between."""
    encoding = tokenizer.encode("a")
    inner = [at for at, special in enumerate(encoding.special_tokens_mask) if not special]
    if not inner:
        return [], []
    return list(encoding.ids[: inner[0]]), list(encoding.ids[inner[-1] + 1 :])


def _positions(config: dict[str, Any]) -> int:
    """How many tokens the model can read. RoBERTa's kind counts two positions that no token gets."""
    positions = int(config.get("max_position_embeddings") or WINDOW_TOKENS)
    return positions - 2 if str(config.get("model_type", "")).endswith("roberta") else positions


def _session(path: Path) -> Any:  # an InferenceSession, which has no types
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # there are several workers
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
