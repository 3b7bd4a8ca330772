"""The call as pure data: events in, turns out. No network, clock, randomness, Flask or SQL."""
