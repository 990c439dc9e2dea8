"""The statements of the AWS managed policies that SAM attaches to roles (docs/aws-facts.md#permissions)."""

from __future__ import annotations

from typing import Any, Final

from local.iam.policy import PolicyError

PREFIX: Final = "arn:aws:iam::aws:policy/service-role/"
_LOGS: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
ACTIONS: Final = {
    "AWSLambdaBasicExecutionRole": _LOGS,
    "AWSLambdaVPCAccessExecutionRole": (
        *_LOGS,
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ),
    "AWSLambdaSQSQueueExecutionRole": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS),
    "AWSLambdaDynamoDBExecutionRole": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        *_LOGS,
    ),
}


def document(arn: str) -> dict[str, Any]:
    """The policy document of an AWS managed policy; PolicyError for one whose text is not known here."""
    name = arn.removeprefix(PREFIX)
    if name not in ACTIONS:
        raise PolicyError(f"the text of the managed policy {arn} is not known to the laptop cloud")
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*ACTIONS[name]], "Resource": "*"}]}
