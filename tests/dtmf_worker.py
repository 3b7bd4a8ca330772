"""The product's worker with a recogniser that hears telephone keys: ``python -m tests.dtmf_worker [hasty [GONE]]``."""

import logging
import signal
import sys
from dataclasses import replace

from tests.dtmf_transcriber import DtmfTranscriber
from tests.hasty import hurry
from voice.app import create_worker
from voice.config import Config


def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    if "hasty" in sys.argv[1:]:
        hurry(*map(float, sys.argv[2:]))
    alone = replace(Config.from_env(), attach_pdf=False, attach_sound=False)  # hundreds of mails, of which the words are read
    worker = create_worker(alone, DtmfTranscriber())
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
