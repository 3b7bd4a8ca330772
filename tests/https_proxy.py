"""A proxy as firms have them: it is asked for a way to a host (CONNECT) and passes on what it cannot read."""

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Tunnels(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, leads_to: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.leads_to = leads_to
        self.asked: list[str] = []


class _Tunnel(socketserver.BaseRequestHandler):
    server: _Tunnels
    request: socket.socket

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.request.recv(1)
        self.server.asked.append(head.split(b"\r\n")[0].decode())
        with socket.create_connection(self.server.leads_to) as there:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                for one in select.select([self.request, there], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    (there if one is self.request else self.request).sendall(data)


@contextmanager
def https_proxy(leads_to: tuple[str, int]) -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was asked for. Wherever one wants to go, it leads to one server."""
    with _Tunnels(leads_to) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", server.asked
        finally:
            server.shutdown()
            thread.join()
