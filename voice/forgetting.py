"""``samtaleklar forget NUMBER``: all that is bound to a number, was said from it, or tells that it called."""

import time

from voice import bindings, gone, store
from voice.calls import GONE
from voice.config import Config
from voice.directory import caller_keys
from voice.errors import VoiceError
from voice.preparations import Preparations
from voice.queue import Queue
from voice.staff import database, read_number

KINDS = ("staff", "shared", "pending", "confirmed", "refused")
BEYOND_RECOVERY = 8  # days: then the key of the day is dead, without which a backup tells nothing of what was said
LIVE = "A call from it goes on now and was left alone: do this again when it is over."


def forget(config: Config, number: str) -> None:
    """Prints what was found, in the same words if it was nothing. Raises VoiceError if it is no number."""
    e164 = read_number(number, [])
    if e164 is None:
        raise VoiceError(f"{number!r} is no telephone number: write it such as +4520123456.")
    keys, now = caller_keys(e164, config.secrets), time.time()
    with database(config) as engine:
        queue = Queue(engine)
        preparations = Preparations(queue)
        with store.writing(engine) as tx:
            calls = gone.locked_calls_of(tx, keys)
            live = [call for call in calls if call.ended_at is None and call.heard_at > now - GONE]
            over = [call for call in calls if call not in live]
            going_on = {one for call in live for one in store.preparations_of(tx, call.call_sid)}
            theirs = [one for one in gone.preparations_of(tx, keys, [call.call_sid for call in over]) if one not in going_on]
            for one in theirs:
                preparations.forget(tx, one)
            for call in over:
                store.save_call(tx, call.call_sid, caller=None, unfinished=None)
                if call.erased_at is None:
                    queue.enqueue(tx, "erase_call", call.call_sid)
            addresses = bindings.forget(tx, keys, KINDS)
            texts = gone.forget_texts(tx, keys)
        gone.leave_no_traces(engine)
    found = f"{len(theirs)} preparations, {len(over)} calls, {addresses} addresses, {texts} texts"
    print(
        f"Gone from here: {found}; what was said is beyond recovery, also from backups, in {BEYOND_RECOVERY} days at the latest, "
        "an address in a backup once the addresses have a new key."
    )
    if live:
        print(LIVE)
