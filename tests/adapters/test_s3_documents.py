from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tidemark.adapters.s3_documents import Store
from tidemark.core.files import split_uri


def test_the_first_of_two_writers_stands(store: Store) -> None:
    """A manifest is written once: the second writer is told, and changes nothing."""
    assert store.put_once("control", "manifest.json", "first")
    assert not store.put_once("control", "manifest.json", "second")
    assert store.get("control", "manifest.json") == b"first"


def test_a_document_may_be_written_again(store: Store) -> None:
    """Orders and COPY manifests are the same whenever they are made."""
    store.put("control", "order.json", "ä")
    store.put("control", "order.json", "ä")
    assert store.get("control", "order.json") == "ä".encode()


def test_a_missing_document_is_none(store: Store) -> None:
    """No result yet is a fact, not a failure."""
    assert store.get("control", "result.json") is None


def test_a_missing_bucket_is_a_failure(store: Store) -> None:
    """A wrong deployment does not look like work not done yet."""
    with pytest.raises(ClientError, match="NoSuchBucket"):
        store.get("nowhere", "result.json")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        store.put_once("nowhere", "manifest.json", "first")


def test_a_swap_succeeds_for_whoever_read_the_latest(store: Store) -> None:
    """Of two that read one document the second to write is refused, and so is one whose document is gone."""
    store.put("control", "current.json", "first")
    body, etag = store.tagged("control", "current.json") or (b"", "")
    assert body == b"first"
    assert store.swap("control", "current.json", "second", etag)
    assert not store.swap("control", "current.json", "third", etag)
    assert store.get("control", "current.json") == b"second"
    assert store.tagged("control", "never.json") is None
    assert not store.swap("control", "never.json", "first", etag)


@pytest.mark.parametrize(
    ("uri", "parts"), [("s3://b/a/c.json", ("b", "a/c.json")), ("s3://b/", ("b", "")), ("s3://b", ("b", ""))]
)
def test_a_uri_is_bucket_and_key(uri: str, parts: tuple[str, str]) -> None:
    """The first slash ends the bucket; all others belong to the key."""
    assert split_uri(uri) == parts


def test_a_listing_shows_the_latest_version_of_each_key_page_by_page(store: Store) -> None:
    """A marker leads to the next page, none ends the pass; what was deleted or lies elsewhere is not listed."""
    store.client.put_bucket_versioning(Bucket="control", VersioningConfiguration={"Status": "Enabled"})
    for key, body in (("web/a+b", "1"), ("web/a+b", "22"), ("web/c", "3"), ("web/gone", "4"), ("app/d", "5")):
        store.put("control", key, body)
    store.client.delete_object(Bucket="control", Key="web/gone")
    page = store.versions("control", "web/", {})
    assert [(file.key, file.size) for file in page.files] == [("web/a+b", 2), ("web/c", 1)]
    assert not page.marker
    latest = store.client.head_object(Bucket="control", Key="web/a+b")["VersionId"]
    assert page.files[0].version == latest


def test_a_listing_of_folders_names_each_once(store: Store) -> None:
    """With the files beside them; a marker leads over the folder that it names."""
    store.client.put_bucket_versioning(Bucket="control", VersioningConfiguration={"Status": "Enabled"})
    for key in ("logs/2025/a", "logs/2026/a", "logs/2026/b", "logs/beside"):
        store.put("control", key, "1")
    page = store.versions("control", "logs/", {}, folders=True)
    assert (page.folders, [file.key for file in page.files]) == (("logs/2025/", "logs/2026/"), ["logs/beside"])
    after = store.versions("control", "logs/", {"KeyMarker": "logs/2026/"}, folders=True)
    assert (after.folders, [file.key for file in after.files]) == ((), ["logs/beside"])
