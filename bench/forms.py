"""What each form of a preparation costs: the mail, the pages and the sound of eight answers, in milliseconds and bytes.

Means of runs taken in turns, so that a busy machine slows all; the ratio is to the same words as a bare mail of plain text.
The sound, which takes seconds, is made in every tenth turn.

    python bench/forms.py [turns]
"""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from voice.content import load
from voice.delivery import build_message
from voice.speech.espeak import EspeakSynthesizer
from voice.speech.sounds import RATE
from voice.speech.telephone import telephone_wav
from voice.summary import Utterance, mail, sheet, sound, summarise

ROOT = Path(__file__).resolve().parent.parent
DATE = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
WORDS = "Jeg kan godt passe telefonen og skrive mails. Jeg kan ikke løfte de tunge kasser alene, og jeg bliver træt om eftermiddagen."


def main(turns: int = 50) -> None:
    """Make every form of one preparation again and again, and print a small table."""
    prompts = load(ROOT / "prompts" / "da")
    guide = prompts.guide("sygemeldt")
    said = [Utterance(question.id, question.id, 0, 0, "heard", WORDS) for question in guide.questions]
    summary = summarise(guide, said, prompts.vocabulary)
    asked, spoken = (telephone_wav(EspeakSynthesizer().synthesize(text, "da"), caption=text) for text in ("Hvad kan du godt?", WORDS))
    recordings = {utterance.id: spoken for utterance in said}
    text = mail.write(summary, prompts, {}).text
    forms: dict[str, Callable[[], bytes]] = {
        "plain text alone": lambda: _plain(text),
        "mail": lambda: bytes(
            build_message(
                mail.write(summary, prompts, {}),
                to="a@example.com",
                sender="b@example.com",
                preparation_id="p",
                message_number=1,
                date=DATE,
            )
        ),
        "pages (PDF)": lambda: sheet.write(summary, prompts),
        f"sound (MP3), answers of {len(spoken) / 2 / RATE:.0f} s": lambda: sound.write(summary, prompts, lambda _prompt: asked, recordings),
    }
    took: dict[str, list[float]] = {name: [] for name in forms}
    size = {name: len(make()) for name, make in forms.items()}  # and whatever is only made once
    for turn in range(turns):
        for name, make in forms.items():
            if "sound" in name and turn % 10:
                continue
            begun = time.perf_counter()
            make()
            took[name].append((time.perf_counter() - begun) * 1000)
    means = {name: statistics.mean(times) for name, times in took.items()}
    least = next(iter(means.values()))
    print("| eight answers | runs | mean ms | ratio | bytes |\n|---|---|---|---|---|")
    for name, mean in means.items():
        print(f"| {name} | {len(took[name])} | {mean:.1f} | {mean / least:.1f} | {size[name]} |")


def _plain(text: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "b@example.com", "a@example.com", "Til din samtale"
    message.set_content(text)
    return bytes(message)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
