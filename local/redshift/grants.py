"""Users of the local warehouse, and which of them may create schemas. All other rights are taken as granted.

As in Redshift (docs/aws-facts.md#database-users-of-roles), a role connects as the user `IAMR:<role>`, which its first
connection creates, and a new user may create no schema. The laptop's own user is an administrator.
"""

import re
from dataclasses import dataclass
from typing import Final

from local.redshift.tables import SqlError

ADMIN: Final = "admin"
NAME: Final = r"""["']?(?P<user>[\w:+=,.@-]+)["']?"""


@dataclass(frozen=True)
class CreateUser:
    user: str


@dataclass(frozen=True)
class GrantCreate:
    database: str
    user: str


@dataclass(frozen=True)
class ActAs:
    user: str


Administration = CreateUser | GrantCreate | ActAs


def administration(sql: str) -> Administration | None:
    """The statement about users, if it is one."""
    if match := re.fullmatch(rf"CREATE\s+USER\s+{NAME}\s+PASSWORD\s+DISABLE", sql, re.IGNORECASE):
        return CreateUser(match["user"])
    if match := re.fullmatch(rf"SET\s+SESSION\s+AUTHORIZATION\s+{NAME}", sql, re.IGNORECASE):
        return ActAs(match["user"])
    granted = r'GRANT\s+CREATE\s+ON\s+DATABASE\s+"?(?P<database>\w+)"?\s+TO\s+'
    if match := re.fullmatch(granted + NAME, sql, re.IGNORECASE):
        return GrantCreate(match["database"], match["user"])
    return None


def user_of(caller: str, secret: str | None) -> str:
    """The database user of a signer, given by ARN, or of the secret that the request names."""
    role = re.fullmatch(r"arn:aws:sts::\d+:assumed-role/([^/]+)/.*", caller)
    return f"IAMR:{role[1]}" if role and not secret else ADMIN


class Grants:
    """The users, and those that may create schemas."""

    def __init__(self) -> None:
        self._users = {ADMIN}
        self._creators = {ADMIN}

    def connect(self, user: str) -> None:
        """The user begins a session."""
        self._users.add(user)

    def administer(self, by: str, statement: Administration) -> None:
        """Carries out the statement; SqlError if `by` may not, or if it does not fit the users that exist."""
        if by != ADMIN:
            raise SqlError(_denied(statement))
        is_known = statement.user in self._users
        if isinstance(statement, CreateUser):
            if is_known:
                raise SqlError(f'user "{statement.user}" already exists')
            self._users.add(statement.user)
        elif not is_known:
            raise SqlError(f'user "{statement.user}" does not exist')
        elif isinstance(statement, GrantCreate):
            self._creators.add(statement.user)

    def check_create(self, user: str, database: str) -> None:
        """Raises SqlError unless the user may create schemas."""
        if user not in self._creators:
            raise SqlError(f"permission denied for database {database}")


def _denied(statement: Administration) -> str:
    if isinstance(statement, GrantCreate):
        return f"permission denied for database {statement.database}"
    if isinstance(statement, ActAs):
        return f'permission denied to set session authorization "{statement.user}"'
    return "permission denied to create user"
