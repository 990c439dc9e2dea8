"""Topics and alarms."""

from __future__ import annotations

from local.cloud import Cloud


def test_a_resource_whose_condition_does_not_hold_is_not_created(cloud: Cloud) -> None:
    """Without an email address there is no subscription."""
    assert "Mail" not in cloud.deployment.resources
    assert cloud.client("sns").list_subscriptions()["Subscriptions"] == []
