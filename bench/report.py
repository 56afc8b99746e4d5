"""The bench's answer: a table for people, a JSON file for later, and the verdict against the targets."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from measure import Sample

ROOT = Path(__file__).resolve().parents[1]
MAX_BAD = 0.001  # share of failed requests above which a figure means nothing

# (what, our row, their row, load of ours, load of theirs, at least). Ratio of CPU time per request: theirs / ours.
TARGETS = (
    ("plain, ratio to nginx", "yett, guards off", "nginx", "plain", "plain", 0.15),
    ("guards on, personal data, ratio to nginx", "yett, guards on", "nginx", "pii", "plain", 0.06),
    ("guards on, personal data, times LiteLLM plain", "yett, guards on", "litellm", "pii", "plain", 30.0),
)


@dataclass
class Row:
    """One server: `loads[name]` has the sample at one connection and at sixteen; `wrong[name]`: why a load has none."""

    name: str
    start_s: float = 0.0
    rss_mib: float = 0.0
    loads: dict[str, dict[str, Sample]] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    skipped: str = ""

    def cpu_us(self, load: str) -> float:
        """CPU time per request at sixteen connections; 0 if it was not measured or failed too often to count."""
        sample = self.loads.get(load, {}).get("c16")
        return sample.cpu_us if sample and sample.bad <= sample.requests * MAX_BAD else 0.0


def table(rows: Sequence[Row]) -> str:
    """One line per server and load."""
    by_name = {row.name: row for row in rows}
    head = (
        "server",
        "load",
        "req/s c1",
        "p50 c1 ms",
        "added ms",
        "req/s c16",
        "p50 c16",
        "p99 c16",
        "CPU us",
        "of nginx",
        "RSS MiB",
        "start s",
        "bad",
    )
    lines: list[Sequence[str]] = [head]
    for row in rows:
        for load, samples in row.loads.items():
            lines.append(_line(row, load, samples, by_name))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = ["  ".join(_padded(cell, at, widths[at]) for at, cell in enumerate(line)) for line in lines]
    text.insert(1, "-" * len(text[0]))
    text += [f"FAILED {row.name}, {load}: {why}" for row in rows for load, why in row.wrong.items()]
    text += [f"SKIPPED {row.name}: {row.skipped}" for row in rows if row.skipped]
    return "\n".join(text)


def _padded(cell: str, column: int, width: int) -> str:
    return cell.ljust(width) if column < 2 else cell.rjust(width)


def _line(row: Row, load: str, samples: Mapping[str, Sample], rows: Mapping[str, Row]) -> list[str]:
    one, many = samples.get("c1"), samples["c16"]
    direct = rows["direct"].loads.get(load, {}).get("c1") if "direct" in rows else None
    yardstick = rows["nginx"].cpu_us("stream" if load == "stream" else "plain") if "nginx" in rows else 0.0
    return [
        row.name,
        load,
        f"{one.req_per_s:,.0f}" if one else "",
        f"{one.p50_us / 1e3:.3f}" if one else "",
        f"{(one.p50_us - direct.p50_us) / 1e3:.3f}" if one and direct and row.name != "direct" else "",
        f"{many.req_per_s:,.0f}",
        f"{many.p50_us / 1e3:.2f}",
        f"{many.p99_us / 1e3:.2f}",
        f"{many.cpu_us:,.0f}" if many.cpu_us else "",
        f"{yardstick / many.cpu_us:.3f}" if many.cpu_us and yardstick else "",
        f"{row.rss_mib:.0f}" if row.rss_mib else "",
        f"{row.start_s:.2f}" if row.start_s else "",
        str(sum(sample.bad for sample in samples.values())),
    ]


def verdicts(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Each target with what was measured: `met` is None where one side is missing."""
    by_name = {row.name: row for row in rows}
    found: list[dict[str, object]] = []
    for what, ours, theirs, our_load, their_load, least in TARGETS:
        mine = by_name[ours].cpu_us(our_load) if ours in by_name else 0.0
        other = by_name[theirs].cpu_us(their_load) if theirs in by_name else 0.0
        ratio = round(other / mine, 4) if mine and other else None
        found.append(
            {"what": what, "at_least": least, "measured": ratio, "met": None if ratio is None else ratio >= least}
        )
    return found


def verdict_text(found: Sequence[Mapping[str, object]]) -> str:
    words = {None: "NOT MEASURED", True: "met", False: "MISSED"}
    return "\n".join(
        f"{words[one['met']]:>12}  {one['what']}: {one['measured']} (at least {one['at_least']})"  # type: ignore[index]
        for one in found
    )


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "cpu": cpu.partition(":")[2].strip(),
        "cores": len([line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor")]),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def commit() -> str:
    name = _git("rev-parse", "--short", "HEAD") or "uncommitted"
    return name + ("-changed" if _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def write(rows: Sequence[Row], options: Mapping[str, object]) -> Path:
    """Write bench/results/<date>-<commit>.json and return its path."""
    now, name = datetime.now(UTC), commit()
    folder = ROOT / "bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{now:%Y%m%dT%H%M%SZ}-{name}.json"
    content = {
        "at": now.isoformat(timespec="seconds"),
        "commit": name,
        "machine": machine(),
        "options": dict(options),
        "rows": [asdict(row) for row in rows],
        "targets": verdicts(rows),
    }
    target.write_text(json.dumps(content, indent=1) + "\n")
    return target
