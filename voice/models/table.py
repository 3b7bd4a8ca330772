"""The recognisers worth having for Danish.

Errors are the Danish ASR leaderboard's of June to October 2026 (Rye-A1/danish-asr-leaderboard), in percent of words: its mean over
five test sets, and its conversations, which are closest to a caller. None is telephone speech: expect more there. Disk and memory
were measured here, in int8. A revision is a commit of the hub's; where none could be checked it is the newest at the first fetch,
which is then kept (see fetching).
"""

from dataclasses import dataclass

from voice.models.shapes import BASE, LARGE, SMALL, TURBO, Shape

NEWEST = "main"


@dataclass(frozen=True, slots=True)
class Recogniser:
    """One of them."""

    name: str
    repository: str  # at the model hub; "" for the one that comes with the program
    revision: str
    licence: str
    shape: Shape
    disk: int  # MB
    memory: int  # MB
    error: float
    conversation: float


TABLE = (
    Recogniser(
        "edda-v0.2",
        "danish-foundation-models/edda-v0.2",
        "98ec5eee028b111a19733890fe32ea65267b662b",
        "Apache-2.0",
        TURBO,
        817,
        1180,
        8.8,
        15.5,
    ),
    Recogniser(
        "whisper-large-v3-turbo-danish",
        "thorhojhus/whisper-large-v3-turbo-danish",
        "8cc640f726b08708193c38bd474ac1b31f44bd38",
        "MIT",
        TURBO,
        817,
        1180,
        11.5,
        20.1,
    ),
    Recogniser("whisper-small-danish", "thorhojhus/whisper-small-danish", NEWEST, "MIT", SMALL, 246, 500, 13.3, 23.7),
    Recogniser(
        "large-v3", "openai/whisper-large-v3", "06f233fe06e710322aca913c1bc4249a0d71fce1", "Apache-2.0", LARGE, 1553, 2300, 24.2, 49.5
    ),
    Recogniser("base", "", "", "MIT", BASE, 145, 450, 96.7, 210.0),
)


def named(name: str) -> Recogniser | None:
    return next((one for one in TABLE if one.name == name), None)
