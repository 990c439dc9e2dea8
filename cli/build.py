"""`tidemark build`: `sam build`, with the very Python that Lambda runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from local.stack.template import load
from tidemark.core.errors import TidemarkError

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"


def build(console: Console) -> None:
    """Build the functions and their layer into `.aws-sam/build`."""
    del console  # SAM prints its own progress
    run_sam("build", environment=environment_for(runtime()))


def runtime() -> str:
    """The functions' runtime in the template, such as `python3.11`."""
    return str(load(TEMPLATE)["Globals"]["Function"]["Runtime"])


def environment_for(wanted: str) -> dict[str, str]:
    """The environment in which `sam build` finds the Python of that name; raises `TidemarkError` if there is none.

    SAM installs the functions' packages with a Python of exactly their runtime's version
    (docs/aws-facts.md#sam-builds). If the path has none, uv may know one.
    """
    found = {name: _version(name) for name in (wanted, "python3", "python")}
    if wanted in found.values():
        return dict(os.environ)
    known_to_uv = _ask("uv", "python", "find", "--no-python-downloads", wanted.removeprefix("python"))
    if known_to_uv and _version(known_to_uv) == wanted:
        return _with_path(os.environ, Path(known_to_uv).parent)
    others = ", ".join(sorted({version for version in found.values() if version})) or "no Python"
    version = wanted.removeprefix("python")
    raise TidemarkError(
        f"expected {wanted}, the functions' runtime, to build them, found {others}:"
        f" `uv python install {version}` gets it, without changing any other Python"
    )


def run_sam(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Runs SAM in the project's folder, shows its output, and returns it; raises `TidemarkError` if it fails."""
    command = [_beside_python("sam"), *arguments]
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            sys.stdout.write(line)
            sys.stdout.flush()
    if process.returncode:
        raise TidemarkError(f"`sam {arguments[0]}` failed with exit status {process.returncode}: its output is above")
    return "".join(lines)


def _version(python: str) -> str:
    """`python3.11` for a Python 3.11, "" for one that is missing or does not run."""
    return _ask(python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])")


def _ask(program: str, *arguments: str) -> str:
    try:
        answer = subprocess.run([_beside_python(program), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _beside_python(program: str) -> str:
    """The program of this installation, or the one on the path."""
    if program in ("sam", "uv"):
        own = Path(sys.executable).parent / program
        return str(own) if own.is_file() else shutil.which(program) or program
    return shutil.which(program) or program


def _with_path(environment: Mapping[str, str], first: Path) -> dict[str, str]:
    return {**environment, "PATH": os.pathsep.join([str(first), environment.get("PATH", "")])}
