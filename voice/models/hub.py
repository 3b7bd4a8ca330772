"""The model hub: which files a model has there, and each of them fetched. The address is the library's own, or HF_ENDPOINT's.

``huggingface_hub`` goes through HTTPS_PROXY, shows how far it is, and goes on where a download broke off. It does not check what
it got: that is done here, against the hashes that the hub tells beforehand.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voice.errors import ModelError

AGAIN = "Run it again: what is there is kept, and it goes on where it broke off"


@dataclass(frozen=True, slots=True)
class File:
    """A file as the hub describes it."""

    name: str
    size: int
    hash: str  # sha256 of a large file, git's name of a small one: see ``hash_of``


@dataclass(frozen=True, slots=True)
class Published:
    """A model at one commit."""

    repository: str
    commit: str
    files: Mapping[str, File]


def look_up(repository: str, revision: str) -> Published:
    """What the hub has at this revision: a branch or a commit. Raises ModelError with the mend."""
    hub = _hub()
    with _told(repository, revision):
        info = hub.HfApi(_endpoint()).model_info(repository, revision=revision, files_metadata=True)
    files = {
        one.rfilename: File(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else one.blob_id or "") for one in info.siblings or ()
    }
    if not info.sha or (len(revision) == 40 and info.sha != revision):
        raise ModelError(f"The hub answers with another revision of {repository} than {revision}: nothing was fetched.")
    return Published(repository, info.sha, files)


def fetch(published: Published, name: str, folder: Path) -> Path:
    """One file into the folder. Raises ModelError: for a wrong hash too, and then the file is gone."""
    hub = _hub()
    with _told(published.repository, published.commit):
        path = Path(hub.hf_hub_download(published.repository, name, revision=published.commit, local_dir=folder, endpoint=_endpoint()))
    check(path, published.files[name].hash)
    return path


def check(path: Path, expected: str) -> None:
    """Delete a file that is not what it should be. Raises ModelError."""
    if hash_of(path, expected) != expected:
        path.unlink()
        raise ModelError(f"{path.name} is not the file that was published, and was deleted: fetch it again, or over another network.")


def hash_of(path: Path, like: str) -> str:
    """The file's hash of the kind that ``like`` is: sha256 in 64 digits, or git's, which is sha1 over a head and the file."""
    if len(like) == 64:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _endpoint() -> str | None:
    """A mirror of the hub, if the settings name one."""
    return os.environ.get("HF_ENDPOINT") or None


def _hub() -> Any:
    """The library, told to use the network: the recogniser tells it not to, and both are never in one process."""
    os.environ |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # its other protocol cannot go on where it broke off, and not every proxy lets it through
    import huggingface_hub

    return huggingface_hub


@contextmanager
def _told(repository: str, revision: str) -> Iterator[None]:
    """What goes wrong, in a sentence with its mend."""
    import httpx
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{repository} is given only to those who accept its terms: accept them on its page, make a token there, set HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{repository} has no revision {revision} any more: try --revision main, and then `model check`.") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(f"The hub has no {repository}, or shows it only to some: then make a token there and set HF_TOKEN.") from error
    except errors.EntryNotFoundError as error:
        raise ModelError(f"A file of {repository} cannot be had. {AGAIN}.") from error
    except (httpx.HTTPError, errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        kind = type(error).__name__
        raise ModelError(f"The hub could not be reached, or broke off ({kind}). {AGAIN}; behind a proxy set HTTPS_PROXY.") from error
