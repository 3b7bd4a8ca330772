"""A line that is no trial, in this process: calls by webhooks, texts and mails kept in lists, jobs run when a test says so."""

from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from xml.etree import ElementTree

from sqlalchemy.engine import Row
from werkzeug.test import TestResponse

from tests.dtmf_transcriber import DtmfTranscriber
from tests.web import BASE, Web
from voice import bindings, store
from voice.addresses import read
from voice.content import load
from voice.directory import Entry, Hint, caller_keys, new_binding
from voice.errors import ProviderError
from voice.invitations import Invitations
from voice.jobs import Jobs
from voice.queue import Queue

SETTINGS = {"TRIAL": "0", "SUMMARY_TO": "", "SMS_FROM": "Samtaleklar", "EMPLOYER_DOMAINS": "firma.dk", "SHARED_NUMBERS": "+4599999999"}


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Telephones:
    """In the provider's place. ``fails``: what happens to a text to that number."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    fails: dict[str, ProviderError] = field(default_factory=dict)
    news: str = ""  # where the last text's fate is told

    def send_text(self, to: str, body: str, news: str) -> None:
        if to in self.fails:
            raise self.fails[to]
        self.texts.append((to, body))
        self.news = news


class MailboxLine:
    """``address`` of a mail's recipient -> its mails."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.web = Web(folder, **{**SETTINGS, **more})
        self.clock = Clock()
        self.telephones = Telephones()
        self.mails: list[EmailMessage] = []
        config, engine, queue = self.web.config, self.web.engine, Queue(self.web.engine)
        prompts = load(config.prompts_dir / "da", config.operator_phone)
        parts = (config, engine, queue, prompts, self.telephones)
        self.invitations = Invitations(*parts, self.web.keyring, self.mails.append, self.clock)  # type: ignore[arg-type]
        self.jobs = Jobs(*parts, DtmfTranscriber(), self.web.keyring, self.mails.append, self.clock, self.invitations.recipient)  # type: ignore[arg-type]
        self.prompts = prompts
        calls = self.web.app.extensions["line"].calls
        for one in (calls, calls._preparations, self.web.app.extensions["pages"], self.web.app.extensions["pages"]._preparations):
            one._clock = self.clock
        self.web.app.extensions["pages"]._exists = lambda _address: True  # no test asks the network
        self.calls = 0

    def close(self) -> None:
        self.web.close()

    def knows(self, number: str, address: str, kind: str = "staff") -> None:
        """Somebody is on the operator's list."""
        [secret] = self.web.config.twilio_auth_tokens
        found = read(address)
        assert found is not None
        with store.writing(self.web.engine) as tx:
            public = store.worker_key(tx, "bindings")
            assert public is not None
            bindings.add(
                tx,
                [
                    new_binding(
                        store.new_id(),
                        kind,
                        caller_keys(number, [secret])[0],
                        Entry(found.text, number),
                        Hint(found.domain),
                        public_key=public,
                        secret=secret,
                        now=self.clock(),
                    )
                ],
            )

    def call(self, number: str, keys: str) -> "Call":
        self.calls += 1
        call = Call(self, f"CA{self.calls:032x}", number)
        for key in keys:
            call.press(key)
        return call

    def preparation(self, call: "Call") -> Row[object]:
        with store.reading(self.web.engine) as look:
            row = store.preparation_of(look, call.sid)
        assert row is not None
        return row

    def link(self) -> str:
        """The path of the link in the last text."""
        return self.telephones.texts[-1][1].partition(BASE)[2].split()[0]

    def button(self) -> str:
        """The path of the link in the last mail that has a button."""
        texts = [mail.get_body(("plain",)).get_content() for mail in self.mails]
        return next(text.partition(BASE)[2].split()[0] for text in reversed(texts) if f"{BASE}/ja/" in text)

    def delete_link(self) -> str:
        """The path of the link in the last mail by which all of it is deleted; it stands in both parts."""
        text, html = (self.mails[-1].get_body((kind,)).get_content() for kind in ("plain", "html"))
        link = text.partition(f"{BASE}/slet/")[2].split()[0]
        assert html.count(f'href="{BASE}/slet/{link}"') == 1
        return f"/slet/{link}"

    def get(self, path: str) -> TestResponse:
        return self.web.client.get(path, base_url=BASE)

    def press(self, path: str, act: str = "", **fields: str | list[str]) -> TestResponse:
        return self.web.client.post(path, base_url=BASE, data={"act": act, **fields})

    def write(self, path: str, address: str, *sure: str) -> TestResponse:
        return self.press(path, "write", email=address, sure=list(sure))

    def written(self, call: "Call") -> list[Row[object]]:
        with store.reading(self.web.engine) as look:
            return bindings.written(look, self.preparation(call).id)

    def confirm_mail(self, call: "Call") -> str:
        """Send the mail with the button to what was written last. Gives its path."""
        self.invitations.confirm(self.written(call)[0].id)
        return self.button()

    def change(self, call: "Call", **values: object) -> None:
        with store.writing(self.web.engine) as tx:
            store.save_preparation(tx, self.preparation(call).id, **values)


class Call:
    """One call, by keys. Its only answers are keys, so that no recording is needed."""

    def __init__(self, line: MailboxLine, sid: str, number: str) -> None:
        self.line, self.sid, self.number = line, sid, number
        self._post("/calls")

    def press(self, key: str) -> None:
        self._post(self.action, Digits=key)

    def answer(self) -> None:
        """Go past a question that would be recorded, to the yes/no question after it."""
        self._post(self.action)

    def ends(self) -> None:
        self.line.web.post("/calls/status", {"CallSid": self.sid, "From": self.number, "CallStatus": "completed"})

    def _post(self, path: str, **form: str) -> None:
        reply = self.line.web.post(path, {"CallSid": self.sid, "From": self.number, **form})
        assert reply.status_code == 200
        self.reply = ElementTree.fromstring(reply.text)
        gather = self.reply.find("Gather")
        self.action = gather.attrib["action"] if gather is not None else ""

    @property
    def said(self) -> list[str]:
        return [say.text or "" for say in self.reply.iter("Say")]

    def says(self, phrase: str) -> bool:
        return self.line.prompts.phrase(phrase).text in self.said
