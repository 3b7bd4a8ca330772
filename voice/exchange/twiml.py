"""TwiML as text -> verbs with Twilio's documented defaults.

Stricter than Twilio on purpose: where Twilio warns in its debugger (12200, 13xxx) and goes on in its own way, a document is
refused, so that a mistake cannot pass unseen. What the exchange does not carry out is refused too, never skipped in silence.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree  # see below, where it reads # nosec B405

from voice.exchange.errors import TwimlError
from voice.exchange.verbs import Gather, Hangup, Pause, Play, Prompt, Record, Redirect, Reject, Say, Verb

MAX_BYTES = 64 * 1024
# Twilio's current table. Older names are gone from it, and the basic voices speak no Danish.
DANISH_VOICES = frozenset(
    {"Polly.Mads", "Polly.Naja", "Polly.Sofie-Neural"}
    | {f"Google.da-DK-{kind}-{letter}" for kind in ("Standard", "Wavenet") for letter in "FG"}
)


@dataclass(frozen=True, slots=True)
class _Attribute:
    """How one attribute is read, and the code of its misuse. Without a ``field`` it is checked, and changes nothing here."""

    read: Callable[[str], object]
    code: int = 12200
    field: str | None = None


def _number(low: int, high: int = 10**9) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (re.fullmatch(r"[0-9]{1,10}", value) and low <= int(value) <= high):
            raise ValueError(f"must be a whole number of at least {low}" + (f" and at most {high}" if high < 10**9 else ""))
        return int(value)

    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of: {', '.join(allowed)}")
        return value

    return read


def _matching(pattern: str, sentence: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(sentence)
        return value

    return read


def _flag(value: str) -> bool:
    return _one_of("true", "false")(value) == "true"


def _events(value: str) -> tuple[str, ...]:
    return tuple(map(_one_of("in-progress", "completed", "absent"), value.split()))


def _hints(value: str) -> str:
    hints = value.split(",")
    if len(hints) > 500 or any(len(hint.strip()) > 100 for hint in hints):
        raise ValueError("holds more than 500 hints, or one of more than 100 characters")
    return value


_url = _matching(r"[!-~]+", "must be a URL: ASCII, without blanks, not empty")
_language = _matching(r"arb|[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|[0-9]{3})(-[A-Z]{3})?", "must be a full language tag such as da-DK")
_method = _one_of("GET", "POST")
_model = _one_of(
    *("default", "numbers_and_commands", "phone_call", "experimental_conversations", "experimental_utterances"),
    *(f"googlev2_{kind}" for kind in ("long", "short", "telephony", "telephony_short")),
    *("deepgram_nova-2", "deepgram_nova-3"),
)

ATTRIBUTES: Mapping[str, Mapping[str, _Attribute]] = {
    "Say": {
        "voice": _Attribute(_matching(r"man|woman|alice|(Polly|Google)\.[A-Za-z0-9-]+", "is no voice of Twilio's"), 13511, "voice"),
        "language": _Attribute(_language, 13512, "language"),
        "loop": _Attribute(_number(0, 1000), 13510, "loop"),
    },
    "Play": {"loop": _Attribute(_number(0, 1000), 13410, "loop")},
    "Pause": {"length": _Attribute(_number(1), 13910, "length")},
    "Gather": {
        "input": _Attribute(_one_of("dtmf", "speech", "dtmf speech"), 12200, "input"),
        "action": _Attribute(_url, 11100, "action"),
        "method": _Attribute(_method, 13312, "method"),
        "timeout": _Attribute(_number(1), 13313, "timeout"),
        "numDigits": _Attribute(_number(1), 13314, "num_digits"),
        "finishOnKey": _Attribute(_matching(r"[0-9*#]?", "must be one key, or empty"), 13310, "finish_on_key"),
        "actionOnEmptyResult": _Attribute(_flag, 13338, "action_on_empty_result"),
        "language": _Attribute(_language, 13331, "language"),
        "speechTimeout": _Attribute(_matching(r"auto|[1-9][0-9]*", "must be a positive whole number, or auto"), 13327, "speech_timeout"),
        "speechModel": _Attribute(_model, 13334, "speech_model"),
        "profanityFilter": _Attribute(_flag),
        "hints": _Attribute(_hints),
    },
    "Record": {
        "action": _Attribute(_url, 11100, "action"),
        "method": _Attribute(_method, 13610, "method"),
        "timeout": _Attribute(_number(0), 13611, "timeout"),
        "finishOnKey": _Attribute(_matching(r"[0-9*#]*", "must be keys of the telephone, or empty"), 13613, "finish_on_key"),
        "maxLength": _Attribute(_number(2, 14400), 13612, "max_length"),
        "playBeep": _Attribute(_flag, 13616, "play_beep"),
        "trim": _Attribute(_one_of("trim-silence", "do-not-trim")),
        "recordingStatusCallback": _Attribute(_url, 13256, "recording_status_callback"),
        "recordingStatusCallbackMethod": _Attribute(_method, 12200, "recording_status_callback_method"),
        "recordingStatusCallbackEvent": _Attribute(_events, 12200, "recording_status_callback_event"),
    },
    "Redirect": {"method": _Attribute(_method, 13710, "method")},
    "Hangup": {},
    "Reject": {"reason": _Attribute(_one_of("rejected", "busy"), 13810, "reason")},
}

# The speech markup that Twilio takes inside <Say>, with its attributes.
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
SPEECH_MARKUP: Mapping[str, frozenset[str]] = {
    "break": frozenset({"strength", "time"}),
    "emphasis": frozenset({"level"}),
    "lang": frozenset({_XML_LANG}),
    "p": frozenset(),
    "phoneme": frozenset({"alphabet", "ph"}),
    "prosody": frozenset({"volume", "rate", "pitch"}),
    "s": frozenset(),
    "say-as": frozenset({"interpret-as", "format"}),
    "sub": frozenset({"alias"}),
    "w": frozenset({"role"}),
}
_BREAKS = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 0.75, "x-strong": 1.0}


def parse(body: bytes) -> tuple[Verb, ...]:
    """Read a TwiML document. Raises TwimlError with Twilio's code."""
    if len(body) > MAX_BYTES:
        raise TwimlError(11750, f"the document has {len(body)} bytes; the most is {MAX_BYTES}")
    if not body.startswith(b"<"):
        raise TwimlError(12100, "the document must start with its first tag: no blanks, byte order mark or text before it")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - a document of our own line, and small # nosec B314
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise TwimlError(12100, f"the document is not XML: {error}") from error
    if root.tag != "Response":
        raise TwimlError(12100, f"the document's outermost tag is <{root.tag}>, not <Response>")
    if root.attrib:
        raise TwimlError(12200, "<Response> takes no attributes")
    _no_text(root)
    return tuple(_verb(element) for element in root)


