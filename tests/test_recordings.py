"""Whatever the provider answers when a recording is asked for: the other answers arrive, and of the bad one the mail says so."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import TEST_PROMPTS
from tests.dtmf_transcriber import dtmf_wav
from tests.faults.report import Cases
from tests.mails import answers, message_id
from tests.sounds import lay_sounds
from tests.web import CAPS, MANY
from voice import store
from voice.content import load
from voice.exchange import Script
from voice.exchange.recordings import Recording, Recordings
from voice.local.line import LocalLine
from voice.preparations import DEADLINE, Placing, Preparations
from voice.queue import Queue

PROMPTS = load(TEST_PROMPTS / "da")
MEGABYTE = 1024  # in the units of /proc
WORDS = "1 2 3 4 5 6 7 8 9 1"
WELL = {"hvad": WORDS, "er_det": "yes", "hvem": "2 3 4 5 6 7 8 9 1 2", "vigtigst": "3 4 5 6 7 8 9 1 2 3"}
FIRST_LOST = {**WELL, "hvad": "failed"}

# What stands at the head of the caller's script -> what the mail must have. It concerns the first recording of the call alone.
COMES = (
    "media 404 3 times",
    "media empty once",
    "media html once",
    "media text once",
    "media unauthorized once",
    "media forbidden once",
    "media cut off twice",
    "media too many requests twice",
    "media broken twice",
    "media elsewhere once",
    "deletes fail twice",
)
NEVER_COMES = (
    "media 404",
    "media empty",
    "media html",
    "media text",
    "media unauthorized",
    "media forbidden",
    "media cut off",
    "media too many requests",
    "media broken",
    "media elsewhere",
    "media huge",
    "media deleted",
)
# These concern all that the call sends.
ALL_COMES = (
    "callbacks doubled",
    "callbacks late 4",
    "callbacks reversed",
    "callbacks dropped",
    "actions doubled",
    "actions parallel",
    "silent recordings unreported",
    "callbacks doubled\nactions parallel\nmedia 404 twice",
)
ALL_LOST = {
    "recordings failed": dict.fromkeys(WELL, "failed") | {"er_det": "yes"},
    "recordings absent": dict.fromkeys(WELL, "not_heard") | {"er_det": "yes"},
}
CUT_SHORT = "media truncated"
DEMANDED = {**dict.fromkeys(COMES + ALL_COMES, WELL), **dict.fromkeys(NEVER_COMES, FIRST_LOST), **ALL_LOST}
FEW = ("media 404 3 times", "media huge", "media deleted", "deletes fail twice", "callbacks dropped", "recordings absent", CUT_SHORT)
SPEECH = 'key 1\nkey 1\nkey 1\nspeak "1234567891"\nkey #\nsilence\nkey 1\nspeak "2345678912"\nspeak "3456789123"'


@dataclass
class Aftermath:
    """What all these calls left behind."""

    names: list[str]
    mails: dict[str, list[dict[str, str]]]
    problems: list[str]
    left: list[Recording]
    recordings: dict[str, list[Recording]]
    leaks: int
    dead_jobs: list[str]
    worker_grew: int


def peak(pid: int | None) -> int:
    """The most memory that a process has held so far, in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.fixture(
    scope="module",
    params=[pytest.param(FEW, id="test"), pytest.param((*DEMANDED, CUT_SHORT), id="sample", marks=pytest.mark.faults)],
)
def aftermath(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sounds: Path) -> Aftermath:
    with pytest.MonkeyPatch.context() as patch:
        add = Recordings.add

        def spoil_the_first(recordings: Recordings, recording: Recording) -> None:
            if any(each.call_sid == recording.call_sid for each in recordings.all(deleted=True)):
                recording.conditions = replace(recording.conditions, media="sound", deletes_failing=0)
            add(recordings, recording)

        patch.setattr(Recordings, "add", spoil_the_first)
        folder = tmp_path_factory.mktemp("line")
        lay_sounds(sounds, f"sqlite:///{folder}/samtaleklar.sqlite")
        return place_calls(folder, list(request.param))


