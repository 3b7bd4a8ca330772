"""The line: calls, preparations, utterances, sounds of prompts, keys of workers, jobs that failed for good."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "worker_keys",
        sa.Column("public_key", sa.LargeBinary, primary_key=True),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "preparations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("guide", sa.String(40), nullable=False),
        sa.Column("language", sa.String(10), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("late_of", sa.String(32), index=True),
        sa.Column("consent_at", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("closed_at", sa.Float),
        sa.Column("sent_at", sa.Float),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("worker_key", sa.LargeBinary, nullable=False),
        sa.Column("private_key_sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "calls",
        sa.Column("call_sid", sa.String(34), primary_key=True),
        sa.Column("preparation", sa.String(32), sa.ForeignKey("preparations.id"), index=True),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("heard_at", sa.Float, nullable=False),
        sa.Column("consent_at", sa.Float),
        sa.Column("ended_at", sa.Float),
    )
    op.create_table(
        "utterances",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("preparation", sa.String(32), sa.ForeignKey("preparations.id"), nullable=False, index=True),
        sa.Column("call_sid", sa.String(34), sa.ForeignKey("calls.call_sid"), nullable=False),
        sa.Column("question", sa.String(40), nullable=False),
        sa.Column("take", sa.Integer, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("erased", sa.Boolean, nullable=False),
        sa.Column("sound_sealed", sa.LargeBinary),
        sa.Column("words_sealed", sa.LargeBinary),
    )
    op.create_table(
        "sounds",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("wav", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "dead_jobs",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("died_at", sa.Float, nullable=False),
    )
