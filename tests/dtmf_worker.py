"""The product's worker with a recogniser that hears telephone keys: ``python -m tests.dtmf_worker [hasty [GONE]]``."""

import logging
import signal
import sys

from tests.dtmf_transcriber import DtmfTranscriber
from tests.hasty import hurry
from voice.app import create_worker


def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    if "hasty" in sys.argv[1:]:
        hurry(*map(float, sys.argv[2:]))
    worker = create_worker(transcriber=DtmfTranscriber())
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    main()
