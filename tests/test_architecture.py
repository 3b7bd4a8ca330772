"""One way down through the layers, checked by import-linter from pyproject.toml."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.conftest import ROOT


def test_the_layers_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("logging.config.dictConfig", lambda _settings: None)  # it would silence every log of the tests that follow
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0, capsys.readouterr().out


def test_no_room_is_too_large() -> None:
    large = [str(path.relative_to(ROOT)) for path in Path(ROOT / "voice").rglob("*.py") if len(path.read_text().splitlines()) > 330]
    assert large == []


def test_what_the_procfile_starts_exists() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert lines == {
        "release": "python -m voice migrate",
        "web": 'gunicorn --bind 0.0.0.0:$PORT --workers ${WEB_CONCURRENCY:-2} --threads 8 "voice.app:create_app()"',
        "worker": "python -m voice work",
    }
