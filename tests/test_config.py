"""Settings: every mistake is told at once with its mend, and what is accepted works."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.web import ACCOUNT, BASE, TOKEN, environ
from voice import store
from voice.config import Config
from voice.delivery import build_message
from voice.environment import Smtp
from voice.errors import ConfigError
from voice.serving import warnings
from voice.summary.mail import MailText

DATE = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
MAIL = MailText("Til din samtale", "Samtaleklar", "Før samtalen\n", "<p>Før samtalen</p>\n", "da")
REQUIRED = ("PUBLIC_BASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SMTP_URL", "MAIL_FROM")


def config(**settings: str) -> Config:
    return Config.from_env(environ(Path("/data"), **settings))


def problems(**settings: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        config(**settings)
    return refused.value.problems


class Observed(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.environment[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("settings are read by name: what else stands in the environment is nobody's business")

    def __len__(self) -> int:
        return len(self.environment)


# ---- all at once


def test_an_empty_environment_is_told_every_setting_that_is_needed_with_its_mend() -> None:
    with pytest.raises(ConfigError) as refused:
        Config.from_env({})
    assert [problem.split()[0] for problem in refused.value.problems] == [
        *("PUBLIC_BASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SMTP_URL", "MAIL_FROM")
    ]
    for problem in refused.value.problems:
        assert re.fullmatch(r"[A-Z_]+ is missing: set it to .+\.", problem), problem


def test_every_mistake_is_told_at_once() -> None:
    wrong = {
        "PORT": "http",
        "PUBLIC_BASE_URL": "line.example",
        "TWILIO_ACCOUNT_SID": "AC123",
        "TWILIO_AUTH_TOKEN": "",
        "TWILIO_API_BASE_URL": "ftp://x",
        "DATABASE_URL": "mysql://x/y",
        "SMTP_URL": "relay.example",
        "MAIL_FROM": "line",
        "SPEECH_VOICE": "robot",
        "ALLOW_POOR_MODEL": "yes",
        "ANSWER_SILENCE": "1",
        "RESUME_WINDOW": "-1",
        "SUMMARY_TO": "a@b.dk, c@d.dk",
        "MENU_WORDS": "ja",
        "ATTACH_PDF": "ja",
        "ATTACH_SOUND": "true",
        "OPERATOR_PHONE": "ring",
        "GUIDE_NUMBERS": "70123456=leder",
        "LANGUAGE_NUMBERS": "+4570123456=dansk",
        "CALLS_PER_HOUR": "0",
        "CALLS_PER_DAY": "many",
        "WITHHELD_PER_HOUR": "-1",
        "CALLS_AT_ONCE": "0",
        "MINUTES_PER_DAY": "0",
        "SHARED_NUMBERS": "45",
        "EMPLOYER_DOMAINS": "@firma.dk",
        "SMS_FROM": "a name that is too long",
        "SMS_ALSO_TO": "46",
        "SMS_PER_NUMBER": "0",
        "SMS_PER_DAY": "0",
        "KEYS_SECRET": "abc",
    }
    told = problems(**wrong)
    assert {problem.split()[0] for problem in told} == set(wrong)
    assert len(told) == len(wrong)
    for problem in told:
        assert problem.endswith(".")
        assert ": " in problem, "it names no mend"


def test_a_setting_of_spaces_is_missing_and_spaces_around_one_do_not_matter() -> None:
    assert problems(SUMMARY_TO="  \n") == (
        "SUMMARY_TO is missing: set it to the one address that every preparation goes to during the trial.",
    )
    assert config(SUMMARY_TO=" a@b.dk\n").summary_to == "a@b.dk"


def test_an_address_for_everybody_s_preparations_is_refused_unless_it_is_a_trial() -> None:
    assert problems(TRIAL="0") == ("SUMMARY_TO would take everybody's preparations: leave it out, or set TRIAL=1 if this is a trial.",)
    assert config(TRIAL="", SUMMARY_TO="").trial is False
    assert problems(TRIAL="1", SUMMARY_TO="")[0].startswith("SUMMARY_TO is missing")
    assert [problem.split()[0] for problem in problems(TRIAL="yes")] == ["TRIAL", "SUMMARY_TO"]


def test_the_defaults_are_what_the_readme_says() -> None:
    bare = Config.from_env({name: value for name, value in environ(Path("/data")).items() if name in REQUIRED})
    folder = Path("data").absolute()
    assert bare == Config(
        public_base_url=BASE,
        twilio_account_sid=ACCOUNT,
        twilio_auth_tokens=(TOKEN,),
        smtp=Smtp("127.0.0.1", 2525, "none"),
        mail_from="line@example.com",
        data_dir=folder,
        keys_dir=folder / "keys",
        keys_secrets=(),
        database_url=f"sqlite:///{folder}/samtaleklar.sqlite",
        port=8000,
        twilio_api_base_url="https://api.twilio.com",
        speech_voice="gtts",
        whisper_model="base",
        allow_poor_model=False,
        answer_silence=6,
        resume_window=30,
        prompts_dir=ROOT / "prompts",
        menu_words=True,
        attach_pdf=True,
        attach_sound=True,
        operator_phone="",
        guide_numbers={},
        language_numbers={},
        calls_per_hour=3,
        calls_per_day=6,
        withheld_per_hour=20,
        calls_at_once=40,
        minutes_per_day=2000,
        shared_numbers=(),
    )
    assert not bare.local
    told = {cells[1].strip("` "): cells[2].strip("` ") for cells in table()}
    for name, value in {
        "PORT": "8000",
        "SPEECH_VOICE": "gtts",
        "WHISPER_MODEL": "base",
        "ALLOW_POOR_MODEL": "0",
        "ANSWER_SILENCE": "6",
        "RESUME_WINDOW": "30",
        "DATA_DIR": "data",
        "PROMPTS_DIR": "prompts",
        "MENU_WORDS": "1",
        "ATTACH_PDF": "1",
        "ATTACH_SOUND": "1",
        "OPERATOR_PHONE": "none",
        "GUIDE_NUMBERS": "none",
        "LANGUAGE_NUMBERS": "none",
        "CALLS_PER_HOUR": "3",
        "CALLS_PER_DAY": "6",
        "WITHHELD_PER_HOUR": "20",
        "CALLS_AT_ONCE": "40",
        "MINUTES_PER_DAY": "2000",
        "SHARED_NUMBERS": "none",
        "TWILIO_WEBHOOK_KEY": "none",
        "ACCESS_LOG": "0",
    }.items():
        assert told[name] == value
    assert {name for name, default in told.items() if not default} == set(REQUIRED)


def table() -> list[list[str]]:
    """The rows of the readme's table of settings."""
    lines = (ROOT / "README.md").read_text().splitlines()
    return [re.split(r"(?<!\\)\|", line) for line in lines if re.match(r"\| `[A-Z_]+` \|", line)]


