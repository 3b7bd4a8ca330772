"""The settings: read once from the environment, typed, and every mistake reported at once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import unquote, urlsplit

from voice.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
TWILIO_API = "https://api.twilio.com"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_PHONE = r"\+[1-9][0-9]{6,14}"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+|localhost")

SpeechVoice = Literal["gtts", "espeak"]
Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class Smtp:
    """Where mail is handed over. ``none`` (clear text) only ever names this very machine."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an operator sets. Times are in the unit that the name or the comment gives."""

    public_base_url: str  # no slash at the end
    twilio_account_sid: str
    twilio_auth_tokens: tuple[str, ...] = field(repr=False)  # the first one signs our own requests; all are accepted
    smtp: Smtp
    mail_from: str
    data_dir: Path
    database_url: str = field(repr=False)
    port: int = 8000
    twilio_api_base_url: str = TWILIO_API
    speech_voice: SpeechVoice = "gtts"
    whisper_model: str = "base"
    allow_poor_model: bool = False
    answer_silence: int = 6  # seconds of silence that end an answer
    resume_window: int = 30  # minutes in which a broken-off call may be gone on with
    prompts_dir: Path = ROOT / "prompts"
    menu_words: bool = True  # menus that tell nothing of health listen for a spoken word too
    operator_phone: str = ""  # digits; read aloud to callers who want to talk to a person
    guide_numbers: Mapping[str, str] = field(default_factory=dict)  # a number of the line -> the guide that it leads to
    language_numbers: Mapping[str, str] = field(default_factory=dict)  # a number of the line -> the language that it speaks
    calls_per_hour: int = 3  # from one number
    calls_per_day: int = 6  # from one number
    withheld_per_hour: int = 20  # from all withheld numbers together
    calls_at_once: int = 40
    minutes_per_day: int = 2000  # of all calls together
    attach_pdf: bool = True  # the pages
    attach_sound: bool = True
    shared_numbers: tuple[str, ...] = ()  # numbers of many people: without the caps for one number
    twilio_webhook_keys: tuple[str, ...] = field(default=(), repr=False)  # shared keys that sign webhooks with HMAC-SHA256
    access_log: bool = False
    trial: bool = False  # every preparation goes to one address, and callers are told that it is a trial
    summary_to: str = ""  # that address
    relay_enforces_tls: bool = False  # the operator's word: the relay hands mail on over verified TLS or not at all
    employer_domains: tuple[str, ...] = ()  # the employer's own, whose IT may read the mail
    sms_from: str = ""  # a number or a name; without it nobody is texted
    sms_also_to: tuple[str, ...] = ()  # numbers, or how numbers begin, that are texted although they are not Danish
    sms_per_number: int = 6  # texts to one number in a day
    sms_per_day: int = 500  # texts in a day

    @property
    def local(self) -> bool:
        """Whether the telephone provider is a stand-in on this machine, so that no real caller can reach the line."""
        return urlsplit(self.twilio_api_base_url).hostname in LOOPBACK

    @property
    def secrets(self) -> tuple[str, ...]:
        """What only this line and the provider know. Keyed hashes are made under the first and looked for under all."""
        return (*self.twilio_webhook_keys, *self.twilio_auth_tokens)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Config":
        """Read the environment. Raises ConfigError with one sentence for every mistake, each with its mend."""
        read = _Reader(os.environ if environ is None else environ)
        data_dir = Path(read.text("DATA_DIR", default="data")).absolute()
        webhook_keys = read.listed(
            "TWILIO_WEBHOOK_KEY", default="", mend="the secret of a webhook shared key; several with a comma between"
        )
        config = cls(
            port=read.number("PORT", default=8000, low=1, high=65535),
            public_base_url=read.url("PUBLIC_BASE_URL", mend="the https address at which Twilio reaches this line, without a path"),
            twilio_account_sid=read.matching(
                "TWILIO_ACCOUNT_SID", r"AC[0-9a-f]{32}", mend="AC and 32 hexadecimal digits, from Twilio's console"
            ),
            twilio_auth_tokens=read.listed(
                "TWILIO_AUTH_TOKEN",
                default="" if webhook_keys else None,
                mend="the Auth Token from Twilio's console; several with a comma between",
            ),
            twilio_webhook_keys=webhook_keys,
            access_log=read.flag("ACCESS_LOG"),
            twilio_api_base_url=read.url("TWILIO_API_BASE_URL", default=TWILIO_API, mend="leave it out to use Twilio"),
            database_url=read.database("DATABASE_URL", data_dir),
            data_dir=data_dir,
            smtp=read.smtp("SMTP_URL"),
            mail_from=read.address("MAIL_FROM", mend="the address that the preparations come from"),
            speech_voice=cast(SpeechVoice, read.choice("SPEECH_VOICE", ("gtts", "espeak"))),
            whisper_model=read.text("WHISPER_MODEL", default="base"),
            allow_poor_model=read.flag("ALLOW_POOR_MODEL"),
            answer_silence=read.number("ANSWER_SILENCE", default=6, low=2, high=30),
            resume_window=read.number("RESUME_WINDOW", default=30, low=0, high=240),
            trial=read.flag("TRIAL"),
            summary_to=read.summary_to(),
            menu_words=read.flag("MENU_WORDS", default="1"),
            attach_pdf=read.flag("ATTACH_PDF", default="1"),
            attach_sound=read.flag("ATTACH_SOUND", default="1"),
            operator_phone=read.digits("OPERATOR_PHONE"),
            guide_numbers=read.pairs("GUIDE_NUMBERS", r"[a-z][a-z0-9_]{0,39}", "guide, such as +4520123456=leder"),
            language_numbers=read.pairs("LANGUAGE_NUMBERS", r"[a-z]{2,3}", "language, such as +4520123456=da"),
            calls_per_hour=read.number("CALLS_PER_HOUR", default=3, low=1, high=100_000),
            calls_per_day=read.number("CALLS_PER_DAY", default=6, low=1, high=100_000),
            withheld_per_hour=read.number("WITHHELD_PER_HOUR", default=20, low=0, high=100_000),
            calls_at_once=read.number("CALLS_AT_ONCE", default=40, low=1, high=100_000),
            minutes_per_day=read.number("MINUTES_PER_DAY", default=2000, low=1, high=1_000_000),
            shared_numbers=read.phones("SHARED_NUMBERS"),
            relay_enforces_tls=read.flag("RELAY_ENFORCES_TLS"),
            employer_domains=read.domains("EMPLOYER_DOMAINS"),
            sms_from=read.optional(
                "SMS_FROM",
                r"\+[1-9][0-9]{6,14}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}",
                mend="a number of yours that sends SMS, or up to 11 letters",
            ),
            sms_also_to=read.phones("SMS_ALSO_TO", pattern=r"\+[1-9][0-9]{0,14}"),
            sms_per_number=read.number("SMS_PER_NUMBER", default=6, low=1, high=1000),
            sms_per_day=read.number("SMS_PER_DAY", default=500, low=1, high=1_000_000),
            prompts_dir=Path(read.text("PROMPTS_DIR", default=str(ROOT / "prompts"))).absolute(),
        )
        if read.problems:
            raise ConfigError(read.problems)
        return config


class _Reader:
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
