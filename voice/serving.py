"""What ``serve``, ``work`` and ``render`` do: bring everything to readiness, then run web and worker together."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator

from sqlalchemy.engine import Engine
from tqdm import tqdm

from voice import store
from voice.app import create_worker
from voice.config import Config
from voice.content import load_all
from voice.errors import ConfigError
from voice.keyring import Keyring
from voice.migrations import migrate
from voice.processes import Processes
from voice.prompts import Prompts
from voice.speech import Synthesizer, Transcriber
from voice.speech.measuring import Figures, measure
from voice.speech.models import find_model, is_poor
from voice.speech.recordings import human_voices
from voice.speech.rendering import RenderReport, render
from voice.speech.sounds import VOICES, prompt_keys

POOR = "WHISPER_MODEL is the small trial model: it gets every second word of telephone Danish wrong"
THREADS = 8


def serve(config: Config) -> None:
    """Run the line on this machine until SIGTERM or Ctrl-C. Raises ConfigError or PromptError before anything is started."""
    prompts = load_all(config.prompts_dir, config.operator_phone)
    refuse_unknown_numbers(config, prompts)
    refuse_poor_model(config)
    find_model(config.whisper_model, config.data_dir / "models")
    migrate(config.database_url)
    engine = store.connect(config.database_url)
    Keyring.of(config, engine).start()
    with store.reading(engine) as look:
        have = store.sound_keys(look)
    engine.dispose()
    if silent := sum(have.isdisjoint(keys) for keys in _names(config, prompts)):
        print(f"{silent} prompts have no sound yet and are read aloud by Twilio's voice: run `samtaleklar render`.", file=sys.stderr)
    for warning in warnings(config):
        print(warning, file=sys.stderr)
    web = ["gunicorn", "--bind", f"0.0.0.0:{config.port}", "--threads", str(THREADS), "--log-level", "warning", "voice.app:create_app()"]
    commands = {"web": [sys.executable, "-m", *web], "worker": [sys.executable, "-m", "voice", "work"]}
    with Processes(commands, os.environ) as processes:
        print(f"The line runs on port {config.port} and is reached at {config.public_base_url}. Ctrl-C ends it.", file=sys.stderr)
        processes.run_until_told()


def warnings(config: Config) -> list[str]:
    """What an operator should know of the mails' way, at every start of a line that real callers reach."""
    found = []
    if not (config.relay_enforces_tls or config.local):
        found.append(
            "Your mail relay may pass mails on unencrypted, and they tell of health: make it demand TLS (README), "
            "then set RELAY_ENFORCES_TLS=1."
        )
    if not (config.sms_from or config.trial):
        found.append("SMS_FROM is not set: callers who are not on your list cannot get a mail, and are told so.")
    return found


def work(config: Config, transcriber: Transcriber | None = None) -> None:
    """Run one worker until SIGTERM or Ctrl-C."""
    os.nice(10)  # callers wait for the web process; for us they wait minutes
    refuse_poor_model(config)
    worker = create_worker(config, transcriber)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


def set_closed(config: Config, reason: str | None) -> None:
    """Close the line for a reason, or open it with None. It holds from the next call on, in every web process."""
    migrate(config.database_url)
    engine = store.connect(config.database_url, wait=30)
    with store.writing(engine) as tx:
        store.set_closed(tx, reason and reason[:200])
    engine.dispose()


def refuse_unknown_numbers(config: Config, prompts: Iterable[Prompts]) -> None:
    """A number that leads to no guide or language would lead to the menu, and only its callers would notice. Raises ConfigError."""
    contents = tuple(prompts)
    problems = []
    for setting, what, leads_to, known in (
        ("GUIDE_NUMBERS", "guides", config.guide_numbers, {guide.id for content in contents for guide in content.guides}),
        ("LANGUAGE_NUMBERS", "languages", config.language_numbers, {content.language for content in contents}),
    ):
        if unknown := sorted({*leads_to.values()} - known):
            problems.append(f"{setting} names {', '.join(unknown)}: set it to {what} that are there ({', '.join(sorted(known))}).")
    if problems:
        raise ConfigError(problems)


def refuse_poor_model(config: Config) -> None:
    """Say it at every start; where real callers can come, refuse unless told otherwise. Raises ConfigError."""
    if not is_poor(config.whisper_model):
        return
    if not (config.local or config.allow_poor_model):
        raise ConfigError([f"{POOR}: set it to the folder of a good one, or set ALLOW_POOR_MODEL=1."])
    print(f"{POOR}. It is good enough for a trial only.", file=sys.stderr)


def render_with_progress(config: Config, *, measured: bool = False) -> int:
    """Render every prompt that has no sound yet; if ``measured``, tell what all the sounds are like.

    Gives the exit code: 1 if some are still missing or a human recording cannot be used, which are named.
    """
    migrate(config.database_url)
    engine = store.connect(config.database_url, wait=30)
    prompts = load_all(config.prompts_dir, config.operator_phone)
    report = render_all(config, engine, prompts, synthesizer(config))
    print(f"{report.rendered} sounds made, {report.kept} were there, {len(report.missing)} prompts are missing.")
    for tempo, figures in measure_all(config, engine, prompts) if measured else ():
        print(f"{tempo}: {figures}.")
    engine.dispose()
    for problem in (*report.unusable, *(f"  {prompt_id}: {reason}" for prompt_id, reason in report.missing)):
        print(problem, file=sys.stderr)
    if report.missing and config.speech_voice == "gtts":
        print("Run it again when the network is back, or set SPEECH_VOICE=espeak for the offline voice.", file=sys.stderr)
    return 1 if report.missing or report.unusable else 0


def render_all(config: Config, engine: Engine, prompts: Iterable[Prompts], voice: Synthesizer) -> RenderReport:
    """Make the sounds that are missing and keep each at once. A progress bar shows on a terminal."""
    with store.reading(engine) as look:
        have = store.sound_keys(look)

    def save(key: str, wav: bytes) -> None:
        with store.writing(engine) as tx:
            store.save_sound(tx, key, wav)

    with tqdm(unit=" prompts", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return render(prompts, voice, have, save, progress, config.prompts_dir)


def measure_all(config: Config, engine: Engine, prompts: Iterable[Prompts]) -> Iterator[tuple[str, Figures]]:
    """The figures of what callers hear, at each tempo."""
    for tempo, slowly in (("ordinary", False), ("slow", True)):
        with store.reading(engine) as look:
            have = store.sound_keys(look)
            names = [next((key for key in keys if key in have), None) for keys in _names(config, prompts, slowly)]
            figures = measure(store.sound(look, name) or b"" for name in sorted({name for name in names if name}))
        if figures:
            yield tempo, figures


def _names(config: Config, prompts: Iterable[Prompts], slowly: bool = False) -> Iterator[list[str]]:
    """Of each prompt, the names that its sound may have, best first."""
    languages = list(prompts)
    people = human_voices(config.prompts_dir, languages)
    for prompt in (prompt for content in languages for prompt in content):
        yield prompt_keys(prompt, VOICES[config.speech_voice], people, slowly)


def synthesizer(config: Config) -> Synthesizer:
    """The voice that SPEECH_VOICE names."""
    if config.speech_voice == "espeak":
        from voice.speech.espeak import EspeakSynthesizer

        return EspeakSynthesizer()
    from voice.speech.google import GoogleSynthesizer

    return GoogleSynthesizer()
