"""The SIP gateway, packet by packet: a telephone made of two sockets."""

import itertools
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from tests.exchange_line import Line, ringing, serving, twiml
from voice.exchange import Exchange, media
from voice.exchange.sip import HOST, SipGateway

ULAW, ALAW, KEYS = 0, 8, 101  # RTP's payload types
LOUD, QUIET = b"\x80" * 160, b"\xff" * 160  # 20 ms of µ-law


class Telephone:
    """Says and hears what RFC 3261, 3550 and 4733 let two telephones say."""

    def __init__(self, port: int, codec: int = ULAW) -> None:
        self._gateway = (HOST, port)
        self._codec = codec
        self._sip, self._rtp = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        for wire in (self._sip, self._rtp):
            wire.bind((HOST, 0))
            wire.settimeout(60)
        self._to = "<sip:+4570123456@127.0.0.1>"
        self._sequence = 0

    def hang_on(self) -> None:
        self._sip.close()
        self._rtp.close()

    def ask(self, method: str, number: int = 1) -> None:
        """Send a request. A CANCEL is one with the INVITE that it cancels."""
        body = ""
        if method == "INVITE":
            media_line = f"m=audio {self._rtp.getsockname()[1]} RTP/AVP {self._codec} {KEYS}"
            codecs = f"a=rtpmap:{KEYS} telephone-event/8000"
            body = "\r\n".join(["v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0", media_line, codecs, ""])
        port = self._sip.getsockname()[1]
        lines = [
            f"{method} sip:+4570123456@{HOST} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{number}",
            "Max-Forwards: 70",
            f"From: <sip:+4520123456@{HOST}>;tag=caller",
            f"To: {self._to}",
            "Call-ID: the-only-one",
            f"CSeq: {number} {method}",
            f"Contact: <sip:+4520123456@{HOST}:{port}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._sip.sendto("\r\n".join([*lines, "", body]).encode(), self._gateway)

    def gets(self, start: str) -> str:
        """Wait for the message that begins so."""
        while True:
            message = self._sip.recv(4096).decode()
            if message.startswith(start):
                return message

    def call(self) -> None:
        """Ring and be answered."""
        self.ask("INVITE")
        answer = self.gets("SIP/2.0 200")
        tag = re.search(r"^To: (.*)\r$", answer, re.MULTILINE)
        port = re.search(r"^m=audio ([0-9]+) RTP/AVP 0 101\r$", answer, re.MULTILINE)
        assert tag
        assert port
        self._to, self._line = tag[1], (HOST, int(port[1]))
        self.ask("ACK")

    def send(self, payload: bytes, kind: int = ULAW, at: int | None = None) -> None:
        """One packet; ``at`` is its timestamp, in samples."""
        header = struct.pack("!BBHII", 0x80, kind, self._sequence, self._sequence * 160 if at is None else at, 1)
        self._rtp.sendto(header + payload, self._line)
        self._sequence += 1

    def press(self, event: int) -> None:
        """A key as a telephone sends it: while it is down, and three times that it is up."""
        at = self._sequence * 160
        for end, duration in ((0, 160), (0, 320), (0x80, 480), (0x80, 480), (0x80, 480)):
            self.send(struct.pack("!BBH", event, end, duration), KEYS, at)

    def hears(self) -> bytes:
        return self._rtp.recv(2048)


@pytest.fixture
def line() -> Iterator[Line]:
    with serving() as line:
        yield line


@pytest.fixture
def exchange(line: Line) -> Iterator[Exchange]:
    with ringing(line) as exchange:
        yield exchange


@pytest.fixture
def gateway(exchange: Exchange) -> Iterator[SipGateway]:
    with SipGateway(exchange) as gateway:
        yield gateway
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("exchange-sip")]


@pytest.fixture
def telephone(gateway: SipGateway) -> Iterator[Telephone]:
    telephone = Telephone(gateway.port)
    yield telephone
    telephone.hang_on()


