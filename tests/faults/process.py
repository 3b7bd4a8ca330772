"""The product's processes, hasty and with the recogniser of the tests, and with the faults that FAULTS names.

FAULTS holds ``module:function`` with blanks between; each is called before the product is put together. The product knows nothing of it.
"""

import os
from importlib import import_module
from pathlib import Path

from flask import Flask

from tests import dtmf_worker, hasty
from voice import queue


def prepare(role: str) -> None:
    os.environ["FAULTS_ROLE"] = role
    for name in os.environ.get("FAULTS", "").split():
        module, _, function = name.partition(":")
        getattr(import_module(module), function)()


def create_app() -> Flask:
    prepare("web")
    app = hasty.create_app()
    told().touch()
    return app


def told() -> Path:
    """A file that tells that this process works; it is named by its group."""
    return Path(os.environ["DATA_DIR"]) / f"ready-{os.getpgid(0)}"


def tell_when_ready() -> None:
    """When the engine runs."""
    sweep = queue.Worker._sweep

    def sweeping(self: queue.Worker, dbos: object) -> None:
        told().touch()
        sweep(self, dbos)  # type: ignore[arg-type]

    queue.Worker._sweep = sweeping  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    prepare("worker")
    tell_when_ready()
    dtmf_worker.main()
