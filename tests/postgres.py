"""Debian's PostgreSQL in a temporary folder, for as long as the tests run. It syncs to the disk, as a real one does."""

import ctypes
import functools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from voice.local.line import free_port
from voice.migrations import migrate

_PR_SET_PDEATHSIG = 1


def find_programs() -> Path | None:
    """The folder of initdb and postgres, the newest version first; None if it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    anywhere = shutil.which("initdb")
    return found[0].parent if found else Path(anywhere).parent if anywhere else None


class Postgres:
    """A server of its own on a loopback port. Root cannot run one, so as root it is run by the user that Debian makes for it."""

    def __init__(self, programs: Path, connections: int = 300, *, fsync: bool = True) -> None:
        self.programs = programs
        self._connections = connections
        self._fsync = fsync
        self._user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self._as: dict[str, int] = {"user": self._user.pw_uid, "group": self._user.pw_gid} if self._user else {}
        self._port = free_port()
        self._names = count(1)

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        initialise = [
            self.programs / "initdb",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
            "data",
        ]
        subprocess.run(initialise, cwd=self.folder, check=True, capture_output=True, **self._as)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(at_once=True)  # nobody reads it any more
        shutil.rmtree(self.folder)

    def start(self) -> None:
        settings = {
            "port": self._port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": self._connections,
            "fsync": self._fsync,
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            command = [self.programs / "postgres", "-D", self.folder / "data", *flags]
            self._server = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_parent, **self._as
            )
        end = time.monotonic() + 30
        while True:
            try:
                return self._administrate("SELECT 1")
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self, *, at_once: bool = False) -> None:
        """``at_once``: as if the machine had lost its power; otherwise connections are closed and everything is written."""
        self._server.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
        self._server.wait(30)

    @property
    def pid(self) -> int:
        """The server's process, which leads the group of all of its processes."""
        return self._server.pid

    def new_database(self, *, empty: bool = False) -> str:
        """Make a database, with all tables unless it shall be ``empty``, and give its URL, as an operator would write it."""
        name = f"test{next(self._names)}"
        self._administrate("CREATE DATABASE {} TEMPLATE {}", name, "template1" if empty else self._ready)
        return self._url(name)

    @functools.cached_property
    def _ready(self) -> str:
        """A database that the others are copies of."""
        self._administrate("CREATE DATABASE ready")
        migrate(self._url("ready").replace("postgresql://", "postgresql+psycopg://"))
        return "ready"

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{name}"

    def _administrate(self, statement: str, *names: str) -> None:
        with psycopg.connect(host="127.0.0.1", port=self._port, user="postgres", autocommit=True, connect_timeout=5) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _end_with_parent() -> None:
    """On Linux: so that a test run that is killed leaves no server behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
