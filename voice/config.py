"""The settings: read once from the environment, typed, and every mistake reported at once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from voice.environment import LOOPBACK, Reader, Smtp
from voice.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
TWILIO_API = "https://api.twilio.com"
KEEP_HOURS = 72

SpeechVoice = Literal["gtts", "espeak"]


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
    keys_dir: Path
    keys_secrets: tuple[bytes, ...] = field(default=(), repr=False)  # the worker's: private keys are locked with the first
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
    keep_hours: int = KEEP_HOURS  # that what was said is kept after the mail was taken, for the case that it bounces
    sweep_account: bool = False  # the provider's account is the line's alone: recordings of unknown calls are deleted too

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
        read = Reader(os.environ if environ is None else environ)
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
            keys_dir=Path(read.text("KEYS_DIR", default=str(data_dir / "keys"))).absolute(),
            keys_secrets=read.secrets("KEYS_SECRET"),
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
            keep_hours=read.number("KEEP_HOURS", default=KEEP_HOURS, low=1, high=168),
            sweep_account=read.flag("SWEEP_ACCOUNT"),
            prompts_dir=Path(read.text("PROMPTS_DIR", default=str(ROOT / "prompts"))).absolute(),
        )
        if read.problems:
            raise ConfigError(read.problems)
        return config
