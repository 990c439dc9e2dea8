"""The administrator's secret is found by the workgroup."""

from __future__ import annotations

from local.redshift.serverless import serverless_app
from tests.local.stand_ins import client, served


def test_the_namespace_names_the_secret_of_its_administrator() -> None:
    """As Redshift does where it manages the password."""
    with served(serverless_app()) as url:
        redshift = client("redshift-serverless", url)
        workgroup = redshift.get_workgroup(workgroupName="tidemark")["workgroup"]
        namespace = redshift.get_namespace(namespaceName=workgroup["namespaceName"])["namespace"]
    assert namespace["adminPasswordSecretArn"].startswith("arn:aws:secretsmanager:us-east-1:123456789012:secret:")
