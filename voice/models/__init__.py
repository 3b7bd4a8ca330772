"""Which recogniser: those worth having, and how an operator gets one, turns it into what runs here, and tries it."""
