"""How well the flags tell wrong answers from right ones, and the limit that does it best for a model.

    python bench/flags.py ANSWERS [--wrong 0.2] [--model NAME] [--write FOLDER]

ANSWERS is what bench/words.py --answers wrote. An answer is wrong when more than that share of its words is wrong, missing or
invented (in an answer of up to four words: any). The limit is the lowest at which 95 in 100 wrong answers are flagged; each clip
is judged by the limit that all other clips give. Prints a Markdown table for the flags as they are and for those left-one-out.
--write lays calibration.json into a model's folder: the recogniser then takes that limit.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from voice.speech.flags import Flags, Word, sureness
from voice.speech.scoring import word_errors

CAUGHT = 0.95  # of the wrong answers, where the limit is set: 0.9 is asked for, on other clips than these
LENGTHS = ((1, 2), (3, 6), (7, 20), (21, 1000))  # words


@dataclass(frozen=True)
class Judged:
    clip: str
    sound: str
    said: int  # words
    wrong: bool
    pieces: list[list[Word]]
    speech: float


def read(path: str, model: str | None, most: float) -> list[Judged]:
    judged = []
    for line in Path(path).read_text("utf-8").splitlines():
        answer = json.loads(line)
        if model not in (None, answer["model"]):
            continue
        errors, said = word_errors(answer["said"], answer["heard"])
        pieces = [[Word(*word) for word in piece] for piece in answer["pieces"]]
        judged.append(Judged(answer["clip"], answer["sound"], said, errors > most * said, pieces, answer["speech"]))
    return judged


def limit(answers: Iterable[Judged]) -> float:
    """The lowest at which enough wrong answers are flagged, of those that no other rule flags."""
    none = replace(Flags(), least=0.0)
    wrong = sorted((-1.0 if none.unsure(one.pieces, one.speech) else sureness(one.pieces)) for one in answers if one.wrong)
    return round(wrong[min(len(wrong) - 1, int(CAUGHT * len(wrong)))] + 0.001, 3)


def line(name: str, answers: list[Judged], flagged: Callable[[Judged], bool]) -> str:
    wrong = [one for one in answers if one.wrong]
    marked = [one for one in answers if flagged(one)]
    caught = sum(one.wrong for one in marked)
    share = f"{100 * caught / len(wrong):.0f}" if wrong else "-"
    needless = f"{100 * (len(marked) - caught) / len(marked):.0f}" if marked else "-"
    return f"| {name} | {len(answers)} | {len(wrong)} | {len(marked)} | {share} | {needless} |"


def table(answers: list[Judged], flagged: Callable[[Judged], bool]) -> None:
    print("| answers | all | wrong | flagged | % of the wrong flagged | % of the flagged right |\n|---|---|---|---|---|---|")
    print(line("all", answers, flagged))
    for sound in dict.fromkeys(one.sound for one in answers):
        print(line(sound, [one for one in answers if one.sound == sound], flagged))
    for least, most in LENGTHS:
        print(line(f"{least} to {most} words", [one for one in answers if least <= one.said <= most], flagged))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers")
    parser.add_argument("--wrong", type=float, default=0.2)
    parser.add_argument("--model")
    parser.add_argument("--write")
    chosen = parser.parse_args()
    answers = read(chosen.answers, chosen.model, chosen.wrong)
    of_clip = defaultdict(list)
    for one in answers:
        of_clip[one.clip].append(one)
    print(
        f"{len(of_clip)} clips, {len(answers)} answers. Wrong: more than {100 * chosen.wrong:.0f} % of the words.\n\nFlags as they are:\n"
    )
    table(answers, lambda one: Flags().unsure(one.pieces, one.speech))
    limits = {clip: limit(one for one in answers if one.clip != clip) for clip in of_clip}
    whole = limit(answers)
    print(f"\nThe limit from all is {whole}; left-one-out it is {min(limits.values())} to {max(limits.values())}:\n")
    table(answers, lambda one: replace(Flags(), least=limits[one.clip]).unsure(one.pieces, one.speech))
    if chosen.write:
        Path(chosen.write, "calibration.json").write_text(json.dumps({"flags": {"least": whole}, "answers": len(answers)}) + "\n", "utf-8")


if __name__ == "__main__":
    main()
