"""A way to a server whose other end can vanish, as a host does that loses its power: nothing is closed, and nothing is acknowledged."""

import ctypes
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import sqlalchemy as sa

_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # SO_…, which Python does not name
_DROP = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # of a packet 0 bytes are let through
_FILTER = struct.pack("HxxxxxxP", 1, ctypes.addressof(_DROP))
_RESET = struct.pack("ii", 1, 0)  # a host that has come back knows of no connection


class Way:
    """A proxy to a database. While it has vanished, its sockets drop what comes, before TCP sees it. Needs Linux, but not root."""

    def __init__(self, url: str) -> None:
        """``url``: where it leads; the attribute is where it begins."""
        to = sa.make_url(url)
        self._to = (to.host, to.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.url = to.set(port=self._listener.getsockname()[1]).render_as_string(hide_password=False)

    def __enter__(self) -> Self:
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._forget()

    @contextmanager
    def vanished(self) -> Iterator[None]:
        for one in (self._listener, *self._sockets):
            one.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _FILTER)
        try:
            yield
        finally:
            self._forget()
            self._listener.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)

    def _forget(self) -> None:
        for one in list(self._sockets):
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.shutdown(socket.SHUT_RDWR)

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(near, socket.create_connection(self._to)), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):
            self._sockets += [near, far]
            while all(self._pass_one(one, other) for one, other in ((near, far), (far, near))):
                select.select([near, far], [], [])
        self._sockets = [one for one in self._sockets if one not in (near, far)]

    @staticmethod
    def _pass_one(source: socket.socket, to: socket.socket) -> bool:
        """What is there now. Tells whether the source is open."""
        if source not in select.select([source], [], [], 0)[0]:
            return True
        data = source.recv(65536)
        to.sendall(data)
        return bool(data)
