"""What our connections to PostgreSQL are told, so that nobody waits for a peer that has vanished.

A host that loses its power or its network closes nothing. By what Linux does unasked a client would wait
for such a server for a quarter of an hour, and a server would keep such a client's locks for two hours.
"""

from typing import Any

# Seconds without a sign of life after which a connection is given up: by us, and by the server. A worker that was cut off looks at its
# lock every second, so it ends before its lock and its jobs are another's.
PATIENCE = 15
_SERVER_PATIENCE = 22
_IDLE = 15  # seconds: none of our transactions pauses for so long, and a job waits for a locked row for twice as long


def arguments(patience: int = PATIENCE, **limits: float | None) -> dict[str, Any]:
    """For ``connect_args``. ``limits``: further ones that the server shall keep, by its names, in seconds; None as it is set there."""
    limits = {"idle_in_transaction_session_timeout": _IDLE, "tcp_user_timeout": _SERVER_PATIENCE, **limits}
    server = {name: int(seconds * 1000) for name, seconds in limits.items() if seconds is not None}
    server |= {f"tcp_{name}": value for name, value in _keepalives(_SERVER_PATIENCE).items()}
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        "connect_timeout": max(3, patience // 3),
        "tcp_user_timeout": patience * 1000,
        **_keepalives(patience),
    }


def _keepalives(patience: int) -> dict[str, int]:
    """Linux asks a silent peer whether it is there only while nothing is on its way to it; else ``tcp_user_timeout`` alone counts."""
    interval = patience // 3
    return {"keepalives_idle": patience - 2 * interval, "keepalives_interval": interval, "keepalives_count": 2}
