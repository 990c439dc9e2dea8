from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tidemark.adapters.dataset_files import load_all, load_file, validate
from tidemark.core.errors import DeclarationError

GOOD = """
name: clicks
prefix: clicks/
record:
  user_id: int
tables:
  click_events:
    columns: {user_id: int}
"""


def declared(folder: Path, text: str = GOOD, name: str = "clicks.yaml") -> Path:
    path = folder / name
    path.write_text(dedent(text).lstrip(), encoding="utf-8")
    return path


def test_a_file_is_a_dataset(tmp_path: Path) -> None:
    """A declaration of seven lines is enough."""
    assert load_file(declared(tmp_path)).table("click_events").physical_name == "click_events"


@pytest.mark.parametrize(
    ("old", "new", "line", "error"),
    [
        ("user_id: int\n", "user_id: integer\n", 4, "record.user_id: expected a type"),
        ("{user_id: int}", "{user_id: intt}", 7, "tables.click_events.columns.user_id: expected a type"),
        (
            "{user_id: int}",
            "{user_id: int, note: string}",
            7,
            "tables.click_events.columns: expected columns of at most",
        ),
        ("columns:", "colums:", 6, "tables.click_events: expected a key `columns`, found the keys colums"),
        ("prefix: clicks/", "prefix: clicks", 2, "prefix: expected a key prefix that ends with /"),
        ("name: clicks", "name: click", 1, "name: expected the file's name clicks, found click"),
        ("record:", "records:", 1, "expected a key `record`, found the keys name, prefix, records, tables"),
        ("name: clicks", "name: [clicks", 2, "expected YAML, found: "),
        ("user_id: int\n", "user_id: int\n  user_id: date\n", 5, "expected each key once, found `user_id` again"),
        ("{user_id: int}", "{user_id: int, user_id: int}", 7, "expected each key once, found `user_id` again"),
        ("name: clicks", "name: !secret clicks", 1, "expected YAML, found: could not determine a constructor"),
        ("name: clicks", "name: \x07", None, "expected YAML, found: "),
        ("name: clicks", "name: 2026-13-45", None, "expected YAML, found: "),
        ("name: clicks", "[a, b]: clicks", 1, "expected a key that is a word, found a list"),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, old: str, new: str, line: int | None, error: str) -> None:
    """The editor can jump to the mistake."""
    path = declared(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(DeclarationError) as raised:
        load_file(path)
    place = f"{path}:{line}" if line else f"{path}"
    assert str(raised.value).startswith(f"{place}: {error}")


@pytest.mark.parametrize("content", [b"name: \xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """Neither a missing file nor one of another encoding escapes as an error of Python's."""
    path = tmp_path / "clicks.yaml"
    if content:
        path.write_bytes(content)
    with pytest.raises(DeclarationError, match=r"clicks\.yaml: cannot be read"):
        load_file(path)


def test_an_empty_file_is_no_declaration(tmp_path: Path) -> None:
    """Nothing declared is nothing meant."""
    with pytest.raises(DeclarationError, match="expected a mapping, found nothing"):
        load_file(declared(tmp_path, ""))


def test_every_declaration_of_the_folder_is_loaded(tmp_path: Path) -> None:
    """Datasets are found by name; other files are left alone."""
    declared(tmp_path)
    declared(tmp_path, GOOD.replace("click", "view"), "views.yaml")
    declared(tmp_path, "not a declaration", "README.md")
    assert list(load_all(tmp_path)) == ["clicks", "views"]


def places(errors: DeclarationError) -> list[str]:
    """File, line and key of each."""
    return [f"{Path(error.file).name}:{error.line}:{'.'.join(map(str, error.where))}" for error in errors.all]


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """Each with its own file and line; a file that cannot be read keeps none of the others from being looked at."""
    declared(tmp_path, GOOD.replace("user_id: int", "user_id: integer").replace("clicks/", "/clicks/"))
    declared(tmp_path, GOOD.replace("columns:", "colums:").replace("clicks", "views"), "views.yaml")
    declared(tmp_path, "name: [taps", "taps.yaml")
    with pytest.raises(DeclarationError) as raised:
        load_all(tmp_path)
    assert places(raised.value) == [
        "clicks.yaml:2:prefix",
        "clicks.yaml:4:record.user_id",
        "clicks.yaml:7:tables.click_events.columns.user_id",
        "taps.yaml:1:",
        "views.yaml:6:tables.click_events",
        "views.yaml:7:tables.click_events.colums",
    ]


def test_neighbours_are_all_told_of(tmp_path: Path) -> None:
    """An equal prefix and an equal table of two files are two mistakes of either."""
    declared(tmp_path)
    declared(tmp_path, GOOD.replace("name: clicks", "name: views"), "views.yaml")
    with pytest.raises(DeclarationError) as raised:
        load_all(tmp_path)
    assert places(raised.value) == ["clicks.yaml:2:prefix", "views.yaml:2:prefix", "views.yaml:5:tables"]


def test_a_table_that_a_broken_file_declares_is_not_missed(tmp_path: Path) -> None:
    """Of a job that reads it nothing is said before it is known."""
    (tmp_path / "nightly").mkdir()
    job = "name: late\nevery: day\nreads: {click_events: whole}\ntables:\n  late:\n    columns: {n: int}\n"
    declared(tmp_path, job, "nightly/late.yaml")
    declared(tmp_path, GOOD.replace("{user_id: int}", "{user_id: integer}"))
    with pytest.raises(DeclarationError, match=r"columns\.user_id"):
        load_all(tmp_path)


@pytest.mark.parametrize("name", ["views.yml", "views.YAML", "nightly/views.yml"])
def test_a_declaration_of_another_ending_is_not_passed_over(tmp_path: Path, name: str) -> None:
    """It would be no dataset, without a word."""
    (tmp_path / "nightly").mkdir()
    declared(tmp_path)
    declared(tmp_path, GOOD.replace("click", "view"), name)
    with pytest.raises(DeclarationError, match=rf"{name}: expected a name that ends with \.yaml, found views"):
        load_all(tmp_path)


def test_a_dataset_and_a_nightly_job_have_names_of_their_own(tmp_path: Path) -> None:
    """One of two would take the other's place."""
    (tmp_path / "nightly").mkdir()
    declared(tmp_path)
    job = "name: clicks\nevery: day\nreads: {click_events: whole}\ntables:\n  late:\n    columns: {n: int}\n"
    declared(tmp_path, job, "nightly/clicks.yaml")
    with pytest.raises(DeclarationError, match=r"nightly/clicks\.yaml: expected a name of its own, found that of "):
        load_all(tmp_path)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: &a [x]\nb: *a\n", r"clicks\.yaml:1: expected every value where it belongs, found an anchor or alias a"),
        ("a: {b: 1}\n<<: *a\n", r"clicks\.yaml:2: expected every value where it belongs, found an anchor or alias a"),
        ("[" * 5_000, r"clicks\.yaml:1: expected at most 20 levels, found more"),
        ("- " * 5_000, r"clicks\.yaml:1: expected at most 20 levels, found more"),
        ("a:\n\tb: 1\n", r"clicks\.yaml:2: expected YAML, found: "),
        ("a: 1\n---\nb: 1\n", r"clicks\.yaml:2: expected YAML, found: "),
    ],
    ids=["alias", "merge", "deep flow", "deep block", "tab", "two documents"],
)
def test_yaml_that_is_more_than_a_declaration_is_refused(tmp_path: Path, text: str, error: str) -> None:
    """Before it can grow, or end the reader."""
    with pytest.raises(DeclarationError, match=error):
        load_file(declared(tmp_path, text))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of declarations beside the code of its one dataset."""
    for folder in ("datasets", "spark_jobs/transforms"):
        (tmp_path / folder).mkdir(parents=True)
    declared(tmp_path / "datasets")
    code = "def transform(records):\n    return {'click_events': records}\n"
    (tmp_path / "spark_jobs" / "transforms" / "clicks.py").write_text(code)
    return tmp_path


def test_declarations_with_their_code_are_valid(project: Path) -> None:
    """The functions are looked for, and not run."""
    assert list(validate(project / "datasets")) == ["clicks"]


@pytest.mark.parametrize("named", ["datasets", "functions/datasets"])
def test_declarations_among_the_functions_are_checked_by_the_projects_code(project: Path, named: str) -> None:
    """As the product's own lie, also where a link leads there."""
    (project / "functions").mkdir()
    (project / "datasets").rename(project / "functions" / "datasets")
    (project / "datasets").symlink_to(Path("functions", "datasets"))
    assert list(validate(project / named)) == ["clicks"]
    declared(project / "datasets", GOOD.replace("record:", "transform: click\nrecord:"))
    with pytest.raises(DeclarationError, match=r"expected spark_jobs/transforms/click\.py"):
        validate(project / named)


def test_code_may_lie_elsewhere(project: Path) -> None:
    """Without a folder spark_jobs beside the declarations nothing is said of code."""
    (project / "spark_jobs").rename(project / "jobs")
    assert list(validate(project / "datasets")) == ["clicks"]


@pytest.mark.parametrize(
    ("transform", "code", "error"),
    [
        (
            "click",
            "",
            r"yaml:3: transform: expected spark_jobs/transforms/click\.py, found no such file \(did you mean ",
        ),
        ("other", "def transfrm(records): ...", r"transforms/other\.py: expected a function `transform`, found none"),
        ("other", "x = 1\ndef transform(", r"transforms/other\.py:2: expected Python 3\.9, found: "),
        ("other", "match 1:\n    case 1:\n        transform = 1", r"other\.py:3: expected Python 3\.9, found: Pattern"),
        ("other", "a = 'b\x00'", r"transforms/other\.py.*: expected Python 3\.9, found: "),
    ],
)
def test_code_that_is_not_there_is_found_before_a_run(project: Path, transform: str, code: str, error: str) -> None:
    """A file of the name, readable by EMR's Python, with the function that a run calls."""
    declared(project / "datasets", GOOD.replace("record:", f"transform: {transform}\nrecord:"))
    if code:
        (project / "spark_jobs" / "transforms" / f"{transform}.py").write_text(code)
    with pytest.raises(DeclarationError, match=error):
        validate(project / "datasets")


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    """A deployment without declarations would collect nothing and say nothing."""
    with pytest.raises(DeclarationError, match=r"expected declarations \*.yaml, found none"):
        load_all(tmp_path)


@pytest.mark.parametrize("prefix", ["clicks/", "clicks/mobile/"])
def test_prefixes_do_not_overlap(tmp_path: Path, prefix: str) -> None:
    """A file has one dataset, so no prefix lies inside another."""
    declared(tmp_path)
    declared(tmp_path, GOOD.replace("clicks/", prefix).replace("name: clicks", "name: views"), "views.yaml")
    with pytest.raises(DeclarationError, match=r"yaml:2: prefix: expected a prefix outside clicks's|outside views's"):
        load_all(tmp_path)


def test_prefixes_may_begin_alike(tmp_path: Path) -> None:
    """`clicks/` and `clicks_old/` have no file in common."""
    declared(tmp_path)
    declared(tmp_path, GOOD.replace("click", "clicks_old").replace("olds", "old"), "clicks_old.yaml")
    assert set(load_all(tmp_path)) == {"clicks", "clicks_old"}


def test_a_table_belongs_to_one_dataset(tmp_path: Path) -> None:
    """Two datasets in one table would delete each other's columns and compete for its schema."""
    declared(tmp_path)
    other = GOOD.replace("clicks", "views")
    declared(tmp_path, other, "views.yaml")
    with pytest.raises(DeclarationError, match=r"views.yaml:5: tables: expected a table of its own, found click"):
        load_all(tmp_path)


def test_a_store_belongs_to_one_dataset(tmp_path: Path) -> None:
    """Facts may not be named like the store of another dataset's additive table."""
    additive = "kind: additive\n    sums: [hits]\n    columns: {user_id: int, hits: int}"
    declared(tmp_path, GOOD.replace("columns: {user_id: int}", additive))
    declared(tmp_path, GOOD.replace("clicks", "views").replace("click_events", "click_events_by_batch"), "views.yaml")
    with pytest.raises(DeclarationError, match=r"views.yaml:5: tables: expected a table of its own, found click"):
        load_all(tmp_path)