def test_the_readme_names_every_setting_that_is_read_and_no_other() -> None:
    observed = Observed(environ(Path("/data")))
    Config.from_env(observed)
    named = [cells[1].strip("` ") for cells in table()]
    assert sorted(named) == sorted(observed.asked)


# ---- one setting at a time

TWO_NUMBERS = {"+4570123456": "leder", "+4570123457": "paa_arbejde"}
GOOD: list[tuple[str, str, str, object]] = [
    ("PUBLIC_BASE_URL", "https://line.example", "public_base_url", "https://line.example"),
    ("PUBLIC_BASE_URL", "https://line.example/", "public_base_url", "https://line.example"),
    ("PUBLIC_BASE_URL", "https://line.example:8443", "public_base_url", "https://line.example:8443"),
    ("PUBLIC_BASE_URL", "http://127.0.0.1:8000", "public_base_url", "http://127.0.0.1:8000"),
    ("PUBLIC_BASE_URL", "http://localhost:8000", "public_base_url", "http://localhost:8000"),
    ("PUBLIC_BASE_URL", "http://[::1]:8000", "public_base_url", "http://[::1]:8000"),
    ("TWILIO_API_BASE_URL", "https://api.dublin.ie1.twilio.com", "twilio_api_base_url", "https://api.dublin.ie1.twilio.com"),
    ("TWILIO_API_BASE_URL", "", "twilio_api_base_url", "https://api.twilio.com"),
    ("TWILIO_ACCOUNT_SID", "AC" + "0123456789abcdef" * 2, "twilio_account_sid", "AC" + "0123456789abcdef" * 2),
    ("TWILIO_AUTH_TOKEN", "one", "twilio_auth_tokens", ("one",)),
    ("TWILIO_AUTH_TOKEN", " new, old ", "twilio_auth_tokens", ("new", "old")),
    ("TWILIO_AUTH_TOKEN", "new,,old,", "twilio_auth_tokens", ("new", "old")),
    ("TWILIO_WEBHOOK_KEY", "new, old", "twilio_webhook_keys", ("new", "old")),
    ("ACCESS_LOG", "1", "access_log", True),
    ("PORT", "1", "port", 1),
    ("PORT", "65535", "port", 65535),
    ("ANSWER_SILENCE", "2", "answer_silence", 2),
    ("ANSWER_SILENCE", "30", "answer_silence", 30),
    ("RESUME_WINDOW", "0", "resume_window", 0),
    ("RESUME_WINDOW", "240", "resume_window", 240),
    ("SPEECH_VOICE", "gtts", "speech_voice", "gtts"),
    ("SPEECH_VOICE", "espeak", "speech_voice", "espeak"),
    ("ALLOW_POOR_MODEL", "1", "allow_poor_model", True),
    ("ALLOW_POOR_MODEL", "0", "allow_poor_model", False),
    ("WHISPER_MODEL", "/models/edda", "whisper_model", "/models/edda"),
    ("DATA_DIR", "here", "data_dir", Path("here").absolute()),
    ("PROMPTS_DIR", "there", "prompts_dir", Path("there").absolute()),
    ("DATABASE_URL", "sqlite:////srv/line.sqlite", "database_url", "sqlite:////srv/line.sqlite"),
    ("DATABASE_URL", "sqlite:///line.sqlite", "database_url", "sqlite:///line.sqlite"),
    ("DATABASE_URL", "postgres://u:p%40@h:5433/n?sslmode=require", "database_url", "postgresql+psycopg://u:p%40@h:5433/n?sslmode=require"),
    ("DATABASE_URL", "postgresql://u:p@h/n", "database_url", "postgresql+psycopg://u:p@h/n"),
    ("DATABASE_URL", "postgresql+psycopg://u:p@h/n", "database_url", "postgresql+psycopg://u:p@h/n"),
    ("DATABASE_URL", "postgresql:///n", "database_url", "postgresql+psycopg:///n"),
    ("SMTP_URL", "smtp+starttls://u:p@relay.example:587", "smtp", Smtp("relay.example", 587, "starttls", "u", "p")),
    ("SMTP_URL", "smtp+starttls://relay.example", "smtp", Smtp("relay.example", 587, "starttls")),
    ("SMTP_URL", "smtps://u:p@relay.example", "smtp", Smtp("relay.example", 465, "tls", "u", "p")),
    ("SMTP_URL", "smtps://a%40b.dk:%23%2F%3A%25@relay.example:10465", "smtp", Smtp("relay.example", 10465, "tls", "a@b.dk", "#/:%")),
    ("SMTP_URL", "smtps://u:p@relay.example/", "smtp", Smtp("relay.example", 465, "tls", "u", "p")),
    ("SMTP_URL", "smtp://127.0.0.1", "smtp", Smtp("127.0.0.1", 25, "none")),
    ("SMTP_URL", "smtp://localhost:2525", "smtp", Smtp("localhost", 2525, "none")),
    ("SMTP_URL", "smtp://[::1]:2525", "smtp", Smtp("::1", 2525, "none")),
    ("MENU_WORDS", "0", "menu_words", False),
    ("MENU_WORDS", "1", "menu_words", True),
    ("OPERATOR_PHONE", "", "operator_phone", ""),
    ("OPERATOR_PHONE", "20 12 34 56", "operator_phone", "20123456"),
    ("OPERATOR_PHONE", "+45 20123456", "operator_phone", "4520123456"),
    ("OPERATOR_PHONE", "112", "operator_phone", "112"),
    ("GUIDE_NUMBERS", "+4570123456=leder", "guide_numbers", {"+4570123456": "leder"}),
    ("GUIDE_NUMBERS", " +4570123456=leder , +4570123457=paa_arbejde,", "guide_numbers", TWO_NUMBERS),
    ("GUIDE_NUMBERS", "", "guide_numbers", {}),
    ("LANGUAGE_NUMBERS", "+4570123456=en", "language_numbers", {"+4570123456": "en"}),
    ("CALLS_PER_HOUR", "1", "calls_per_hour", 1),
    ("CALLS_PER_HOUR", "100000", "calls_per_hour", 100_000),
    ("CALLS_PER_DAY", "1", "calls_per_day", 1),
    ("WITHHELD_PER_HOUR", "0", "withheld_per_hour", 0),
    ("CALLS_AT_ONCE", "1", "calls_at_once", 1),
    ("MINUTES_PER_DAY", "1000000", "minutes_per_day", 1_000_000),
    ("SHARED_NUMBERS", "+4533123456", "shared_numbers", ("+4533123456",)),
    ("SHARED_NUMBERS", "+4533123456, +4533123457,", "shared_numbers", ("+4533123456", "+4533123457")),
    ("SHARED_NUMBERS", "", "shared_numbers", ()),
    ("EMPLOYER_DOMAINS", "firma.dk, SØBORG.dk", "employer_domains", ("firma.dk", "xn--sborg-vua.dk")),
    ("SMS_FROM", "Samtaleklar", "sms_from", "Samtaleklar"),
    ("SMS_FROM", "+4520123456", "sms_from", "+4520123456"),
    ("SMS_ALSO_TO", "+46,+4712345678", "sms_also_to", ("+46", "+4712345678")),
]


