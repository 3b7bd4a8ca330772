"""A Turn written as TwiML. Pure: which prompts have a sound is asked through ``sound_url``."""

from collections.abc import Callable

from twilio.twiml.voice_response import Gather, VoiceResponse

from voice.dialogue.turn import Hangup, Menu, Record, Turn
from voice.prompts import Prompt

ALL_KEYS = "1234567890*#"
SPEECH_LANGUAGE = {"da": "da-DK"}  # <Say> and <Gather> know Danish by this name alone; "da" makes them fail
SAY_VOICE = {"da": "Polly.Sofie-Neural"}
# If our answer to the news of a recording fails, it comes again: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
RETRY = "#rc=5&rp=all"

SoundUrl = Callable[[Prompt], str | None]


def write(turn: Turn, number: int, *, language: str, sound_url: SoundUrl) -> str:
    """The reply for a turn of that number. Its wait leads back to ``/calls/<number>``, and so does waiting in vain."""
    response = VoiceResponse()
    here = f"/calls/{number}"
    wait = turn.then
    match wait:
        case Menu():
            response.append(_gather(turn, here, language, sound_url, timeout=wait.timeout, words=wait.words))
            response.redirect(here)
        case Record():
            # Keys work while the question plays. Then the tone says: now it is your turn.
            response.append(_gather(turn, here, language, sound_url, timeout=1, words=False))
            belongs = f"{wait.question}.{wait.take}"
            response.record(
                action=f"{here}?answer={belongs}",
                timeout=wait.final_silence,
                max_length=wait.max_seconds,
                finish_on_key=ALL_KEYS,
                trim="do-not-trim",
                recording_status_callback=f"/calls/{number}/recording?answer={belongs}{RETRY}",
                recording_status_callback_event="completed absent",
            )
            response.redirect(here)
        case Hangup():
            _say(response, turn, language, sound_url)
            response.hangup()
    return str(response)


def closing(prompt: Prompt, language: str, sound_url: SoundUrl) -> str:
    """Say one thing and hang up: the caller never hears English, silence or an error tone."""
    return write(Turn((prompt,), Hangup()), 0, language=language, sound_url=sound_url)


def _gather(turn: Turn, here: str, language: str, sound_url: SoundUrl, *, timeout: int, words: bool) -> Gather:
    speech = {"input": "dtmf speech", "language": SPEECH_LANGUAGE[language], "speech_timeout": "auto", "profanity_filter": False}
    gather = Gather(num_digits=1, finish_on_key="", timeout=timeout, action=here, **(speech if words else {"input": "dtmf"}))
    _say(gather, turn, language, sound_url)
    return gather


def _say(verb: VoiceResponse | Gather, turn: Turn, language: str, sound_url: SoundUrl) -> None:
    for prompt in turn.say:
        url = sound_url(prompt)
        if url:
            verb.play(url)
        else:
            verb.say(_speakable(prompt.text), language=SPEECH_LANGUAGE[language], voice=SAY_VOICE[language])


def _speakable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())  # the library writes control characters as they are: broken XML
