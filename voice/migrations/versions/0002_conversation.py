"""The conversation: whose call it is, what it may go on with, and whether the line is open."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("calls", sa.Column("unfinished", sa.String(32)))
    op.add_column("calls", sa.Column("caller", sa.String(64)))
    op.create_index("ix_calls_caller", "calls", ["caller"])
    op.add_column("preparations", sa.Column("opened_by", sa.String(34)))
    op.create_index("ix_preparations_opened_by", "preparations", ["opened_by"])
    op.create_table("line", sa.Column("id", sa.Integer, primary_key=True), sa.Column("closed", sa.String(200)))
