"""The process in which recordings are listened to: see ``apart``. It confines itself before it loads anything that starts threads."""

import ctypes
import importlib
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

from voice.errors import SpeechError
from voice.speech import Transcriber

LONGEST = 64_000_000  # bytes of a message: more than the longest recording decodes to
_LENGTHS = struct.Struct(">II")  # of the JSON and of the bytes that follow it
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


def write(pipe: IO[bytes], message: Mapping[str, Any], body: bytes = b"") -> None:
    """One message: a table and the bytes that follow it."""
    head = json.dumps(message).encode()
    pipe.write(_LENGTHS.pack(len(head), len(body)) + head + body)
    pipe.flush()


def read(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """One message: a table and the bytes that follow it. Raises EOFError at the end, ValueError when it is no message."""
    lengths = pipe.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        raise EOFError
    head_length, body_length = _LENGTHS.unpack(lengths)
    if max(head_length, body_length) > LONGEST:
        raise ValueError("the message is too long")
    head, body = pipe.read(head_length), pipe.read(body_length)
    if len(head) < head_length or len(body) < body_length:
        raise EOFError
    message = json.loads(head)
    if not isinstance(message, dict):
        raise ValueError("the message is no table")
    return message, body


def _confine(memory: int) -> None:
    """Give up what listening to a recording does not need. Only a process with one thread may leave the network."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump of memory would hold what was said
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:  # not every system lets a user do so
            libc.unshare(_CLONE_NEWNET)


def _serve(questions: IO[bytes], replies: IO[bytes]) -> None:
    start, _ = read(questions)
    _confine(start["memory"])
    import numpy as np

    from voice.speech.audio import decode

    module, _, name = start["recogniser"].partition(":")
    recogniser: Transcriber | None = None
    while True:
        try:
            question, sound = read(questions)
        except EOFError:
            return
        signal.alarm(int(question["seconds"]) + 10)  # if nobody is left to end us
        reply: dict[str, Any] = {}
        body = b""
        try:
            if question["do"] == "decode":
                samples = decode(sound, question["rate"])
                body = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
            else:
                recogniser = recogniser or getattr(importlib.import_module(module), name)(**start["settings"])
                reply = asdict(recogniser.transcribe(sound, question["language"]))
        except SpeechError as error:
            reply = {"error": str(error), "permanent": error.permanent}
        except MemoryError:
            return
        except Exception as error:
            reply = {"error": f"The recogniser failed: {type(error).__name__}."}
        signal.alarm(0)
        write(replies, reply, body)


if __name__ == "__main__":
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not pass for a reply
    _serve(sys.stdin.buffer, output)
