"""``samtaleklar demo``: the whole product on this machine, with a telephone and a mailbox in the browser.

::

    running      starts and ends everything
    pages        the pages, and the connection between a page and the telephone
      telephone    places the calls, speaks what is typed
      progress     how far the answers of a call have come
      mails        the mailbox
    typed        hands typed answers to the worker, as no recogniser understands the offline voice
    worker       the worker that takes them; ``serve`` and ``work`` know nothing of it
"""
