"""The product's processes, hasty and with the recogniser of the tests, and with the faults that FAULTS names.

FAULTS holds ``module:function`` with blanks between; each is called before the product is put together. The product knows nothing of it.
"""

import os
from importlib import import_module

from flask import Flask

from tests import dtmf_worker, hasty


def prepare() -> None:
    for name in os.environ.get("FAULTS", "").split():
        module, _, function = name.partition(":")
        getattr(import_module(module), function)()


def create_app() -> Flask:
    prepare()
    return hasty.create_app()


if __name__ == "__main__":
    prepare()
    dtmf_worker.main()
