"""What a log may hold, whoever writes to it: an allow-list of fields, each in its form.

``configure`` puts it where records are made, so that it holds for every handler and formatter, also those that a library adds
later. Our own code logs a constant sentence with named fields, as in ``log.warning("job %(job)s failed: %(error)s", {...})``;
a field that is not in FIELDS, or not of its form, is written as "?". Of a library's record only the level, the logger, the
place and the kind of exception are kept: its text may hold a request, an address or a reply of a mail server.
"""

import hashlib
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from voice.errors import ConfigError

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
UNKNOWN = "?"
_OURS = str(Path(__file__).parent) + "/"

log = logging.getLogger(__name__)


def configure() -> None:
    """Keep every log of this process to the allow-list, and send it to standard error. Once, before anything is logged."""
    logging.setLogRecordFactory(allowed)
    logging.basicConfig(level=logging.WARNING, format=FORMAT)
    logging.getLogger("voice").setLevel(logging.INFO)
    logging.captureWarnings(True)
    for logger in logging.root.manager.loggerDict.values():
        for handler in getattr(logger, "handlers", ()):  # gunicorn's, which are there before us
            handler.setFormatter(logging.Formatter(FORMAT))
    sys.excepthook = lambda _type, error, _trace: _crashed(error)
    threading.excepthook = lambda crash: _crashed(crash.exc_value)
    sys.unraisablehook = lambda crash: _crashed(crash.exc_value)


def allowed(
    name: str, level: int, path: str, line: int, message: object, args: Any, exc_info: Any, *_: Any, **__: Any
) -> logging.LogRecord:
    """A record of what is allowed, and nothing else: what ``logging`` makes its records with."""
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if path.startswith(_OURS):
        fields = args[0] if args and isinstance(args[0], Mapping) else {}
        text = re.sub(r"%\((\w+)\)[sd]|%[sdrif]", lambda found: _shown(found[1], fields), str(message))
    else:
        text = f"{Path(path).name}:{line}"
    if isinstance(error, BaseException):
        text += f": {reason(error)}"
    return logging.LogRecord(name, level, path, line, text, (), None)


def reason(error: BaseException) -> str:
    """Type, code and place of an exception and of what it came from; never its text."""
    return " after ".join(_told(one) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen and len(seen) < 3:
        seen.append(following)
        yield following
        following = following.__cause__ or following.__context__


def _told(error: BaseException) -> str:
    return " ".join([type(error).__name__, *_codes(error), *_place(error)])


def _codes(error: BaseException) -> Iterator[str]:
    """Numbers, SQLAlchemy's and SQL's own codes, and the names of settings: none of them can hold what was said."""
    if isinstance(error, ConfigError):
        yield ", ".join(found[0] for problem in error.problems if (found := re.match(r"[A-Z][A-Z_]{1,40}\b", problem)))
    for name in ("code", "smtp_code", "errno", "verify_code", "sqlstate"):
        value = getattr(error, name, None)
        if _is_number(value, 9999) or (isinstance(value, str) and re.fullmatch(r"[a-z0-9]{4}|[0-9A-Z]{5}", value)):
            yield str(value)


def _place(error: BaseException) -> Iterator[str]:
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    if frame:
        yield f"at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}"


def _crashed(error: BaseException | None) -> None:
    """Nobody caught it. All places that led there, and no text; Ctrl-C is no fault."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return
    log.critical("not caught: %(error)s through %(trace)s", {"error": error, "trace": error})


# ---- the fields


def _is_number(value: object, most: int = 10**9) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -most <= value <= most


def _number(value: object) -> str:
    return str(value) if _is_number(value) else UNKNOWN


def _form(pattern: str) -> Callable[[object], str]:
    return lambda value: value if isinstance(value, str) and re.fullmatch(pattern, value) else UNKNOWN


def _hashed(value: object) -> str:
    """An id of 128 random bits, ours or the provider's, so short that it leads nowhere but to other lines of the log."""
    known = isinstance(value, str) and re.fullmatch(r"([A-Z]{2})?[0-9a-f]{32}", value)
    return hashlib.sha256(str(value).encode()).hexdigest()[:8] if known else UNKNOWN


def _error(value: object) -> str:
    return reason(value) if isinstance(value, BaseException) else UNKNOWN


def _trace(value: object) -> str:
    places, frame = [], getattr(value, "__traceback__", None)
    while frame:
        places.append(f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}")
        frame = frame.tb_next
    return " ".join(places)


FIELDS: Mapping[str, Callable[[object], str]] = {
    "attempt": _number,
    "code": _number,
    "count": _number,
    "ms": _number,
    "endpoint": _form(r"[a-z_]+(\.[a-z_]+)?"),
    "error": _error,
    "form": _form(r"pages|sound"),  # of a preparation
    "id": _hashed,
    "job": _form(r"[a-z_]{1,40}"),
    "method": _form(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS"),
    "process": _form(r"[a-z]{1,20}"),
    "state": _form(r"[A-Z_]{1,40}"),  # of the engine's
    "trace": _trace,
}


def _shown(name: str | None, fields: Mapping[str, object]) -> str:
    return FIELDS[name](fields[name]) if name and name in FIELDS and name in fields else UNKNOWN
