"""A Turn written as TwiML. Pure: which prompts have a sound is asked through ``sound_url``."""

from collections.abc import Callable

from twilio.twiml.voice_response import Gather, VoiceResponse

from voice.dialogue.turn import Hangup, Menu, Record, Turn
from voice.prompts import Prompt, Prompts

ALL_KEYS = "1234567890*#"
SLOW = "80%"
# If our answer to the news of a recording fails, it comes again: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
RETRY = "#rc=5&rp=all"

SoundUrl = Callable[[Prompt, bool], str | None]


class TwimlWriter:
    """Writes a line's replies. ``sound_url(prompt, slow)`` is None for a prompt that has no sound and is read by Twilio's voice."""

    def __init__(self, prompts: Prompts, sound_url: SoundUrl) -> None:
        self._prompts = prompts
        self._sound_url = sound_url

    def turn(self, turn: Turn, number: int, preparation: str | None, nonce: str = "") -> str:
        """The reply for a turn of that number. Its wait leads back to ``/calls/<number>`` with its nonce, and so does waiting in vain."""
        response = VoiceResponse()
        proof = f"?nonce={nonce}"
        here = f"/calls/{number}{proof}"
        wait = turn.then
        match wait:
            case Menu():
                response.append(self._gather(turn, here, timeout=wait.timeout, words=wait.words))
                response.redirect(here)
            case Record():
                # Keys work while the question plays. Then the tone says: now it is your turn.
                response.append(self._gather(turn, here, timeout=1, words=False))
                belongs = f"{preparation}.{wait.question}.{wait.take}"
                response.record(
                    action=f"{here}&answer={belongs}",
                    timeout=wait.final_silence,
                    max_length=wait.max_seconds,
                    finish_on_key=ALL_KEYS,
                    trim="do-not-trim",
                    recording_status_callback=f"/calls/{number}/recording{proof}&answer={belongs}{RETRY}",
                    recording_status_callback_event="completed absent",
                )
                response.redirect(here)
            case Hangup():
                self._say(response, turn)
                response.hangup()
        return str(response)

    def say(self, phrase: str) -> str:
        """Say one phrase and hang up: the caller never hears English, silence or an error tone."""
        return self.turn(Turn((self._prompts.phrase(phrase),), Hangup()), 0, None)

    def reject(self) -> str:
        """Do not take the call: it costs nothing, and the caller hears that the line is busy."""
        response = VoiceResponse()
        response.reject(reason="busy")
        return str(response)

    def _gather(self, turn: Turn, here: str, *, timeout: int, words: bool) -> Gather:
        language = self._prompts.speaking(turn.language).locale
        speech = {"input": "dtmf speech", "language": language, "speech_timeout": "auto", "profanity_filter": False}
        gather = Gather(num_digits=1, finish_on_key="", timeout=timeout, action=here, **(speech if words else {"input": "dtmf"}))
        self._say(gather, turn)
        return gather

    def _say(self, verb: VoiceResponse | Gather, turn: Turn) -> None:
        for prompt in turn.say:
            url = self._sound_url(prompt, turn.slow)
            if url:
                verb.play(url)
                continue
            content = self._prompts.speaking(prompt.language)
            said = verb.say("" if turn.slow else _speakable(prompt.text), language=content.locale, voice=content.voice)
            if turn.slow:
                said.prosody(_speakable(prompt.text), rate=SLOW)


def _speakable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())  # the library writes control characters as they are: broken XML