@pytest.mark.parametrize(("name", "value", "field", "read"), GOOD, ids=[f"{row[0]}={row[1]}" for row in GOOD])
def test_what_is_right_is_read(name: str, value: str, field: str, read: object) -> None:
    assert getattr(config(**{name: value}), field) == read


ADDRESSES = ("MAIL_FROM", "SUMMARY_TO")
URLS = ("PUBLIC_BASE_URL", "TWILIO_API_BASE_URL")
BAD_URLS = [
    *("line.example", "/", "https://", "https:///", "//line.example", "ftp://line.example", "https:line.example", "https://?"),
    *("https://line.example/path", "https://line.example?x=1", "https://line.example?", "https://line.example#e=dublin", "https://a#"),
    *("https://line.example:", "https://line.example:port", "https://line.example:65536", "https://line.example:0", "https://[::1"),
    *("https://user:secret@line.example", "https://user@line.example", "https://li ne.example", "https://blåbær.dk", "https://a,https://b"),
    *("http://line.example", "http://10.0.0.1:8000", "http://127.0.0.1.evil.example", "http://127.0.0.1@evil.example"),
]
BAD: list[tuple[str, str]] = [
    *((name, value) for name in URLS for value in BAD_URLS),
    *(
        ("TWILIO_ACCOUNT_SID", value)
        for value in ("AC", "AC" + "0" * 31, "AC" + "0" * 33, "ac" + "0" * 32, "AC" + "G" * 32, "SK" + "0" * 32)
    ),
    *(("TWILIO_ACCOUNT_SID", value) for value in ("AC" + "A" * 32, "AC" + "٣" * 32)),
    *(("TWILIO_AUTH_TOKEN", value) for value in (",", " , ,", "to ken", "tokén", "one,tw o")),
    *(("PORT", value) for value in ("0", "65536", "-1", "8000.0", "8 000", "1e3", "٨", "0x50", "9" * 400)),
    *(("ANSWER_SILENCE", value) for value in ("1", "31", "6s", "-6", "5.5")),
    *(("RESUME_WINDOW", value) for value in ("-1", "241", "30 min")),
    *(("SPEECH_VOICE", value) for value in ("GTTS", "robot", "gtts,espeak")),
    *(("ALLOW_POOR_MODEL", value) for value in ("true", "2", "yes")),
    *(("DATABASE_URL", value) for value in ("mysql://h/n", "sqlite://", "sqlite:///", "sqlite:///:memory:", "line.sqlite", "postgres:")),
    *(("DATABASE_URL", value) for value in ("postgres://", "postgresql://h:port/n", "postgresql://h:70000/n", "postgresql+asyncpg://h/n")),
    *(("SMTP_URL", value) for value in ("relay.example", "relay.example:587", "smtps://", "smtps://u:p@", "smtps://u:p@:465", "https://h")),
    *(
        ("SMTP_URL", value)
        for value in ("smtps://h:port", "smtps://h:0", "smtps://h:70000", "smtps://[::1", "smtps://u:p#w@h", "smtps://u:p/w@h")
    ),
    *(("SMTP_URL", value) for value in ("smtps://h/path", "smtps://h?tls=0", "smtps://user@h", "smtps://:secret@h")),
    *(("SMTP_URL", value) for value in ("smtp://relay.example", "smtp://10.0.0.1:25", "smtp://127.0.0.1.evil.example")),
    *(("MENU_WORDS", value) for value in ("ja", "2", "true")),
    *(("OPERATOR_PHONE", value) for value in ("ring", "20-12-34-56", "1" * 16, "٢٠", "20123456, 112", "+")),
    *(("GUIDE_NUMBERS", value) for value in ("leder", "+4570123456", "70123456=leder", "+45 70123456=leder", "leder=+4570123456")),
    *(("LANGUAGE_NUMBERS", value) for value in ("en", "+4570123456=", "+4570123456=en-GB", "+4570123456=en,+4570123456=da")),
    *(("GUIDE_NUMBERS", value) for value in ("+4570123456=", "+4570123456=Leder", "+4570123456=a=b", "+4570123456=leder,+4570123456=ondt")),
    *(
        (name, value)
        for name in ("CALLS_PER_HOUR", "CALLS_PER_DAY", "CALLS_AT_ONCE", "MINUTES_PER_DAY")
        for value in ("0", "-1", "1.5", "x")
    ),
    *((name, "100001") for name in ("CALLS_PER_HOUR", "CALLS_PER_DAY", "CALLS_AT_ONCE", "WITHHELD_PER_HOUR")),
    *(("WITHHELD_PER_HOUR", value) for value in ("-1", "none")),
    ("MINUTES_PER_DAY", "1000001"),
    *(("SHARED_NUMBERS", value) for value in ("33123456", "+45", "+4533123456;+4533123457", "0045 33123456", "+0533123456")),
    ("SMTP_URL", "smtp://u:p@127.0.0.1"),  # a password is never sent in clear text, so no mail would ever leave
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{row[0]}={row[1][:40]}" for row in BAD])
def test_what_is_wrong_is_refused_and_nothing_else_is(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert re.fullmatch(rf"{name} [^:].+: .+\.", problem), problem


@pytest.mark.parametrize("name", URLS)
def test_plain_http_to_another_machine_is_told_as_what_it_is(name: str) -> None:
    assert "plain http to another machine" in problems(**{name: "http://line.example"})[0]


def test_mail_in_clear_text_is_told_as_what_it_is() -> None:
    assert "in clear text to another machine" in problems(SMTP_URL="smtp://relay.example")[0]
    assert "password" in problems(SMTP_URL="smtp://u:p@127.0.0.1")[0]


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_a_provider_on_this_machine_is_a_local_one(host: str) -> None:
    assert config(TWILIO_API_BASE_URL=f"http://{host}").local


# ---- addresses: what is accepted can be mailed

PLAIN = [
    *("a@b.dk", "aase.berg+line@example.co.uk", "line@localhost", "o'neill@example.com", "A_B-c=d@x-y.dk", "aase@blåbær.dk", "1@2.dk"),
    *("x" * 64 + "@b.dk", "a@" + "x" * 63 + ".dk", "a@xn--blbr-roah.dk"),
]
NOT_PLAIN = [
    *("a", "a@", "@b.dk", "a@b", "a@@b.dk", "a@b@c.dk", "a b@c.dk", "a@b c.dk", "a@b.dk c@d.dk", "a@b.dk,c@d.dk", "a@b.dk;c@d.dk"),
    *("Aase <a@b.dk>", "<a@b.dk>", "mailto:a@b.dk", '"a b"@c.dk', '"a"@c.dk', "a(x)@b.dk", "a@[127.0.0.1]", "a@b.dk.", "a@.dk", "a@b..dk"),
    *("åse@x.dk", "a..b@x.dk", ".a@x.dk", "a.@x.dk", "a\\b@x.dk", "a@-b.dk", "a@b-.dk", "a@b_c.dk", "a@b.dk\nBcc: c@d.dk", "a\0@b.dk"),
    *("x" * 65 + "@b.dk", "a@" + "x" * 64 + ".dk", "a@" + ".".join(["x" * 60] * 5) + ".dk", "a@\ud800.dk", "a\u2028b@c.dk"),
]


def mailed(address: str) -> None:
    """A mail to it and from it can be written, and has it as its only address."""
    local, _, domain = address.rpartition("@")
    plain = f"{local}@{domain.encode('idna').decode()}"
    message = build_message(MAIL, to=address, sender=address, preparation_id="p", message_number=1, date=DATE)
    assert b"\r\n\r\n" in bytes(message)
    for header in ("From", "To"):
        assert [one.addr_spec for one in message[header].addresses] == [plain]


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("address", PLAIN)
def test_one_plain_address_is_accepted_and_can_be_mailed(name: str, address: str) -> None:
    read = config(**{name: address})
    assert address in (read.mail_from, read.summary_to)
    mailed(address)


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("address", NOT_PLAIN)
def test_what_is_not_one_plain_address_is_refused(name: str, address: str) -> None:
    (problem,) = problems(**{name: address})
    assert "is not one e-mail address" in problem


ODD_PARTS = st.text(st.sampled_from("abå1.-_+'=@ \"\\,;:<>()[]。ⓐßıẞİ\u200d\u00ad"), min_size=1, max_size=8)


@given(st.one_of(st.emails(), st.builds("{}@{}.{}".format, ODD_PARTS, ODD_PARTS, ODD_PARTS)))
def test_whatever_address_is_accepted_can_be_mailed(address: str) -> None:
    try:
        read = config(SUMMARY_TO=address)
    except ConfigError:
        return
    mailed(read.summary_to)


# ---- secrets

SECRETS = {
    "TWILIO_AUTH_TOKEN": "secret-token,secret-older",
    "SMTP_URL": "smtps://user:secret-mail@relay.example",
    "DATABASE_URL": "postgresql://user:secret-base@db.example/line",
}


def test_secrets_are_never_shown() -> None:
    read = config(**SECRETS)
    assert (read.twilio_auth_tokens, read.smtp.password) == (("secret-token", "secret-older"), "secret-mail")
    assert "secret-base" in read.database_url
    for shown in (repr(read), str(read), f"{read.smtp}"):
        assert "secret" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWILIO_AUTH_TOKEN", "the secret"),
        ("SMTP_URL", "smtp://user:secret@relay.example"),
        ("SMTP_URL", "smtps://user:sec/secret@relay.example"),
        ("SMTP_URL", "user:secret@relay.example"),
        ("DATABASE_URL", "mysql://user:secret@db.example/line"),
        ("DATABASE_URL", "postgresql://user:secret@db.example:port/line"),
        ("PUBLIC_BASE_URL", "https://user:secret@line.example"),
        ("TWILIO_API_BASE_URL", "https://user:secret@api.example"),
    ],
)
def test_a_mistake_in_a_secret_is_told_without_the_secret(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert "secret" not in problem


def test_a_database_that_cannot_be_reached_is_told_without_the_password() -> None:
    engine = store.connect(config(DATABASE_URL="postgresql://user:secret@db.example/line").database_url)
    assert "secret" not in repr(engine)
    engine.dispose()


# ---- what serve says of the mails' way


def test_a_line_for_real_callers_is_warned_about_its_relay_and_its_texts_until_it_says_otherwise() -> None:
    assert [warning.split()[0] for warning in warnings(config(TRIAL="0", SUMMARY_TO=""))] == ["Your", "SMS_FROM"]
    assert warnings(config(TRIAL="0", SUMMARY_TO="", RELAY_ENFORCES_TLS="1", SMS_FROM="Samtaleklar")) == []
    assert [warning.split()[0] for warning in warnings(config())] == ["Your"]
    assert warnings(config(TWILIO_API_BASE_URL="http://127.0.0.1:1")) == []
