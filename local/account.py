"""The account, region and stack name that the laptop cloud uses."""

from __future__ import annotations

ACCOUNT = "123456789012"
REGION = "us-east-1"
STACK = "tidemark"


class TemplateError(Exception):
    """The template uses something that the laptop cloud does not support; names the resource and the property."""
