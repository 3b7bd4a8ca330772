"""The line under fault: one room for each row of the table that ``make faults-full`` prints.

``callers`` invents calls whose every answer carries a mark of its own, ``lines`` runs a line whose processes die and come again,
``world`` says what must hold afterwards, ``report`` keeps what was tried. Rows of whole processes end in ``check_world``; those in which a
test holds the clock (``desk``) read the mails themselves.
"""
