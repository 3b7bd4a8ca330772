"""What is done after a recording and after a call. Every body can run again from its start, at any time.

::

    fetch ──> transcribe ──(the last one of a closed preparation)──> send
       └────> erase          close, deadline: see preparations.py
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from sqlalchemy.engine import Connection, Engine, Row

from voice import store, vault
from voice.config import Config
from voice.delivery import build_message
from voice.directory import Recipient
from voice.errors import ProviderError, SpeechError
from voice.keyring import Keyring
from voice.preparations import DEADLINE, KEEP, Preparations
from voice.prompts import Guide, Prompt, Prompts
from voice.provider import Provider
from voice.queue import Job, Queue
from voice.speech import Transcriber, Transcript
from voice.speech.audio import check_recording, decode
from voice.speech.recordings import human_voices
from voice.speech.sounds import VOICES, prompt_keys
from voice.summary import Summary, Utterance, mail, sheet, sound, summarise

log = logging.getLogger(__name__)

_ALWAYS = int(KEEP / 60)  # times, a minute apart: as long as there is anything to do it for


class Jobs:
    """The bodies of all jobs, over what they need. ``send`` hands a mail over and raises DeliveryError. ``recipient`` gives the
    address for a preparation that is ready, or sees to it that one is asked for. ``decode`` looks into what callers recorded."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        queue: Queue,
        prompts: Prompts,
        provider: Provider,
        transcriber: Transcriber,
        keyring: Keyring,
        send: Callable[[EmailMessage], None],
        clock: Callable[[], float] = time.time,
        recipient: Callable[[Row[Any]], Recipient | None] | None = None,
        decode: sound.Decode = decode,
    ) -> None:
        self._config = config
        self._engine = engine
        self._queue = queue
        self._prompts = prompts
        self._provider = provider
        self._transcriber = transcriber
        self._keyring = keyring
        self._send_mail = send
        self._clock = clock
        self._decode = decode
        self._people = human_voices(config.prompts_dir, prompts.languages)
        self._recipient = recipient or (lambda _preparation: Recipient(config.summary_to) if config.summary_to else None)
        self._preparations = Preparations(queue, clock)

    def table(self) -> Mapping[str, Job]:
        """Every job by name. The times add up to: a recording that is not there is asked for during 15 minutes, a relay during a day.

        While nothing can be had of the provider or the database, an answer is given up by its preparation's deadline alone.
        """
        return {
            "fetch": Job(self.fetch, attempts=21, outages=_ALWAYS, base=0.5, cap=60, give_up=self._unheard("expected")),
            "erase": Job(self.erase, attempts=100, base=1, cap=600),
            "transcribe": Job(self.transcribe, attempts=3, outages=_ALWAYS, base=1, cap=60, give_up=self._unheard("fetched")),
            "close": Job(
                self._in_one_transaction(self._preparations.close_unless_live), outages=_ALWAYS, wait=self._config.resume_window * 60
            ),
            "deadline": Job(self._in_one_transaction(self._preparations.deadline), outages=_ALWAYS, wait=DEADLINE),
            "send": Job(self.send, attempts=34, base=5, cap=3600, give_up=self._undeliverable),
        }

    def fetch(self, recording_sid: str) -> None:
        """Take the recording in, sealed; from then on the provider's copy is not needed."""
        row = self._utterance(recording_sid)
        if row is None or row.status != "expected":
            return
        sound = self._provider.recording(recording_sid)
        try:
            check_recording(sound)
        except SpeechError as error:  # the provider may answer better a little later
            raise ProviderError(str(error)) from error
        sealed = vault.seal(row.public_key, sound, vault.place("utterances", "sound", recording_sid))
        with store.writing(self._engine) as tx:
            if store.save_utterance(tx, recording_sid, only_if="expected", status="fetched", sound_sealed=sealed):
                self._queue.enqueue(tx, "transcribe", recording_sid)
                self._queue.enqueue(tx, "erase", recording_sid)

    def erase(self, recording_sid: str) -> None:
        """Delete the recording at the provider."""
        self._provider.delete_recording(recording_sid)
        with store.writing(self._engine) as tx:
            store.save_utterance(tx, recording_sid, erased=True)

    def transcribe(self, recording_sid: str) -> None:
        """Write the recording down."""
        row = self._utterance(recording_sid)
        if row is None or row.status != "fetched":
            return
        sound = self._open(row, row.preparation, "sound")
        transcript = self._transcriber.transcribe(sound, row.language)
        words = vault.seal(row.public_key, transcript.to_json().encode(), vault.place("utterances", "words", recording_sid))
        with store.writing(self._engine) as tx:
            outcome = "heard" if transcript.text or transcript.foreign else "silent"
            self._preparations.settle(tx, recording_sid, outcome, only_if="fetched", words_sealed=words)

    def send(self, preparation: str) -> None:
        """Compose the mail and hand it over. A second run sends the same mail, with the same Message-ID."""
        with store.writing(self._engine) as tx:
            row = self._preparations.freeze(tx, preparation)
            said = store.said(tx, preparation)
        if row is None:
            return
        prompts = self._prompts.speaking(row.language)
        heard = [self._heard(row, one, order) for order, one in enumerate(said)]
        summary = summarise(_guide(prompts, row.guide), heard, prompts.vocabulary, late=bool(row.late_of))
        if row.late_of and not summary.sections:
            self._mark(preparation, status="empty")
            return
        to = self._recipient(row)
        if to is None:
            return
        message = build_message(
            mail.write(summary, prompts, self._forms(summary, prompts), to.delete_link),
            to=to.address,
            sender=self._config.mail_from,
            preparation_id=preparation,
            message_number=1 + row.mails,
            date=datetime.fromtimestamp(row.closed_at, UTC),
        )
        self._send_mail(message)
        self._mark(preparation, status="sent", sent_at=self._clock())

    def _forms(self, summary: Summary, prompts: Prompts) -> dict[mail.Form, bytes | None]:
        """The pages and the sound as far as they are wanted. One that cannot be made must not hold the words: the mail says so.

        Nobody is told to print or to hear a late mail of which nothing could be heard. Empty pages of a first mail are there to write on.
        """
        wanted: dict[mail.Form, Callable[[], bytes]] = {}
        has_words = not summary.late or any(section.status == "answered" for section in summary.sections)
        if self._config.attach_pdf and has_words:
            wanted["pages"] = lambda: sheet.write(summary, prompts)
        if self._config.attach_sound and (has_words or self._recordings(summary)):
            wanted["sound"] = lambda: sound.write(summary, prompts, self._voice, self._recordings(summary), self._decode)
        made: dict[mail.Form, bytes | None] = dict.fromkeys(wanted)
        for form, make in wanted.items():
            try:
                made[form] = make()
            except Exception as error:  # whatever it is; its text may hold what was said
                log.error("a mail goes without its %(form)s: %(error)s", {"form": form, "error": error})
        return made

    def _voice(self, prompt: Prompt) -> bytes | None:
        keys = prompt_keys(prompt, VOICES[self._config.speech_voice], self._people)
        with store.reading(self._engine) as look:
            return next(filter(None, (store.sound(look, key) for key in keys)), None)

    def _recordings(self, summary: Summary) -> dict[str, bytes]:
        """The sound of every answer as far as it came."""
        rows = [self._utterance(recording) for section in summary.sections for recording in section.recordings]
        return {row.id: self._open(row, row.preparation, "sound") for row in rows if row is not None and row.sound_sealed}

    def _heard(self, preparation: Row[Any], row: Row[Any], order: int) -> Utterance:
        if row.status not in ("heard", "keyed"):
            return Utterance(row.id, row.question, row.take, order, "silent" if row.status == "silent" else "failed")
        words = self._open(row, preparation.id, "words", preparation).decode()
        if row.status == "keyed":
            return Utterance(row.id, row.question, row.take, order, "keyed", "yes" if json.loads(words)["yes"] else "no")
        transcript = Transcript.from_json(words)
        marks = {"unsure": transcript.unsure, "foreign": transcript.foreign, "typed": transcript.typed}
        return Utterance(row.id, row.question, row.take, order, "heard", transcript.text, **marks)

    def _open(self, row: Row[Any], preparation_id: str, column: str, keys: Row[Any] | None = None) -> bytes:
        private = self._keyring.preparation_key(preparation_id, keys if keys is not None else row)
        return vault.unseal(private, row._mapping[f"{column}_sealed"], vault.place("utterances", column, row.id))

    def _utterance(self, utterance: str) -> Row[Any] | None:
        with store.reading(self._engine) as look:
            return store.utterance(look, utterance)

    def _mark(self, preparation: str, **values: Any) -> None:
        with store.writing(self._engine) as tx:
            store.save_preparation(tx, preparation, **values)

    def _unheard(self, still: str) -> Callable[[Connection, str, str], None]:
        """Give a recording up, unless another job has brought it further than it stood ``still``."""

        def give_up(tx: Connection, recording_sid: str, _reason: str) -> None:
            self._preparations.settle(tx, recording_sid, "failed", only_if=still)

        return give_up

    def _undeliverable(self, tx: Connection, preparation: str, _reason: str) -> None:
        store.save_preparation(tx, preparation, status="undeliverable")
        self._queue.enqueue(tx, "apologise", preparation)

    def _in_one_transaction(self, change: Callable[[Connection, str], None]) -> Callable[[str], None]:
        def run(subject: str) -> None:
            with store.writing(self._engine) as tx:
                change(tx, subject)

        return run


def _guide(prompts: Prompts, guide_id: str) -> Guide:
    """The guide, or an empty one if it was taken away during the call: its answers are sent all the same."""
    try:
        return prompts.guide(guide_id)
    except KeyError:
        nothing = Prompt("", "")
        return Guide(guide_id, 0, "", "", prompts.mail["subject"], nothing, nothing, ())