def place_calls(folder: Path, names: list[str]) -> Aftermath:
    scripts = [Script.parse(f"{name}\n{SPEECH}", name, speak=dtmf_wav) for name in names]
    worker = ("tests.dtmf_worker", "hasty")
    with LocalLine(folder, {"PROMPTS_DIR": str(TEST_PROMPTS), **dict.fromkeys(CAPS, MANY)}, worker, "tests.hasty:create_app()") as line:
        line.exchange.play(Script.parse(SPEECH, "a call to get warm", speak=dtmf_wav))
        line.mailbox.wait(1, timeout=30)
        before = peak(line.processes.pid("worker"))
        with ThreadPoolExecutor(4) as pool:
            played = dict(zip(names, pool.map(line.exchange.play, scripts), strict=True))
        assert line.exchange.settle(30)
        mails = line.mailbox.wait(len(scripts) + 1, timeout=60)
        grew = peak(line.processes.pid("worker")) - before
        engine = store.connect(line.config.database_url)
        with store.reading(engine) as look:
            preparations = {row.call_sid: row.preparation for row in look.execute(store.calls.select())}
            dead = [row.id for row in look.execute(store.dead_jobs.select())]
        engine.dispose()
    ids = {name: message_id(preparations[record.sid], line.config.mail_from, PROMPTS) for name, (record, _) in played.items()}
    return Aftermath(
        names=names,
        mails={name: [answers(mail, PROMPTS) for mail in mails if mail["Message-ID"] == ids[name]] for name in names},
        problems=[problem for _, problems in played.values() for problem in problems],
        left=line.exchange.recordings,
        recordings={name: record.recordings for name, (record, _) in played.items()},
        leaks=line.exchange.leaks,
        dead_jobs=dead,
        worker_grew=grew,
    )


@pytest.mark.row("recordings")
def test_one_mail_has_all_that_came_and_says_what_did_not(cases: Cases, aftermath: Aftermath) -> None:
    assert aftermath.problems == []
    for name in cases.take(name for name in aftermath.names if name != CUT_SHORT):
        with cases.trying(name):
            assert aftermath.mails[name] == [DEMANDED[name]]


@pytest.mark.row("recordings")
def test_of_a_recording_that_is_cut_short_the_mail_has_what_is_there(aftermath: Aftermath) -> None:
    (mail,) = aftermath.mails[CUT_SHORT]
    assert WORDS.startswith(mail["hvad"])
    assert 3 <= len(mail["hvad"].split()) < len(WORDS.split())
    assert {**mail, "hvad": WORDS} == WELL


def test_nothing_is_left_at_the_provider(aftermath: Aftermath) -> None:
    assert aftermath.left == []
    assert [recording.deletions for recording in aftermath.recordings["deletes fail twice"]] == [3, 1, 1]


def test_credentials_are_sent_to_no_other_host(aftermath: Aftermath) -> None:
    assert aftermath.leaks == 0


def test_only_what_never_came_is_given_up(aftermath: Aftermath) -> None:
    dead = {tuple(job.split(":")[:2]) for job in aftermath.dead_jobs}
    assert dead == {("fetch", aftermath.recordings[name][0].sid) for name in NEVER_COMES if name in aftermath.names}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells the memory of processes on Linux only")
def test_two_hundred_megabytes_do_not_fill_the_workers_memory(aftermath: Aftermath) -> None:
    assert aftermath.worker_grew < 60 * MEGABYTE


def test_what_is_given_up_at_the_deadline_is_erased_at_the_provider(database_url: str) -> None:
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = store.connect(url)
    queue = Queue(engine)
    moments = iter([1000.0, 1000.0, 1000.0 + DEADLINE])  # it is made, closed, and given up
    preparations = Preparations(queue, lambda: next(moments))
    call, recording = "CA" + "1" * 32, "RE" + "1" * 32
    with store.writing(engine) as tx:
        store.add_worker_key(tx, bytes(range(32)), 1.0)
        store.begin_call(tx, call, "{}", 1.0)
        preparation = preparations.open(tx, "lang", "da", consent_at=1.0, opened_by=call)
        assert preparations.expect(tx, recording, Placing(call, 1, preparation, "hvad", 1), complete=True)
        preparations.close(tx, preparation)
    with store.writing(engine) as tx:
        preparations.deadline(tx, preparation)
    with store.reading(engine) as look:
        utterance = store.utterance(look, recording)
        assert utterance is not None
        assert utterance.status == "failed"
    jobs = {workflow.workflow_id for workflow in queue._client.list_workflows()}
    assert {f"erase:{recording}:1", f"send:{preparation}:1"} <= jobs
    engine.dispose()
