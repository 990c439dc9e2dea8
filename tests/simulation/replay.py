"""`python -m tests.simulation.replay SEED` replays one seed and prints its trace."""

from __future__ import annotations

import sys

from tests.simulation.scenario import run


def main(seed: int) -> int:
    """Print the trace; 1 if a promise was broken."""
    found = run(seed, trace=True)
    print("\n".join(found.trace))
    print(f"seed {seed}: {found.problem or 'well'}; {found.files} files, {found.calls} calls, {found.faults}")
    return bool(found.problem)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
