"""`tidemark lifecycle`: the lifecycle's diagram, drawn from the table itself."""

from __future__ import annotations

from rich.console import Console

from cli.render import say_whole
from tidemark.core.lifecycle import AT_REST, MEANING, STEP, TRANSITIONS, State


def print_lifecycle(console: Console) -> None:
    """Print the diagram."""
    for row in lifecycle_diagram().splitlines():
        say_whole(console, row)


def lifecycle_diagram() -> str:
    """A Mermaid state diagram: one arrow for each pair of states, labelled with the events that lead along it."""
    lines = ["stateDiagram-v2", "    [*] --> FORMING: files are pending"]
    for state, moves in TRANSITIONS.items():
        for target in State:
            labels = [MEANING[event] for event, to in moves.items() if to is target]
            if labels:
                lines.append(f"    {state} --> {target}: {', '.join(labels)}")
    lines += [f"    {state} --> [*]" for state in State if state in AT_REST and not TRANSITIONS[state]]
    return "\n".join(lines)


def lifecycle_table() -> str:
    """The same as a Markdown table: state, the step that comes next, events and where they lead."""
    lines = ["| state | next step | events |", "|---|---|---|"]
    for state, moves in TRANSITIONS.items():
        events = "<br>".join(f"{event.__name__} ({MEANING[event]}) → {target}" for event, target in moves.items())
        lines.append(f"| {state} | {STEP.get(state, 'at rest')} | {events or '–'} |")
    return "\n".join(lines)
