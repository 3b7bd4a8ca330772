"""The life of a worker's key: made, retired, destroyed. Of each purpose one is current: the newest."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for column in (
        sa.Column("retired_at", sa.Float),
        sa.Column("destroyed_at", sa.Float),
        sa.Column("private_sealed", sa.LargeBinary),
    ):
        op.add_column("worker_keys", column)
    _retire_all_but_the_newest()
    current = sa.text("retired_at IS NULL")
    op.create_index("ix_worker_keys_current", "worker_keys", ["purpose"], unique=True, sqlite_where=current, postgresql_where=current)


def _retire_all_but_the_newest() -> None:
    """Each when the next one was made, as web processes always sealed to the newest."""
    keys = sa.table("worker_keys", *(sa.column(name) for name in ("public_key", "created_at", "purpose", "retired_at")))
    connection = op.get_bind()
    newer: dict[str, float] = {}
    for key in list(connection.execute(sa.select(keys).order_by(keys.c.created_at.desc(), keys.c.public_key))):
        if key.purpose in newer:
            connection.execute(sa.update(keys).where(keys.c.public_key == key.public_key).values(retired_at=newer[key.purpose]))
        newer[key.purpose] = key.created_at
