"""boto3 clients, as every adapter wants them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidemark.adapters import aws


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T07:25:00Z", "2026-11-21T07:25:00.000Z", "Sat, 21 Nov 2026 07:25:00 GMT", 1795245900, "1795245900"],
)
def test_a_moment_is_read_in_every_form_that_aws_writes(text: object) -> None:
    """ISO, the form of a header, and seconds since 1970: all of one moment, with its zone."""
    assert aws._moment(text) == datetime(2026, 11, 21, 7, 25, tzinfo=UTC)


def test_a_client_retries_and_gives_up_in_time() -> None:
    """A function must not spend its own time limit waiting for one connection."""
    config = aws.client("s3").meta.config
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == ("standard", 1 + 6)
    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert aws.client("s3") is not aws.client("s3")
