"""Each proof of privacy, run on a bug that it must catch; and run without it, so that it is known to fail for nothing else.

The proofs are the tests' own functions. Further bugs of each kind stand beside them in their modules.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from tests.canary import Canaries, sweep
from tests.conftest import ROOT
from tests.mailbox_line import MailboxLine
from tests.signing import a_web
from tests.test_delivery_smtp import HOST, Mailbox, attempt, context_of, relay
from tests.test_door import test_an_answer_is_taken_only_at_the_address_that_its_own_call_and_turn_were_given as no_address_is_guessed
from tests.test_forgery import KEY, forge, skips_a_route
from tests.test_forms import RECORDING, SECRET, Line, text
from tests.test_hostile_sound import test_the_worker_decodes_callers_recordings_apart as decoded_apart
from tests.test_logs import a_request_in_the_sentence, jobs_that_fail, logged, requests_of_all_kinds, text_of_exceptions, traces
from tests.test_source_rules import Rule, broken, fetching_what_was_posted, secrets_compared_by_eye
from tests.test_vault import test_another_place_does_not_open_it as no_place_is_another
from tests.web import Web
from voice import calls, delivery, directory, vault
from voice.queue import Queue
from voice.speech import apart, audio
from voice.telephony import fields, signature

CANARIES = Canaries(SECRET, "kanarie@fjervinge.dk", "Kanarie", "+4520123456")
Patch = pytest.MonkeyPatch


# ---- proofs


def nothing_is_left_in_clear(folder: Path) -> None:
    """From a recording to its mail, with all the tables and the engine's."""
    line = Line(folder, ATTACH_PDF="0", ATTACH_SOUND="0")
    assert "hemmelighed" in text(line.mail())
    line.engine.dispose()
    assert list(map(str, sweep([folder], CANARIES))) == []


def no_domain_is_left_in_clear(folder: Path) -> None:
    """While a call goes on that names the mailbox of its caller."""
    line = MailboxLine(folder)
    line.knows(CANARIES.number, CANARIES.address)
    call = line.call(CANARIES.number, "11")
    assert "fjervinge" in call.said, "the domain was not said"
    call.press("1")
    line.close()
    assert list(map(str, sweep([folder], CANARIES))) == []


def each_recording_is_to_be_erased(folder: Path) -> None:
    line = Line(folder)
    line.engine.dispose()
    jobs = Queue(line.engine)._client.list_workflows()
    line.engine.dispose()
    assert f"erase:{RECORDING}:1" in [job.workflow_id for job in jobs]


def no_forger_is_let_in(_folder: Path) -> None:
    with a_web(TWILIO_WEBHOOK_KEY=KEY) as web:
        forge(web, 330, seed=1)


def no_stranger_takes_a_mail(_folder: Path) -> None:
    mailbox = Mailbox()
    with relay(mailbox, context=context_of(trustme.CA().issue_cert(HOST))) as port:
        assert attempt(port) != "sent"
    assert mailbox.mails == []


def nothing_is_logged(sings: Callable[[Web], None]) -> Callable[[Path], None]:
    def proof(_folder: Path) -> None:
        with a_web(ACCESS_LOG="1") as web, logged() as text:
            sings(web)
        assert traces(text.getvalue()) == []

    return proof


def the_source_keeps(rule: Rule, module: Any) -> Callable[[Path], None]:
    def proof(_folder: Path) -> None:
        assert broken(rule, Path(module.__file__).read_text(), str(Path(module.__file__).relative_to(ROOT))) == []

    return proof


def no_turn_s_address_is_guessed(_folder: Path) -> None:
    with a_web() as web:
        no_address_is_guessed(web)


# ---- bugs


def words_are_not_sealed(patch: Patch) -> None:
    right = vault.unseal
    patch.setattr(vault, "seal", lambda _public, plain, _where: b"plain:" + plain)
    patch.setattr(vault, "unseal", lambda key, sealed, where: sealed[6:] if sealed.startswith(b"plain:") else right(key, sealed, where))


