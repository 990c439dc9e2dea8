"""Which of the template's policies a person needs for each command of `tidemark`.

The end-to-end tests run each command as a user who has no other policies; tests/template/test_permissions.py compares
the names with those of the command line.
"""

from __future__ import annotations

from typing import Final

#: command → reader, operator (both policies), or none: it speaks to no stack, or needs an administrator
POLICIES: Final = {
    "demo": "none",
    "local run": "none",
    "local up": "none",
    "traffic": "none",
    "validate": "none",
    "lifecycle": "none",
    "status": "reader",
    "batches": "reader",
    "explain": "reader",
    "query": "reader",
    "nightly list": "reader",
    "quarantine list": "reader",
    "quarantine show": "reader",
    "predict": "reader",
    "model": "reader",
    "reconcile": "operator",
    "backfill": "operator",
    "replay": "operator",
    "recover": "operator",
    "pause": "operator",
    "resume": "operator",
    "drain": "operator",
    "nightly run": "operator",
    "quarantine release": "operator",
    "quarantine discard": "operator",
    "quarantine acknowledge": "operator",
    "jobs upload": "operator",
    "jobs list": "reader",
    "jobs use": "operator",
    "removals": "reader",
    "build": "none",
    "deploy": "none",
    "delete": "none",
    "warehouse rebuild": "none",
    "lake register": "none",
    "adopt": "none",
    "prove list": "none",
    "prove here": "none",
    "prove account": "none",
}
