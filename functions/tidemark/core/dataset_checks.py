"""Checks declarations beyond their form.

Alone: rows that Redshift can process. Against each other: disjoint prefixes and tables, and nightly jobs that fit what
they read. A declaration that the ledger or a job spec has recorded is not checked again: its batches must end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tidemark.core.dataset import Column, Dataset, Table
from tidemark.core.errors import DeclarationError
from tidemark.core.load_limits import ROW_BYTES_MAX, row_bytes
from tidemark.core.suggestions import did_you_mean

LONGEST_SHOWN = 3  # texts that an error about a wide table names


@dataclass(frozen=True)
class ConflictingDeclarations:
    """A declaration that is valid by itself and conflicts with another one."""

    dataset: str
    message: str
    where: tuple[str, ...]


def wide_tables(dataset: Dataset) -> list[DeclarationError]:
    """An error for each table whose rows are wider than Redshift can process."""
    return [_too_wide(table) for table in dataset.tables if row_bytes(table) > ROW_BYTES_MAX]


def _too_wide(table: Table) -> DeclarationError:
    texts = [column for column in table.columns if column.type.bytes_max]
    longest = sorted(texts, key=_row_bytes, reverse=True)[:LONGEST_SHOWN]
    named = ", ".join(f"{column.name} {column.type}" for column in longest)
    message = (
        f"expected columns of at most {ROW_BYTES_MAX:,} bytes together, with Tidemark's own, so that Redshift can load"
        f" them, found {row_bytes(table):,}: shorten {named}"
    )
    return DeclarationError(message, ("tables", table.name, "columns"))


def _row_bytes(column: Column) -> int:
    return column.type.row_bytes


def conflicting_declarations(datasets: Mapping[str, Dataset], complete: bool = True) -> list[ConflictingDeclarations]:
    """Every conflict among the declarations.

    `complete=False` means that some declarations are missing: `reads` and `after`, which may name one of these, are
    then not checked.
    """
    conflicts = [conflict for dataset in datasets.values() for conflict in _shared_prefixes(dataset, datasets)]
    if complete:
        conflicts += [
            conflict
            for job in datasets.values()
            for conflict in (*_unfit_reads(job, datasets), *_unfit_predecessors(job, datasets))
        ]
    return [*conflicts, *_shared_tables(datasets)]


def table_owner(datasets: Mapping[str, Dataset], name: str) -> tuple[Dataset, Table] | None:
    """The dataset that declares the table, and the table; None where no dataset does."""
    owners = ((dataset, table) for dataset in datasets.values() for table in dataset.tables if table.name == name)
    return next(owners, None)


def _shared_prefixes(dataset: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    """A key belongs to one dataset only, so no prefix may lie within another dataset's."""
    for other in datasets.values():
        if dataset is not other and not dataset.nightly and other.owns(dataset.prefix):
            message = f"expected a prefix outside {other.name}'s {other.prefix!r}, found {dataset.prefix!r}"
            yield ConflictingDeclarations(dataset.name, message, ("prefix",))


def _shared_tables(datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    owners: dict[str, str] = {}
    for dataset in datasets.values():
        for name in {name: None for table in dataset.tables for name in (table.name, table.physical_name)}:
            owner = owners.setdefault(name, dataset.name)
            if owner != dataset.name:
                yield ConflictingDeclarations(
                    dataset.name, f"expected a table of its own, found {name} of {owner}", ("tables",)
                )


def _unfit_reads(job: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    for read in job.nightly.reads if job.nightly else ():
        where = ("reads", read.table)
        owned = table_owner(datasets, read.table)
        if owned is None:
            tables = [table.name for dataset in datasets.values() for table in dataset.tables]
            message = f"expected a table of some dataset, found {read.table!r}{did_you_mean(read.table, tables)}"
            yield ConflictingDeclarations(job.name, message, where)
            continue
        owner, table = owned
        if owner is job:
            yield ConflictingDeclarations(
                job.name, f"expected another dataset's table, found its own {read.table}", where
            )
        elif job.name in predecessors(owner.name, datasets):
            yield ConflictingDeclarations(
                job.name, f"expected an order, found a circle: {read.table} comes after {job.name}", where
            )
        elif not read.whole and not table.day:
            message = f"expected `whole`, or a table with a `day`, found {read.table} of {owner.name}, which has none"
            yield ConflictingDeclarations(job.name, message, where)


def _unfit_predecessors(job: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[ConflictingDeclarations]:
    for name in job.nightly.after if job.nightly else ():
        if name not in datasets or not datasets[name].nightly:
            jobs = [dataset.name for dataset in datasets.values() if dataset.nightly]
            message = f"expected the name of a nightly job, found {name!r}{did_you_mean(name, jobs)}"
            yield ConflictingDeclarations(job.name, message, ("after",))
        elif job.name in predecessors(name, datasets):
            yield ConflictingDeclarations(
                job.name, f"expected an order, found a circle: {name} comes after {job.name}", ("after",)
            )


def predecessors(name: str, datasets: Mapping[str, Dataset]) -> set[str]:
    """The job and every nightly job that runs before it: those that it names in `after` or whose tables it reads.

    Includes their own predecessors; empty for a dataset that is no nightly job.
    """
    seen: set[str] = set()
    to_visit = [name]
    while to_visit:
        job = datasets.get(to_visit.pop())
        if job is None or job.nightly is None or job.name in seen:
            continue
        seen.add(job.name)
        owners = (table_owner(datasets, read.table) for read in job.nightly.reads)
        to_visit += [*job.nightly.after, *(owner[0].name for owner in owners if owner)]
    return seen
