"""What tests share: where reference material lies, and how a line is put together around a temporary folder."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
TEST_PROMPTS = ROOT / "tests" / "prompts"

settings.register_profile("test", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("faults", max_examples=5000, stateful_step_count=100, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))


def must_run(reason: str) -> None:
    """Skip with the reason on a newcomer's machine; fail where everything has been installed."""
    if os.environ.get("CI"):
        pytest.fail(f"must run in CI: {reason}")
    pytest.skip(reason)
