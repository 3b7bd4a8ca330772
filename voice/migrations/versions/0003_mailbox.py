"""Whose mailbox: numbers bound to addresses, what waits for an address, and the texts that ask for one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("worker_keys", sa.Column("purpose", sa.String(20), nullable=False, server_default="answers"))
    for column in (
        sa.Column("waiting_since", sa.Float),
        sa.Column("binding", sa.String(32)),
        sa.Column("caller", sa.String(64)),
        sa.Column("number_sealed", sa.LargeBinary),
        sa.Column("text", sa.String(10)),
        sa.Column("page_hash", sa.String(64)),
        sa.Column("mails", sa.Integer, nullable=False, server_default="0"),
    ):  # one by one: making the table anew, as a batch does on SQLite, would break what refers to it
        op.add_column("preparations", column)
    op.create_index("ix_preparations_page_hash", "preparations", ["page_hash"], unique=True)
    op.create_table(
        "bindings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("caller", sa.String(64), nullable=False, index=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("sealed_to", sa.LargeBinary, nullable=False),
        sa.Column("entry_sealed", sa.LargeBinary, nullable=False),
        sa.Column("hint_sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("preparation", sa.String(32), index=True),
        sa.Column("token_hash", sa.String(64), unique=True, index=True),
    )
    op.create_table(
        "texts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("caller", sa.String(64), nullable=False, index=True),
        sa.Column("at", sa.Float, nullable=False, index=True),
        sa.Column("failed", sa.String(40)),
    )
