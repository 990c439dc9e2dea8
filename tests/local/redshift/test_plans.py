"""Statements that DuckDB does not run by itself."""

from local.redshift.plans import ChangeColumn, Copy, Truncate
from local.redshift.tables import Column, Table
from local.redshift.translate import translate


def test_copy_is_read_whole() -> None:
    """Target, columns, source, role and every option of COPY are in the plan."""
    plan = translate(
        "COPY s.t (a, b) FROM 's3://b/m.manifest' IAM_ROLE 'arn:aws:iam::1:role/x' FORMAT AS PARQUET MANIFEST;"
    )
    options = {"FORMAT": "PARQUET", "MANIFEST": ""}
    assert plan == Copy(Table("s", "t"), ("a", "b"), "s3://b/m.manifest", "arn:aws:iam::1:role/x", options)


def test_other_plans() -> None:
    """TRUNCATE and new columns are plans of their own."""
    assert translate("TRUNCATE TABLE s.t") == Truncate(Table("s", "t"))
    added = ChangeColumn(Table(None, "t"), Column("b", "VARCHAR", 20), is_new=True)
    assert translate("ALTER TABLE t ADD COLUMN b VARCHAR(20)") == added
