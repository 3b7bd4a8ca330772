"""The environment read setting by setting: each in its form, and every mistake collected with its mend."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_PHONE = r"\+[1-9][0-9]{6,14}"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+|localhost")

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Smtp:
    """Where mail is handed over. ``none`` (clear text) only ever names this very machine."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


class Reader:
    """Reads one setting at a time and collects what is wrong instead of stopping at the first mistake."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def _wrong(self, name: str, problem: str, mend: str) -> str:
        self.problems.append(f"{name} {problem}: set it to {mend}." if not mend.startswith("leave") else f"{name} {problem}: {mend}.")
        return ""

    def text(self, name: str, *, default: str | None = None, mend: str = "") -> str:
        value = self._environ.get(name, "").strip()
        if value:
            return value
        return default if default is not None else self._wrong(name, "is missing", mend)

    def matching(self, name: str, pattern: str, *, mend: str) -> str:
        value = self.text(name, mend=mend)
        if value and not re.fullmatch(pattern, value):
            return self._wrong(name, "has the wrong form", mend)
        return value

    def number(self, name: str, *, default: int, low: int, high: int) -> int:
        value = self.text(name, default=str(default))
        if not (re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= high):
            self._wrong(name, f"is {value!r}", f"a whole number from {low} to {high}")
            return default
        return int(value)

    def flag(self, name: str, *, default: str = "0") -> bool:
        return self.choice(name, (default, "1" if default == "0" else "0")) == "1"

    def digits(self, name: str) -> str:
        value = self.text(name, default="")
        digits = re.sub(r"[ +]", "", value)
        if value and not re.fullmatch(r"[0-9]{3,15}", digits):
            return self._wrong(name, "is not a telephone number", "digits only, as it is to be read aloud")
        return digits

    def optional(self, name: str, pattern: str, *, mend: str) -> str:
        value = self.text(name, default="")
        return self._wrong(name, "has the wrong form", mend) if value and not re.fullmatch(pattern, value) else value

    def phones(self, name: str, *, pattern: str = _PHONE) -> tuple[str, ...]:
        numbers = tuple(part for part in (part.strip() for part in self.text(name, default="").split(",")) if part)
        for number in numbers:
            self._phone(name, number, pattern)
        return numbers

    def domains(self, name: str) -> tuple[str, ...]:
        """Mail domains, in ASCII."""
        domains = []
        for part in filter(None, (part.strip().lower() for part in self.text(name, default="").split(","))):
            try:
                domains.append(part.encode("idna").decode())
            except UnicodeError:
                domains.append("")
            if not _DOMAIN.fullmatch(domains[-1]):
                self._wrong(name, f"holds {part!r}", "mail domains, such as firma.dk, with a comma between")
        return tuple(domains)

    def pairs(self, name: str, pattern: str, what: str) -> Mapping[str, str]:
        """``+4570123456=leder``, several with a comma between: for each number of the line what it leads to."""
        pairs: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in self.text(name, default="").split(","))):
            number, _, leads_to = part.partition("=")
            if number in pairs or not re.fullmatch(pattern, leads_to):
                self._wrong(name, f"holds {part!r}", f"each number once with its {what}")
            else:
                self._phone(name, number)
            pairs[number] = leads_to
        return pairs

    def _phone(self, name: str, number: str, pattern: str = _PHONE) -> None:
        if not re.fullmatch(pattern, number):
            self._wrong(name, f"holds {number!r}", "numbers in international form, such as +4520123456")

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default=allowed[0])
        if value not in allowed:
            self._wrong(name, f"is {value!r}", " or ".join(allowed))
            return allowed[0]
        return value

    def listed(self, name: str, *, mend: str, default: str | None = None) -> tuple[str, ...]:
        value = self.text(name, mend=mend, default=default)
        parts = tuple(part for part in (part.strip() for part in value.split(",")) if part)
        if value and not (parts and all(re.fullmatch(r"[!-~]+", part) for part in parts)):
            self._wrong(name, "has the wrong form", mend)
        return parts

    def secrets(self, name: str) -> tuple[bytes, ...]:
        """32 random bytes each, in base64."""
        found = []
        for part in filter(None, (part.strip() for part in self.text(name, default="").split(","))):
            try:
                found.append(base64.b64decode(part.translate(str.maketrans("-_", "+/")), validate=True))
            except binascii.Error:
                found.append(b"")
        if any(len(secret) != 32 for secret in found):
            self._wrong(name, "has the wrong form", "32 random bytes in base64, as `openssl rand -base64 32` makes them")
        return tuple(found)

    def url(self, name: str, *, mend: str, default: str | None = None) -> str:
        """An http(s) address without path. Plain http only on this machine: what crosses a network is signed and private."""
        value = self.text(name, default=default, mend=mend).rstrip("/")
        if not value:
            return self._wrong(name, "is no address", mend) if self._environ.get(name, "").strip() else ""
        found = re.fullmatch(r"(https?)://(\[::1\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?", value)
        if not found or not 1 <= int(found[3] or 443) <= 65535:
            shown = "holds a user" if "@" in value else f"is {value!r}"  # a user has a password
            return self._wrong(name, f"{shown}, which is not such an address", mend)
        if found[1] == "http" and found[2].strip("[]") not in LOOPBACK:
            return self._wrong(name, "is plain http to another machine", f"an https address ({mend})")
        return value

    def address(self, name: str, *, mend: str) -> str:
        """One plain address that a mail can be written to and from. Its domain may be Danish, what stands before @ may not."""
        value = self.text(name, mend=mend)
        local, _, domain = value.rpartition("@")
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            domain = ""
        fits = len(local) <= 64 and len(domain) <= 253 and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)
        return self._wrong(name, f"is {value!r}, which is not one e-mail address", mend) if value and not fits else value

    def summary_to(self) -> str:
        """An address that takes everybody's preparations may only stand where callers are told that it is a trial."""
        if self._environ.get("TRIAL", "").strip() == "1":
            return self.address("SUMMARY_TO", mend="the one address that every preparation goes to during the trial")
        if self.text("SUMMARY_TO", default=""):
            self._wrong("SUMMARY_TO", "would take everybody's preparations", "leave it out, or set TRIAL=1 if this is a trial")
        return ""

    def database(self, name: str, data_dir: Path) -> str:
        value = self.text(name, default=f"sqlite:///{data_dir / 'samtaleklar.sqlite'}")
        if value.startswith("sqlite:///") and value not in ("sqlite:///", "sqlite:///:memory:"):  # web and worker must see the same one
            return value
        scheme, _, rest = value.partition("://")
        if scheme in ("postgresql+psycopg", "postgresql", "postgres") and rest and _port(value) is not None:
            return f"postgresql+psycopg://{rest}"
        return self._wrong(name, "names a database that is not supported", "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")

    def smtp(self, name: str) -> Smtp:
        mend = "smtp+starttls://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST, with %XX for what is no letter or digit"
        value = self.text(name, mend=mend)
        kinds: dict[str, tuple[Security, int]] = {"smtp+starttls": ("starttls", 587), "smtps": ("tls", 465), "smtp": ("none", 25)}
        port = _port(value)
        parts = urlsplit(value if port is not None else "")
        host, user, password = parts.hostname or "", unquote(parts.username or ""), unquote(parts.password or "")
        if value and (parts.scheme not in kinds or not host or parts.path not in ("", "/") or parts.query or parts.fragment):
            self._wrong(name, "is not a mail server's address", mend)
        elif bool(user) != bool(password):
            self._wrong(name, "has a user without a password or the reverse", mend)
        elif parts.scheme == "smtp" and host not in LOOPBACK:
            self._wrong(name, "would send mail in clear text to another machine", mend)
        elif parts.scheme == "smtp" and user:
            self._wrong(name, "would send a password in clear text, which is never done", f"{mend}, or leave the user out")
        security, standard = kinds.get(parts.scheme, ("starttls", 587))
        return Smtp(host, port or standard, security, user, password)


def _port(url: str) -> int | None:
    """The port that the address names, or 0 if it names none; None if it is no address."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return None
    return 0 if port is None else port or None
