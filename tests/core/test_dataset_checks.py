"""Tables that Redshift can process; nightly jobs beside each other: an order without a circle, tables that exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tidemark.core.dataset import Dataset
from tidemark.core.dataset_checks import conflicting_declarations, predecessors, wide_tables
from tidemark.core.dataset_parser import parse_dataset

SALES = {"columns": {"day": "date", "amount": "bigint"}, "day": "day"}


def files() -> Dataset:
    """A dataset with a table that knows days, and one that does not."""
    tables = {"sales": SALES, "people": {"columns": {"name": "string(8)"}}}
    return parse_dataset({"name": "shop", "prefix": "shop/", "record": {"day": "date"}, "tables": tables})


def job(name: str, reads: Mapping[str, Any], *after: str) -> Dataset:
    """A nightly job with a table of its own name."""
    return parse_dataset({"name": name, "every": "day", "reads": reads, "after": list(after), "tables": {name: SALES}})


def together(*jobs: Dataset) -> dict[str, Dataset]:
    return {dataset.name: dataset for dataset in (files(), *jobs)}


def test_a_job_comes_after_what_it_names_and_what_it_reads() -> None:
    """And after all that these come after; files have no order."""
    datasets = together(job("a", {"sales": "period"}), job("b", {"a": "period"}), job("c", {"sales": "period"}, "b"))
    assert conflicting_declarations(datasets) == []
    assert predecessors("c", datasets) == {"a", "b", "c"}
    assert predecessors("a", datasets) == {"a"}


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([job("a", {"b": "period"}), job("b", {"a": "period"})], "expected an order, found a circle: b comes after a"),
        (
            [job("a", {"sales": "period"}, "b"), job("b", {"sales": "period"}, "a")],
            "expected an order, found a circle: b comes after a",
        ),
        ([job("a", {"a": "period"})], "expected another dataset's table, found its own a"),
        ([job("a", {"gone": "period"})], "expected a table of some dataset, found 'gone'"),
        ([job("a", {"sales": "period"}, "shop")], "expected the name of a nightly job, found 'shop'"),
        (
            [job("a", {"people": "period"})],
            "expected `whole`, or a table with a `day`, found people of shop, which has none",
        ),
    ],
    ids=["circle of reads", "circle of after", "itself", "no table", "after files", "no day"],
)
def test_jobs_that_do_not_fit_are_refused_by_name(jobs: list[Dataset], message: str) -> None:
    """Each misfit is told, with the job's name and what was expected."""
    first = conflicting_declarations(together(*jobs))[0]
    assert (first.dataset, first.message) == ("a", message)


def with_text(type_: str) -> Dataset:
    """A dataset with one table of facts, which has a text of this type."""
    tables = {"notes": {"columns": {"id": "bigint", "note": type_}}}
    return parse_dataset({"name": "notes", "prefix": "notes/", "record": {"id": "bigint"}, "tables": tables})


@pytest.mark.parametrize(
    ("type_", "found"), [("string(30519)", None), ("string(30520)", "65,536"), ("string", "100,551")]
)
def test_a_table_whose_rows_redshift_cannot_process_is_refused(type_: str, found: str | None) -> None:
    """The sum includes Tidemark's own columns, and the longest columns are named."""
    errors = [str(error) for error in wide_tables(with_text(type_))]
    expected = (
        "tables.notes.columns: expected columns of at most 65,535 bytes together, with Tidemark's own, so that Redshift"
        f" can load them, found {found}: shorten note {'string(65535)' if type_ == 'string' else type_}"
    )
    assert errors == ([expected] if found else [])
