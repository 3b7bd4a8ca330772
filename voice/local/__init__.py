"""A whole line on this machine, with stand-ins for what lies outside: a telephone exchange and a mailbox."""
