"""IAM policies as values, and the decision about one request.

Only what Tidemark's policies use is supported: Allow and Deny, lists of actions and resources with wildcards, policy
variables, and a few condition operators. Anything else is a PolicyError when the policy is read, so that nothing
unknown can allow a call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

VERSION: Final = "2012-10-17"
ELEMENTS: Final = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})
#: The condition keys for which the laptop cloud provides values, in lower case, as IAM ignores their case.
KEYS: Final = frozenset(
    {
        "aws:userid",
        "events:source",
        "iam:passedtoservice",
        "redshift-data:statement-owner-iam-userid",
    }
)
LITERALS: Final = ("*", "?", "$")  #: `${*}` is the character itself
_TOKEN: Final = re.compile(r"\$\{(?P<name>[^}]*)\}|(?P<wild>[*?])|(?P<text>[^$*?]+|\$)")


class PolicyError(ValueError):
    """A policy contains something that the evaluator does not know, or does not know for certain."""


@dataclass(frozen=True)
class Request:
    """One permission that a call needs; the keys of `context` are in lower case."""

    action: str  #: e.g. s3:GetObject
    resource: str  #: an ARN, or * for actions without resources
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    operator: str
    key: str  #: in lower case
    values: tuple[str, ...]

    def holds(self, context: Mapping[str, str]) -> bool:
        """Whether one of the values matches; a key without a value matches nothing."""
        actual = context.get(self.key)
        return actual is not None and any(OPERATORS[self.operator](value, actual, context) for value in self.values)


@dataclass(frozen=True)
class Statement:
    allows: bool  #: false for Deny
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    source: str = ""  #: logical id of the role or managed policy that has it

    def matching(self, request: Request) -> str | None:
        """The resource pattern by which the statement applies to the request; None if it does not apply."""
        if not any(matches(action.lower(), request.action.lower(), {}) for action in self.actions):
            return None
        if not all(condition.holds(request.context) for condition in self.conditions):
            return None
        return next((one for one in self.resources if matches(one, request.resource, request.context)), None)


@dataclass(frozen=True)
class Decision:
    allowed: bool
    source: str = ""  #: the role or managed policy that allowed the request
    pattern: str = ""  #: its resource pattern
    reason: str = ""  #: why it is refused, in AWS's words


def decide(statements: Sequence[Statement], request: Request, kind: str = "identity-based") -> Decision:
    """AWS's order: an explicit Deny wins, then any Allow, and without either the request is refused."""
    found = [(one, pattern) for one in statements if (pattern := one.matching(request)) is not None]
    if not all(statement.allows for statement, _ in found):
        return Decision(False, reason=f"with an explicit deny in {_article(kind)} policy")
    if not found:
        return Decision(False, reason=f"because no {kind} policy allows the {request.action} action")
    statement, pattern = found[0]
    return Decision(True, statement.source, pattern)


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


# ---- reading


def parse(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The statements of a policy document; PolicyError for any element, operator or key that is not supported."""
    unknown = set(document) - {"Version", "Id", "Statement"}
    if unknown:
        raise PolicyError(f"policy element {min(unknown)} is not supported")
    return tuple(_statement(one, document.get("Version", "")) for one in listed(document["Statement"]))


def _statement(raw: Mapping[str, Any], version: str) -> Statement:
    unknown, missing = set(raw) - ELEMENTS, {"Effect", "Action", "Resource"} - set(raw)
    if unknown or missing:
        raise PolicyError(f"statement element {min(unknown or missing)} is {'not supported' if unknown else 'missing'}")
    if raw["Effect"] not in ("Allow", "Deny"):
        raise PolicyError(f"Effect is Allow or Deny, found {raw['Effect']}")
    statement = Statement(
        allows=raw["Effect"] == "Allow",
        actions=tuple(map(str, listed(raw["Action"]))),
        resources=tuple(map(str, listed(raw["Resource"]))),
        conditions=tuple(_conditions(raw.get("Condition", {}))),
    )
    _check_variables(statement, version)
    return statement


def _conditions(raw: Mapping[str, Mapping[str, Any]]) -> Iterable[Condition]:
    for operator, pairs in raw.items():
        if operator not in OPERATORS:
            raise PolicyError(f"condition operator {operator} is not supported")
        for key, values in pairs.items():
            if key.lower() not in KEYS:
                raise PolicyError(f"condition key {key} is not supported")
            yield Condition(operator, key.lower(), tuple(map(str, listed(values))))


def _check_variables(statement: Statement, version: str) -> None:
    """Without the version of 2012, IAM takes `${…}` literally: certainly not what its author wanted."""
    texts = (*statement.resources, *(value for one in statement.conditions for value in one.values))
    names = {match["name"] for text in texts for match in _TOKEN.finditer(text) if match["name"] is not None}
    if names and version != VERSION:
        raise PolicyError(f"policy variable ${{{min(names)}}} needs Version {VERSION}")
    unknown = {name for name in names if name not in LITERALS and name.lower() not in KEYS}
    if unknown:
        raise PolicyError(f"policy variable ${{{min(unknown)}}} is not supported")


def listed(value: Any) -> list[Any]:
    """A policy may write a list of one as its only element."""
    return value if isinstance(value, list) else [value]


# ---- matching


def matches(pattern: str, text: str, context: Mapping[str, str]) -> bool:
    """Whether the whole text matches; `*` is any text and `?` any character. Variables are filled from `context`.

    A variable without a value matches nothing.
    """
    if "${" not in pattern:
        return _compiled(pattern).fullmatch(text) is not None
    parts = [_part(match, context) for match in _TOKEN.finditer(pattern)]
    return None not in parts and re.fullmatch("".join(map(str, parts)), text, re.DOTALL) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(str(_part(match, {})) for match in _TOKEN.finditer(pattern)), re.DOTALL)


def _part(match: re.Match[str], context: Mapping[str, str]) -> str | None:
    """The regular expression of a token; None for a variable without a value."""
    if match["wild"]:
        return {"*": ".*", "?": "."}[match["wild"]]
    value = match["text"] if match["name"] is None else _value(match["name"], context)
    return None if value is None else re.escape(value)


def _value(name: str, context: Mapping[str, str]) -> str | None:
    return name if name in LITERALS else context.get(name.lower())


def _equal(pattern: str, text: str, context: Mapping[str, str]) -> bool:
    tokens = _TOKEN.finditer(pattern)
    values = [match[0] if match["name"] is None else _value(match["name"], context) for match in tokens]
    return None not in values and "".join(map(str, values)) == text


OPERATORS: Final[Mapping[str, Callable[[str, str, Mapping[str, str]], bool]]] = {
    "StringEquals": _equal,
    "StringLike": matches,
}
