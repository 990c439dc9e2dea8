"""Which Java runs, and how it starts."""

from pathlib import Path

import pytest

from local.spark import jvm


def test_class_sharing_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An archive is used if it is there and wanted, and made only if it is missing and wanted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEMARK_CLASS_SHARING", raising=False)
    assert (jvm.existing_archive(), jvm.is_sharing_due()) == (None, True)
    jvm.archive_path().parent.mkdir()
    jvm.archive_path().touch()
    assert (jvm.existing_archive(), jvm.is_sharing_due()) == (jvm.archive_path(), False)
    monkeypatch.setenv("TIDEMARK_CLASS_SHARING", "0")
    assert (jvm.existing_archive(), jvm.is_sharing_due()) == (None, False)


def test_java_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """TIDEMARK_JAVA_HOME wins over the bundled Java."""
    monkeypatch.delenv("TIDEMARK_JAVA_HOME", raising=False)
    assert (jvm.java_home() / "bin" / "java").exists()
    monkeypatch.setenv("TIDEMARK_JAVA_HOME", "/opt/java")
    assert jvm.java_home() == Path("/opt/java")
