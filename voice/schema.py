"""The tables. Everything that was said stands in ``*_sealed`` columns; the history of the schema in ``migrations/``."""

import sqlalchemy as sa

metadata = sa.MetaData()

worker_keys = sa.Table(
    "worker_keys",
    metadata,
    sa.Column("public_key", sa.LargeBinary, primary_key=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("purpose", sa.String(20), nullable=False, server_default="answers"),  # or bindings
    sa.Column("retired_at", sa.Float),  # nothing is sealed to it from then on
    sa.Column("destroyed_at", sa.Float),
    sa.Column("private_sealed", sa.LargeBinary),  # with KEYS_SECRET; else it is a file
)
_current = worker_keys.c.retired_at.is_(None)
sa.Index("ix_worker_keys_current", worker_keys.c.purpose, unique=True, sqlite_where=_current, postgresql_where=_current)
preparations = sa.Table(
    "preparations",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("guide", sa.String(40), nullable=False),
    sa.Column("language", sa.String(10), nullable=False),
    sa.Column("opened_by", sa.String(34), index=True),  # the call that it began in
    # open -> closed (no call will add to it) -> sending (nothing more goes in) -> sent | undeliverable;
    # closed -> waiting (for an address) -> closed | expired; or empty: nothing was said; or deleted
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("late_of", sa.String(32), index=True),  # holds what came after that preparation was sent
    sa.Column("consent_at", sa.Float, nullable=False),
    sa.Column("consent_version", sa.String(16)),  # of the words that the caller said yes to
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("closed_at", sa.Float),
    sa.Column("sent_at", sa.Float),
    sa.Column("waiting_since", sa.Float),  # for an address
    sa.Column("binding", sa.String(32)),  # the address that it goes to
    sa.Column("caller", sa.String(64)),  # keyed hash of the number that an address may be bound to
    sa.Column("number_sealed", sa.LargeBinary),  # the number that texts about it go to
    sa.Column("text", sa.String(10)),  # what became of the text with its link: sent or failed
    sa.Column("page_hash", sa.String(64), unique=True, index=True),  # of its page's token
    sa.Column("mails", sa.Integer, nullable=False, server_default="0"),  # mails that were asked for beyond the first
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("worker_key", sa.LargeBinary, nullable=False),
    sa.Column("private_key_sealed", sa.LargeBinary, nullable=False),
)
calls = sa.Table(
    "calls",
    metadata,
    sa.Column("call_sid", sa.String(34), primary_key=True),
    sa.Column("preparation", sa.String(32), sa.ForeignKey("preparations.id"), index=True),
    sa.Column("unfinished", sa.String(32)),  # a preparation that the caller was offered to go on with
    sa.Column("caller", sa.String(64), index=True),  # keyed hash of the number; none if it is withheld
    sa.Column("session", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),  # the last TwiML: said again when a webhook comes again
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("heard_at", sa.Float, nullable=False),  # of the last webhook
    sa.Column("consent_at", sa.Float),
    sa.Column("ended_at", sa.Float),
    sa.Column("erased_at", sa.Float),  # when the provider deleted its record of it
)
utterances = sa.Table(
    "utterances",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # the RecordingSid, or CallSid:turn for a key
    sa.Column("preparation", sa.String(32), sa.ForeignKey("preparations.id"), nullable=False, index=True),
    sa.Column("call_sid", sa.String(34), sa.ForeignKey("calls.call_sid"), nullable=False),
    sa.Column("question", sa.String(40), nullable=False),
    sa.Column("take", sa.Integer, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    # expected -> fetched -> heard | silent; or failed; keyed for a yes/no answer
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("erased", sa.Boolean, nullable=False),  # at the provider
    sa.Column("sound_sealed", sa.LargeBinary),
    sa.Column("words_sealed", sa.LargeBinary),
)
bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("caller", sa.String(64), nullable=False, index=True),  # keyed hash of the number
    # staff: imported; pending: written on the page; confirmed: by the button in the mail; refused: no mail gets there
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("sealed_to", sa.LargeBinary, nullable=False),
    sa.Column("entry_sealed", sa.LargeBinary, nullable=False),  # address, and for staff number and name
    sa.Column("hint_sealed", sa.LargeBinary, nullable=False),  # domain and language, which the call may know
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float),
    sa.Column("preparation", sa.String(32), index=True),  # on whose page it was written
    sa.Column("token_hash", sa.String(64), unique=True, index=True),  # of the button in the mail, until it is pressed
)
texts = sa.Table(
    "texts",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("caller", sa.String(64), nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("failed", sa.String(40)),  # why it cannot be sent
)
sounds = sa.Table(
    "sounds",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("wav", sa.LargeBinary, nullable=False),
)
dead_jobs = sa.Table(
    "dead_jobs",
    metadata,
    sa.Column("id", sa.String(160), primary_key=True),
    sa.Column("name", sa.String(40), nullable=False),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.Column("died_at", sa.Float, nullable=False),
)
regulars = sa.Table(  # a row for each thing that workers do regularly
    "regulars",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("every", sa.Float, nullable=False),  # seconds
    sa.Column("known_at", sa.Float, nullable=False),  # since when it is to be done
    sa.Column("done_at", sa.Float),  # when it was last begun and then came to its end
    sa.Column("worker", sa.String(40)),  # who is at it
)

counts = sa.Table(  # what is left of calls and preparations after a month: numbers, and of nobody
    "counts",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),  # YYYY-MM-DD in UTC; YYYY-MM of what could tell of one person in a day
    sa.Column("what", sa.String(60), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
)
line = sa.Table(
    "line",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),  # one row
    sa.Column("closed", sa.String(200)),  # why, for the operator; callers hear a phrase
)
