"""What is done regularly: when it was last done, and who is at it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "regulars",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("every", sa.Float, nullable=False),
        sa.Column("known_at", sa.Float, nullable=False),
        sa.Column("done_at", sa.Float),
        sa.Column("worker", sa.String(40)),
    )
