"""The recordings and messages that the exchange keeps, in memory."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from voice.exchange import media
from voice.exchange.conditions import Conditions, Media


def new_sid(kind: str) -> str:
    """An id as Twilio gives: CA (call), RE (recording) or SM (message) and 32 hexadecimal digits."""
    return kind + secrets.token_hex(16)


@dataclass(slots=True)
class Recording:
    """One recording, and how often it was asked for."""

    call_sid: str
    pcm: bytes
    conditions: Conditions = field(default_factory=Conditions)
    sid: str = field(default_factory=lambda: new_sid("RE"))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    fetches: int = 0
    deletions: int = 0
    deleted: bool = False

    @property
    def seconds(self) -> int:
        """The untrimmed length in whole seconds, rounded to the nearest."""
        return int(media.seconds(self.pcm) + 0.5)

    @property
    def wav(self) -> bytes:
        return media.to_wav(self.pcm)


@dataclass(frozen=True, slots=True)
class Message:
    """One text message that was handed in."""

    sid: str
    to: str
    sender: str
    body: str
    status_callback: str = ""


class Recordings:
    """All recordings by their sid. Calls add to them while the REST server reads and deletes."""

    def __init__(self) -> None:
        self._all: dict[str, Recording] = {}
        self._lock = threading.Lock()

    def add(self, recording: Recording) -> None:
        with self._lock:
            self._all[recording.sid] = recording

    def all(self, *, deleted: bool = False) -> list[Recording]:
        """Those that exist, in the order of their making; with ``deleted``, those too that were deleted."""
        with self._lock:
            return [recording for recording in self._all.values() if deleted or not recording.deleted]

    def get(self, sid: str) -> Recording | None:
        return next((recording for recording in self.all() if recording.sid == sid), None)

    def fetch(self, recording: Recording) -> Media:
        """Count one request for the sound and tell what it gets."""
        with self._lock:
            recording.fetches += 1
            conditions = recording.conditions
            if conditions.recording_status != "completed":
                return "missing"
            over = conditions.media_times is not None and recording.fetches > conditions.media_times
            recording.deleted |= conditions.media == "deleted"
            return "sound" if over else conditions.media

    def delete(self, recording: Recording) -> bool:
        """Count one request to delete, and delete unless the conditions let it fail."""
        with self._lock:
            recording.deletions += 1
            recording.deleted = recording.deletions > recording.conditions.deletes_failing
            return recording.deleted