def over(exchange: Exchange) -> str:
    """Wait for the end of the only call. Gives who hung up."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for entry in (entry for call in exchange.calls for entry in call.conversation.entries):
            if entry.what == "hangs up":
                return entry.who
        time.sleep(0.01)
    pytest.fail(f"the call goes on: {exchange.calls}")


def test_a_call_is_taken_and_ended_by_the_line(line: Line, exchange: Exchange, telephone: Telephone) -> None:
    line.says("<Pause length='1'/>")
    began = time.monotonic()
    telephone.call()
    packets = [telephone.hears() for _ in range(50)]
    assert telephone.gets("BYE")
    assert time.monotonic() - began == pytest.approx(1, abs=0.4)
    assert (exchange.calls[0].from_number, exchange.calls[0].to_number) == ("+4520123456", "+4570123456")
    assert {packet[12:] for packet in packets} == {QUIET}
    stamps = [struct.unpack("!I", packet[4:8])[0] for packet in packets]
    assert {later - earlier for earlier, later in itertools.pairwise(stamps)} == {160}


def test_a_key_counts_once_and_sound_is_recorded(line: Line, exchange: Exchange, telephone: Telephone) -> None:
    line.says("<Gather finishOnKey='#' timeout='3' action='/record'/>")
    line["/end"] = twiml("<Hangup/>")
    line["/record"] = twiml("<Record playBeep='false' maxLength='2' action='/end'/>")
    telephone.call()
    telephone.press(5)
    telephone.press(11)
    for _ in range(50):
        telephone.hears()
        telephone.send(LOUD)
    assert over(exchange) == "line"
    assert exchange.calls[0].conversation.texts("presses") == ["5", "#"]
    assert line.requests("/record")[0].form["Digits"] == "5"
    [recording] = exchange.recordings
    assert sum(map(media.is_speech, media.frames(recording.pcm))) > 30


def test_no_packets_are_no_sound_rather_than_silence(line: Line, exchange: Exchange, telephone: Telephone) -> None:
    line["/end"] = twiml("<Hangup/>")
    line.says("<Record playBeep='false' timeout='1' maxLength='2' action='/end'/>")
    telephone.call()
    assert over(exchange) == "line"
    assert exchange.calls[0].conversation.texts("recorded") == ["2.0 s, silence only, ended by length"]


def test_the_caller_hangs_up(line: Line, exchange: Exchange, telephone: Telephone) -> None:
    line.says("<Pause length='60'/>")
    telephone.call()
    telephone.hears()
    telephone.ask("BYE", 2)
    assert telephone.gets("SIP/2.0 200")
    assert over(exchange) == "caller"


def test_the_caller_hangs_up_before_the_line_answers(line: Line, exchange: Exchange, telephone: Telephone) -> None:
    cancelled = threading.Event()

    def answer() -> str:
        cancelled.wait(60)
        return twiml("<Pause length='60'/>")

    line["/voice"] = answer
    telephone.ask("INVITE")
    telephone.gets("SIP/2.0 180")
    telephone.ask("CANCEL")
    assert telephone.gets("SIP/2.0 487")
    cancelled.set()
    assert over(exchange) == "caller"


@pytest.mark.parametrize(("reason", "status"), [("busy", "486 Busy Here"), ("rejected", "603 Decline")])
def test_a_line_that_rejects_is_told_apart(line: Line, telephone: Telephone, reason: str, status: str) -> None:
    line.says(f"<Reject reason='{reason}'/>")
    telephone.ask("INVITE")
    assert telephone.gets(f"SIP/2.0 {status}")


def test_a_telephone_without_the_codec_does_not_reach_the_line(exchange: Exchange, gateway: SipGateway) -> None:
    telephone = Telephone(gateway.port, ALAW)
    telephone.ask("INVITE")
    assert telephone.gets("SIP/2.0 488")
    telephone.hang_on()
    assert exchange.calls == []


def test_the_gateways_end_is_the_end_of_its_calls(line: Line, exchange: Exchange) -> None:
    line.says("<Pause length='60'/>")
    with SipGateway(exchange) as gateway:
        telephone = Telephone(gateway.port)
        telephone.call()
    assert telephone.gets("BYE")
    assert over(exchange) == "caller"
    telephone.hang_on()
