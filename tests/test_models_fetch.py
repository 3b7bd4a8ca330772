"""``samtaleklar model fetch``: from a hub on this machine, broken off, with wrong hashes, through a proxy, from a folder."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest
import trustme
from pytest_httpserver import HTTPServer

from tests.conftest import ROOT
from tests.fake_hub import COMMIT, FakeHub, published
from tests.https_proxy import https_proxy
from tests.random_models import MICRO, make
from voice.__main__ import main
from voice.errors import ModelError
from voice.models import fetching, table
from voice.speech.models import find_model

REPOSITORY = "people/danish"
ONE = table.Recogniser("danish", REPOSITORY, COMMIT, "MIT", MICRO, 30, 100, 9.0, 16.0)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("published") / "model", MICRO)


@pytest.fixture
def hub(source: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # other tests load the recogniser in this process
    monkeypatch.setenv("HF_ENDPOINT", httpserver.url_for("").rstrip("/"))
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # what is kept, it keeps in such pieces
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return FakeHub(httpserver, REPOSITORY, published(source))


def fetch(models: Path, one: table.Recogniser = ONE, revision: str = "") -> Path:
    return fetching.fetch(one, models, lambda _: None, revision)


def refused(models: Path, one: table.Recogniser = ONE) -> str:
    with pytest.raises(ModelError) as caught:
        fetch(models, one)
    assert not (models / "danish").exists()
    return str(caught.value)


def test_a_model_is_fetched_converted_and_found_by_its_name(hub: FakeHub, source: Path, tmp_path: Path) -> None:
    folder = fetch(tmp_path)
    assert find_model("danish", tmp_path) == folder
    assert sorted(path.name for path in tmp_path.iterdir()) == ["danish", "danish.source.json"], "what was fetched is cleared away"
    told = json.loads((tmp_path / "danish.source.json").read_text())
    assert told["revision"] == COMMIT
    assert told["files"] == {name: hub.hash_of(name) for name in hub.files}


def test_a_fetch_that_broke_off_goes_on_where_it_was(hub: FakeHub, tmp_path: Path) -> None:
    hub.breaks_at, hub.breaks = 105_000, 1
    assert "Run it again: what is there is kept" in refused(tmp_path)
    fetch(tmp_path)
    asked = [asked for name, asked in hub.asked if name == "model.safetensors"]
    assert asked == ["", "bytes=100000-"]
    assert len(hub.asked) == len(hub.files) + 1, "no small file is fetched twice"


def test_a_file_that_is_not_what_was_published_is_deleted_and_refused(hub: FakeHub, source: Path, tmp_path: Path) -> None:
    hub.named["model.safetensors"] = "a" * 64
    assert "model.safetensors is not the file that was published" in refused(tmp_path)
    assert not (tmp_path / ".danish.download" / "model.safetensors").exists()
    hub.named.clear()
    fetch(tmp_path)


def test_a_small_file_is_checked_too(hub: FakeHub, tmp_path: Path) -> None:
    hub.named["tokenizer.json"] = "b" * 40
    assert "tokenizer.json is not the file that was published" in refused(tmp_path)


def test_a_revision_that_is_not_there_is_told_with_the_mend(hub: FakeHub, httpserver: HTTPServer, tmp_path: Path) -> None:
    gone = "f" * 40
    address = f"/api/models/{REPOSITORY}/revision/{gone}"
    httpserver.expect_request(address).respond_with_data("", 404, {"X-Error-Code": "RevisionNotFound"})
    assert f"has no revision {gone} any more: try --revision main" in refused(tmp_path, replace(ONE, revision=gone))


def test_a_hub_that_answers_with_another_revision_is_not_believed(hub: FakeHub, httpserver: HTTPServer, tmp_path: Path) -> None:
    other = "e" * 40
    httpserver.expect_request(f"/api/models/{REPOSITORY}/revision/{other}").respond_with_handler(hub._tell)
    assert "another revision" in refused(tmp_path, replace(ONE, revision=other))
    assert hub.asked == []


@pytest.mark.parametrize(("denied", "says"), [("gated", "accept them on its page"), ("missing", "The hub has no people/danish")])
def test_what_the_hub_does_not_give_is_told_with_the_mend(hub: FakeHub, tmp_path: Path, denied: str, says: str) -> None:
    hub.denied = denied
    assert says in refused(tmp_path)


def test_a_hub_that_cannot_be_reached_is_told(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "could not be reached" in refused(tmp_path)
    assert "HTTPS_PROXY" in refused(tmp_path)


class TestWithoutAKnownCommit:
    NEWEST = replace(ONE, revision=table.NEWEST)

    def test_the_commit_of_the_first_fetch_is_kept(self, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = fetch(tmp_path, self.NEWEST)
        folder.rename(tmp_path / "old")
        asked: list[str] = []
        look_up = fetching.hub.look_up
        monkeypatch.setattr(fetching.hub, "look_up", lambda *where: asked.append(where[1]) or look_up(*where))
        fetch(tmp_path, self.NEWEST)
        assert asked == [COMMIT]

    def test_other_files_under_a_known_commit_are_refused(self, hub: FakeHub, tmp_path: Path) -> None:
        fetch(tmp_path, self.NEWEST).rename(tmp_path / "old")
        hub.named["config.json"] = "c" * 40
        assert "other files than danish.source.json does" in refused(tmp_path, self.NEWEST)


def test_a_model_in_several_files_is_fetched(httpserver: HTTPServer, hub: FakeHub, tmp_path: Path) -> None:
    parts = FakeHub(httpserver, "people/parts", published(make(tmp_path / "parts", MICRO, parts=2)))
    whole = fetch(tmp_path / "models")
    again = fetch(tmp_path / "models", replace(ONE, name="again", repository="people/parts"))
    assert (again / "model.bin").read_bytes() == (whole / "model.bin").read_bytes()
    assert {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} <= {name for name, _ in parts.asked}


def test_a_model_carried_by_hand_needs_no_hub(source: Path, tmp_path: Path) -> None:
    folder = fetching.take(ONE, source, tmp_path / "models", lambda _: None)
    assert find_model("danish", tmp_path / "models") == folder
    with pytest.raises(ModelError, match="is there already: delete it"):
        fetching.take(ONE, source, tmp_path / "models", lambda _: None)


def test_nothing_is_fetched_where_there_is_no_room(hub: FakeHub, tmp_path: Path) -> None:
    assert "make room, or set DATA_DIR" in refused(tmp_path, replace(ONE, disk=10**12))
    assert hub.asked == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "WHISPER_MODEL=danish\n"),
        ("PORT=8000\nWHISPER_MODEL=base\nTRIAL=1\n", "PORT=8000\nWHISPER_MODEL=danish\nTRIAL=1\n"),
        ("export WHISPER_MODEL=base", "WHISPER_MODEL=danish\n"),
        ("PORT=8000\n# WHISPER_MODEL=base\n", "PORT=8000\n# WHISPER_MODEL=base\nWHISPER_MODEL=danish\n"),
    ],
)
def test_the_setting_is_written_and_the_others_are_left(tmp_path: Path, before: str | None, after: str) -> None:
    file = tmp_path / "settings"
    if before is not None:
        file.write_text(before)
    fetching.set_setting(file, "WHISPER_MODEL", "danish")
    assert file.read_text() == after


def test_an_unknown_name_is_refused_with_those_that_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["model", "fetch", "edda"]) == 1
    assert "edda is none of edda-v0.2, " in capsys.readouterr().err


def test_the_command_goes_online_through_a_proxy_although_the_recogniser_never_does(source: Path, tmp_path: Path) -> None:
    one = next(one for one in table.TABLE if one.name == "whisper-small-danish")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hub.invalid").configure_cert(tls)
    settings = tmp_path / "settings"
    with HTTPServer("127.0.0.1", ssl_context=tls) as server, https_proxy((server.host, server.port)) as (proxy, asked):
        FakeHub(server, one.repository, published(source))
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {
            "DATA_DIR": str(tmp_path / "data"),
            "HF_ENDPOINT": "https://hub.invalid",
            "HTTPS_PROXY": proxy,
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
            "HF_HUB_OFFLINE": "1",
            "WHISPER_MODEL": "base",
        }
        command = [sys.executable, "-m", "voice", "model", "fetch", one.name, "--settings", str(settings)]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(asked) == {"CONNECT hub.invalid:443 HTTP/1.1"}
    assert f"revision {COMMIT[:12]}" in done.stdout
    assert settings.read_text() == "WHISPER_MODEL=whisper-small-danish\n"
    assert (tmp_path / "data" / "models" / one.name / "model.bin").is_file()


def test_a_model_that_is_there_is_not_fetched_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(fetching, "fetch", None)
    assert main(["model", "fetch", "edda-v0.2", "--from", str(source)]) == 0
    assert main(["model", "fetch", "edda-v0.2"]) == 0
    assert "Then set WHISPER_MODEL=edda-v0.2" in capsys.readouterr().out
    assert main(["model", "fetch", "base", "--from", str(source)]) == 1
    assert "comes with the program" in capsys.readouterr().err
