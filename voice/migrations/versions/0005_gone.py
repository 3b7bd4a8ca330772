"""What goes when it is done: the words of a consent, what became of the provider's record of a call, and the counts that stay."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("preparations", sa.Column("consent_version", sa.String(16)))
    op.add_column("calls", sa.Column("erased_at", sa.Float))
    op.create_table(
        "counts",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("what", sa.String(60), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
