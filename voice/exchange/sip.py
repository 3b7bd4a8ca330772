"""A handset at the other end of a SIP call: in real time, sound by RTP in G.711, keys by RFC 4733.

Any softphone on this machine can ring the line through the gateway. The network lives on an event loop in a thread of its own;
each call has its own thread too, as all calls of the exchange have, and hands over to the loop whatever it sends.
"""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Coroutine
from typing import Self, TypeVar

from aiosipua import CallSession, IncomingCall, SdpMessage, SdpNegotiationError, SipRequest, SipResponse, SipTransport, SipUAS, parse_uri

from voice.exchange.conversation import Entry
from voice.exchange.exchange import Exchange
from voice.exchange.handset import Heard
from voice.exchange.media import FRAMES_PER_SECOND, RATE
from voice.exchange.pace import Microphone, Pace

HOST = "127.0.0.1"
CODECS = [0]  # µ-law, Twilio's own. aiortp 0.8 turns A-law's samples upside down.
BUSY, DECLINED, NOT_ACCEPTABLE = 486, 603, 488  # SIP's ways of not taking a call

_T = TypeVar("_T")


class _Network:
    """The event loop, for threads that wait for what they ask of it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="exchange-sip", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, coroutine: Coroutine[object, object, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()


class _Udp(SipTransport, asyncio.DatagramProtocol):
    """aiosipua's own stumbles over Python 3.11, and does not tell which port the system has chosen."""

    async def start(self) -> None:
        self._socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, self.local_addr)
        self.local_addr = self._socket.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._dispatch(data, addr)

    def send(self, message: SipRequest | SipResponse, addr: tuple[str, int]) -> None:
        self._socket.sendto(bytes(message), addr)

    async def stop(self) -> None:
        self._socket.close()


class SipHandset:
    """A Handset for one SIP call. Takes it when the line answers. Raises SdpNegotiationError if the two have no codec in common."""

    def __init__(self, call: IncomingCall, network: _Network) -> None:
        self.from_number = parse_uri(call.caller).user or ""
        self.to_number = parse_uri(call.callee).user or ""
        self._call = call
        self._network = network
        self._pace = Pace()
        self._microphone = Microphone()
        self._keys: deque[str] = deque()
        self._sent = 0  # samples
        self._hung_up = False
        self._sound = CallSession(HOST, _free_port(), call.sdp_offer or SdpMessage(), supported_codecs=CODECS, jitter_prefetch=0)
        self._sound.on_audio = lambda pcm, _timestamp: self._microphone.hear(pcm)
        self._sound.on_dtmf = lambda key, _duration: self._keys.append(key)

    # --- the call's thread ---

    def notice(self, entry: Entry) -> None:
        if entry.what == "answers":
            self._network.run(self._answer())
        elif entry.what == "rejects":
            self._network.run(self._reject(BUSY if entry.text == "busy" else DECLINED))

    def swap(self, frame: bytes) -> Heard:
        self._pace.wait()
        self._network.loop.call_soon_threadsafe(self._sound.send_audio_pcm, frame, self._sent)
        self._sent += RATE // FRAMES_PER_SECOND
        return Heard(self._microphone.frame(), self._keys.popleft() if self._keys else None, hung_up=self._hung_up)

    def put_down(self) -> None:
        """The line has hung up, or knows that the caller has."""
        self._network.run(self._put_down())

    # --- the loop's thread ---

    def hang_up(self) -> None:
        """The caller has hung up, or is made to."""
        self._hung_up = True

    async def _answer(self) -> None:
        if not self._hung_up:
            await self._sound.start()
            self._call.accept(self._sound.sdp_answer)

    async def _reject(self, status: int) -> None:
        if not self._hung_up:
            self._call.reject(status)

    async def _put_down(self) -> None:
        self._call.hangup()
        await self._sound.close()


class SipGateway:
    """Takes calls to ``sip:NUMBER@127.0.0.1:PORT`` and rings the line for each. The caller's number is the user in From."""

    def __init__(self, exchange: Exchange, port: int = 0) -> None:
        self._exchange = exchange
        self._network = _Network()
        self._calls: dict[str, tuple[SipHandset, threading.Thread]] = {}  # under way, by SIP's Call-ID
        self._udp = _Udp((HOST, port))
        self._uas = SipUAS(self._udp)
        self._uas.on_invite = self._invited
        self._uas.on_bye = lambda call, _request: self._hung_up(call.call_id)
        self._uas.on_cancel = lambda request, _address: self._hung_up(request.call_id or "")

    @property
    def port(self) -> int:
        return self._udp.local_addr[1]

    def start(self) -> Self:
        self._network.start()
        self._network.run(self._uas.start())
        return self

    def stop(self) -> None:
        """Hang up on everybody."""
        for handset, thread in list(self._calls.values()):
            handset.hang_up()
            thread.join()
        self._network.run(self._uas.stop())
        self._network.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _invited(self, call: IncomingCall) -> None:
        try:
            handset = SipHandset(call, self._network)
        except SdpNegotiationError:
            call.reject(NOT_ACCEPTABLE)
            return
        call.ringing()
        thread = threading.Thread(target=self._talk, args=(call.call_id, handset), name="exchange-sip-call", daemon=True)
        self._calls[call.call_id] = handset, thread
        thread.start()

    def _hung_up(self, call_id: str) -> None:
        if under_way := self._calls.get(call_id):
            under_way[0].hang_up()

    def _talk(self, call_id: str, handset: SipHandset) -> None:
        try:
            self._exchange.call(handset, handset.from_number, handset.to_number)
        finally:
            handset.put_down()
            del self._calls[call_id]


def _free_port() -> int:
    """A UDP port that is free just now, for RTP, whose next one is free too, for RTCP."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as rtp, socket.socket(type=socket.SOCK_DGRAM) as rtcp:
            rtp.bind((HOST, 0))
            port: int = rtp.getsockname()[1]
            try:
                rtcp.bind((HOST, port + 1))
            except OSError:
                continue
            return port
