"""What declarations must be to each other: apart in prefixes and tables, and nightly jobs fit for what they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tidemark.core.dataset import Dataset, Table
from tidemark.core.meant import meant


@dataclass(frozen=True)
class ConflictingDeclarations:
    """A declaration that is good by itself does not fit its neighbours."""

    dataset: str
    message: str
    where: tuple[str, ...]


def conflicting_declarations(datasets: Mapping[str, Dataset], complete: bool = True) -> list[ConflictingDeclarations]:
    """All that does not fit; of a part of the declarations, what no other one could set right."""
    found = [conflict for dataset in datasets.values() for conflict in _prefixes(dataset, datasets)]
    if complete:
        found += [
            conflict for job in datasets.values() for conflict in (*_reads(job, datasets), *_after(job, datasets))
        ]
    return [*found, *_tables(datasets)]


def table_owner(datasets: Mapping[str, Dataset], name: str) -> tuple[Dataset, Table] | None:
    """The dataset that a table belongs to, and the table."""
    owners = ((dataset, table) for dataset in datasets.values() for table in dataset.tables if table.name == name)
    return next(owners, None)


def _prefixes(one: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    """A file has one dataset."""
    for other in datasets.values():
        if one is not other and not one.nightly and other.owns(one.prefix):
            message = f"expected a prefix outside {other.name}'s {other.prefix!r}, found {one.prefix!r}"
            yield ConflictingDeclarations(one.name, message, ("prefix",))


def _tables(datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    owners: dict[str, str] = {}
    for dataset in datasets.values():
        for name in {name: None for table in dataset.tables for name in (table.name, table.physical_name)}:
            owner = owners.setdefault(name, dataset.name)
            if owner != dataset.name:
                yield ConflictingDeclarations(
                    dataset.name, f"expected a table of its own, found {name} of {owner}", ("tables",)
                )


def _reads(job: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    for read in job.nightly.reads if job.nightly else ():
        where = ("reads", read.table)
        found = table_owner(datasets, read.table)
        if found is None:
            tables = [table.name for dataset in datasets.values() for table in dataset.tables]
            message = f"expected a table of some dataset, found {read.table!r}{meant(read.table, tables)}"
            yield ConflictingDeclarations(job.name, message, where)
        elif found[0] is job:
            yield ConflictingDeclarations(
                job.name, f"expected another dataset's table, found its own {read.table}", where
            )
        elif job.name in predecessors(found[0].name, datasets):
            yield ConflictingDeclarations(
                job.name, f"expected an order, found a circle: {read.table} comes after {job.name}", where
            )
        elif not read.whole and not found[1].day:
            message = (
                f"expected `whole`, or a table with a `day`, found {read.table} of {found[0].name}, which has none"
            )
            yield ConflictingDeclarations(job.name, message, where)


def _after(job: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    for name in job.nightly.after if job.nightly else ():
        if name not in datasets or not datasets[name].nightly:
            jobs = [dataset.name for dataset in datasets.values() if dataset.nightly]
            message = f"expected the name of a nightly job, found {name!r}{meant(name, jobs)}"
            yield ConflictingDeclarations(job.name, message, ("after",))
        elif job.name in predecessors(name, datasets):
            yield ConflictingDeclarations(
                job.name, f"expected an order, found a circle: {name} comes after {job.name}", ("after",)
            )


def predecessors(name: str, datasets: Mapping[str, Dataset]) -> set[str]:
    """The job and all that it comes after: by `after`, and by reading their tables."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        job = datasets.get(waiting.pop())
        if job is None or job.nightly is None or job.name in seen:
            continue
        seen.add(job.name)
        owners = (table_owner(datasets, read.table) for read in job.nightly.reads)
        waiting += [*job.nightly.after, *(owner[0].name for owner in owners if owner)]
    return seen
