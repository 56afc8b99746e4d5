import os
from pathlib import Path

import pytest

from yett.errors import ConfigError
from yett.reload import Reloading


def source(path: Path) -> Reloading[str]:
    def load() -> str:
        text = path.read_text() if path.exists() else "missing"
        if text.startswith(("bad", "missing")):
            raise ConfigError(f"{text} file", str(path))
        return text

    return Reloading(load, lambda: [path])


def test_a_change_is_taken_once(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    reloading = source(file)
    assert (reloading.poll(), reloading.current) == (False, "one")
    file.write_text("two!")
    assert (reloading.poll(), reloading.current) == (True, "two!")
    assert reloading.poll() is False


def test_a_bad_version_keeps_the_last_good_one_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    reloading = source(file)
    file.write_text("bad!")
    assert (reloading.poll(), reloading.current) == (False, "one")
    assert "bad! file" in str(reloading.rejected)
    file.write_text("three")
    assert (reloading.poll(), reloading.current, reloading.rejected) == (True, "three", None)


def test_a_file_that_goes_away_is_a_rejected_version(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    reloading = source(file)
    file.unlink()
    assert (reloading.poll(), reloading.current) == (False, "one")
    assert reloading.rejected


def test_the_first_load_must_be_good(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("bad")
    with pytest.raises(ConfigError):
        source(tmp_path / "f")


def test_same_size_and_time_but_another_file_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    stat = file.stat()
    reloading = source(file)
    (tmp_path / "g").write_text("two")
    os.utime(tmp_path / "g", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (tmp_path / "g").replace(file)
    assert (reloading.poll(), reloading.current) == (True, "two")


def test_a_file_written_while_it_is_read_waits_for_the_next_poll(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("one")
    racing = False

    def load() -> str:
        text = file.read_text()
        if racing:
            file.write_text(text + ", whole")
        return text

    reloading: Reloading[str] = Reloading(load, lambda: [file])
    file.write_text("half")
    racing = True
    assert (reloading.poll(), reloading.current) == (False, "one")
    racing = False
    assert (reloading.poll(), reloading.current) == (True, "half, whole")
