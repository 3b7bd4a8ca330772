"""Private keys as files: one each, in a folder that only their owner can look into and that no backup takes."""

import os
import re
from contextlib import suppress
from pathlib import Path


class KeyFiles:
    """A folder of private halves, each named by its public one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, public: bytes, private: bytes) -> None:
        """Write it so that it is there after a power cut too."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._file(public), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(file, "wb") as writer:
            writer.write(private)
            writer.flush()
            os.fsync(writer.fileno())
        self._sync()

    def read(self, public: bytes) -> bytes | None:
        """None if it is not there or may not be read."""
        try:
            return self._file(public).read_bytes()
        except OSError:
            return None

    def all(self) -> list[bytes]:
        """The public halves of what is there."""
        return [bytes.fromhex(file.stem) for file in sorted(self._folder.glob("*.key")) if re.fullmatch(r"[0-9a-f]{64}", file.stem)]

    def destroy(self, public: bytes) -> None:
        """Overwrite it as far as the disk does so in place, unlink it, and see to it that it stays unlinked. Raises OSError."""
        file = self._file(public)
        with suppress(OSError):
            file.chmod(0o600)
            with file.open("r+b") as writer:
                writer.write(os.urandom(file.stat().st_size))
                writer.flush()
                os.fsync(writer.fileno())
        with suppress(FileNotFoundError):
            file.unlink()
            self._sync()

    def _sync(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _file(self, public: bytes) -> Path:
        return self._folder / f"{public.hex()}.key"