def sealed_to_no_place(patch: Patch) -> None:
    right = vault.AESGCM

    def placeless(key: bytes) -> Any:
        real = right(key)
        return SimpleNamespace(
            encrypt=lambda nonce, data, _where: real.encrypt(nonce, data, None),
            decrypt=lambda nonce, data, _where: real.decrypt(nonce, data, None),
        )

    patch.setattr(vault, "AESGCM", placeless)


def words_in_an_argument_of_the_engine(patch: Patch) -> None:
    right = Queue.enqueue

    def enqueue(self: Queue, tx: Any, name: str, subject: str, **more: Any) -> None:
        right(self, tx, name, subject, **more)
        if name == "transcribe":
            right(self, tx, "remember", SECRET)

    patch.setattr(Queue, "enqueue", enqueue)


def the_domain_as_it_is(patch: Patch) -> None:
    patch.setattr(directory, "hide", lambda text, *_: text)


def recordings_are_left(patch: Patch) -> None:
    right = Queue.enqueue
    patch.setattr(Queue, "enqueue", lambda self, tx, name, *given, **more: name == "erase" or right(self, tx, name, *given, **more))


def any_nonce(patch: Patch) -> None:
    patch.setattr(calls, "is_nonce", lambda *_: True)


def smtplib_s_own_context(patch: Patch) -> None:
    right = delivery._hand_over
    patch.setattr(delivery, "_hand_over", lambda mail, smtp, _tls, timeout: right(mail, smtp, ssl._create_stdlib_context(), timeout))


def decoded_in_the_worker(patch: Patch) -> None:
    patch.setattr(apart, "decoder", lambda: SimpleNamespace(decode=audio.decode))


def written(module: Any, right: str, wrong: str) -> Callable[[Patch], None]:
    """The module's source with a line written otherwise."""

    def bug(patch: Patch) -> None:
        file = Path(module.__file__)
        text, read = file.read_text(), Path.read_text
        assert right in text, f"{file.name} no longer says {right!r}: seed the bug where that went"
        patch.setattr(Path, "read_text", lambda path, *given: text.replace(right, wrong) if path == file else read(path, *given))

    return bug


by_eye = written(signature, "hmac.compare_digest(one.encode(), signature)", "one.encode() == signature")
fetched = written(fields, "from flask import request", "import urllib3\nfrom flask import request")

TABLE: dict[str, tuple[Callable[[Patch], None], Callable[[Path], None]]] = {
    "words are stored as they are": (words_are_not_sealed, nothing_is_left_in_clear),
    "a sealed value opens in another place": (sealed_to_no_place, lambda _folder: no_place_is_another()),
    "words are an argument of a job": (words_in_an_argument_of_the_engine, nothing_is_left_in_clear),
    "a call's row names the domain": (the_domain_as_it_is, no_domain_is_left_in_clear),
    "a recording stays at the provider": (recordings_are_left, each_recording_is_to_be_erased),
    "one route needs no signature": (skips_a_route, no_forger_is_let_in),
    "any nonce is taken": (any_nonce, no_turn_s_address_is_guessed),
    "a signature is compared letter by letter": (by_eye, the_source_keeps(secrets_compared_by_eye, signature)),
    "a posted address is fetched": (fetched, the_source_keeps(fetching_what_was_posted, fields)),
    "a request stands in the log": (a_request_in_the_sentence, nothing_is_logged(requests_of_all_kinds)),
    "an exception's text stands in the log": (text_of_exceptions, nothing_is_logged(jobs_that_fail)),
    "a relay need not prove its name": (smtplib_s_own_context, no_stranger_takes_a_mail),
    "a recording is decoded in the worker": (decoded_in_the_worker, decoded_apart),
}


@pytest.mark.parametrize("bug", TABLE)
def test_the_proof_holds_and_catches_the_bug(bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed, proof = TABLE[bug]
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    proof(tmp_path / "right")
    seed(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        proof(tmp_path / "wrong")
