"""Which account, region and stack the laptop cloud plays."""

from __future__ import annotations

ACCOUNT = "123456789012"


REGION = "us-east-1"


STACK = "tidemark"


class TemplateError(Exception):
    """The template says something that the laptop cloud does not play; names the resource and the property."""
