"""A telephone exchange on this machine that obeys TwiML as Twilio does.

An app of its own: it reaches the line by signed webhooks alone, as Twilio would, and the line reaches it by Twilio's REST API.
Time is counted in frames of sound. A handset in real time makes the call last as long as it lasts; a scripted one does not, so
that a call of five minutes takes a second. Twilio's own words are used throughout.

::

    exchange     one account with one line
      call         fetches TwiML and carries it out      <- web (signed requests), twiml (documents), callbacks (status callbacks)
        listening    how Gather and Record listen        <- wire (frames, clock), media (sound), handset (what a telephone must do)
      rest         recordings and messages over HTTP     <- recordings (what is kept)
    scripted     a handset whose caller follows a script
    browser      a handset on a web page                <- pace (real time)
    sip          handsets of softphones, over SIP and RTP; needs aiosipua, so it is imported only where it is used
    conditions   everything that Twilio may do and seldom does
"""

from voice.exchange.conditions import Conditions
from voice.exchange.conversation import Conversation, Entry
from voice.exchange.errors import CallError, FetchError, ScriptError, TwimlError
from voice.exchange.exchange import Exchange
from voice.exchange.handset import Handset, Heard
from voice.exchange.record import CallRecord
from voice.exchange.script import Script
from voice.exchange.scripted import ScriptedHandset

__all__ = [
    "CallError",
    "CallRecord",
    "Conditions",
    "Conversation",
    "Entry",
    "Exchange",
    "FetchError",
    "Handset",
    "Heard",
    "Script",
    "ScriptError",
    "ScriptedHandset",
    "TwimlError",
]
