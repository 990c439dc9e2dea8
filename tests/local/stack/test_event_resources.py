"""Rules, schedules and event sources."""

from __future__ import annotations

from local.account import REGION
from local.cloud import Cloud


def test_wiring_becomes_values(cloud: Cloud) -> None:
    """Event sources, rules, schedules, retries and destinations are the template's."""
    deployment = cloud.deployment
    by_id = {source.logical_id: source for source in deployment.event_sources}
    landed, planned = by_id["CollectLanded"], by_id["FollowPlanned"]
    assert (landed.kind, landed.function, landed.batch_size, landed.window_seconds) == ("sqs", "Collect", 100, 1)
    assert (planned.kind, planned.retries, planned.bisect, len(planned.patterns)) == ("dynamodb", 1, True, 1)
    assert {rule.logical_id: rule.enabled for rule in deployment.rules} == {
        "LandedRule": True,
        "SleepingRule": False,
        "WorkDue": True,
    }
    assert [(s.logical_id, s.expression) for s in deployment.schedules] == [("WorkEvery", "rate(5 minutes)")]
    work = deployment.function("Work")
    assert (work.retries, work.on_failure) == (1, f"arn:aws:sqs:{REGION}:123456789012:tidemark-DeadLetters")
    assert deployment.event_buckets == {"tidemark-rawbucket", "tidemark-plainbucket"}