def _verb(element: ElementTree.Element) -> Verb:
    name = element.tag
    if name not in ATTRIBUTES:
        raise TwimlError(12200, f"<{name}> is not a verb that this exchange carries out")
    values = _attributes(element)
    if name not in ("Say", "Gather") and len(element):
        raise TwimlError(12200, f"<{name}> holds <{element[0].tag}>; nothing may stand inside it")
    match name:
        case "Say":
            return _say(element, values)
        case "Play":
            return Play(_address(element), **values)
        case "Redirect":
            return Redirect(_address(element), **values)
        case "Gather":
            return _gather(element, values)
    _no_text(element)
    simple: dict[str, Callable[..., Verb]] = {"Pause": Pause, "Record": Record, "Hangup": Hangup, "Reject": Reject}
    return simple[name](**values)


def _attributes(element: ElementTree.Element) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in element.attrib.items():
        attribute = ATTRIBUTES[element.tag].get(name)
        if attribute is None:
            raise TwimlError(12200, f"<{element.tag}> has no attribute {name!r} that this exchange carries out")
        try:
            value = attribute.read(text)
        except ValueError as error:
            raise TwimlError(attribute.code, f"<{element.tag} {name}={text!r}>: {error}") from error
        if attribute.field:
            values[attribute.field] = value
    return values


def _no_text(element: ElementTree.Element) -> None:
    for text in (element.text, *(child.tail for child in element)):
        if text and text.strip():
            raise TwimlError(12200, f"<{element.tag}> holds the text {text.strip()[:40]!r}; only verbs may stand there")


def _address(element: ElementTree.Element) -> str:
    try:
        return _url((element.text or "").strip())
    except ValueError as error:
        raise TwimlError(11100, f"what <{element.tag}> names {error}") from error


def _gather(element: ElementTree.Element, values: dict[str, Any]) -> Gather:
    _no_text(element)
    prompts = []
    for child in element:
        if child.tag not in ("Say", "Play", "Pause"):
            raise TwimlError(13320, f"<Gather> holds <{child.tag}>; only Say, Play and Pause may stand inside it")
        prompt = _verb(child)
        assert isinstance(prompt, Prompt)
        prompts.append(prompt)
    gather = Gather(tuple(prompts), **values)
    if gather.speech_model and not (gather.speech_timeout or "auto").isdigit():
        raise TwimlError(13327, "<Gather speechModel> needs a speechTimeout in seconds")
    if gather.speech_model == "phone_call" and gather.language == "da-DK":
        raise TwimlError(13334, "<Gather speechModel='phone_call'> knows no Danish")
    return gather


def _say(element: ElementTree.Element, values: dict[str, Any]) -> Say:
    markup = [inner for inner in element.iter() if inner is not element]
    for inner in markup:
        if inner.tag not in SPEECH_MARKUP:
            raise TwimlError(12200, f"<Say> holds <{inner.tag}>, which is not speech markup that Twilio takes")
        if unknown := set(inner.attrib) - SPEECH_MARKUP[inner.tag]:
            raise TwimlError(12200, f"<{inner.tag}> has no attribute {min(unknown)!r}")
    text = " ".join("".join(element.itertext()).split())
    say = Say(text, sum(_break(inner) for inner in markup if inner.tag == "break"), **values)
    basic = say.voice in ("man", "woman", "alice")
    if say.language == "da-DK" and say.voice is not None and say.voice not in DANISH_VOICES:
        raise TwimlError(13511, f"the voice {say.voice!r} speaks no Danish")
    if basic and markup:
        raise TwimlError(13520, f"the voice {say.voice!r} takes no speech markup")
    most = 4000 if basic else 5000 if (say.voice or "").startswith("Google.") else 3000
    if len(text) > most:
        raise TwimlError(13521, f"<Say> holds {len(text)} characters; the voice takes {most}")
    return say


def _break(element: ElementTree.Element) -> float:
    if (strength := element.get("strength", "medium")) not in _BREAKS:
        raise TwimlError(12200, f"<break strength={strength!r}> must be one of: {', '.join(_BREAKS)}")
    time = element.get("time")
    if time is None:
        return _BREAKS[strength]
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)(ms|s)", time)
    if match is None or (seconds := float(match[1]) / (1000 if match[2] == "ms" else 1)) > 10:
        raise TwimlError(12200, f"<break time={time!r}> must be a time such as 500ms or 2s, and at most 10s")
    return seconds
