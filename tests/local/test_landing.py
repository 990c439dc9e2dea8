"""What of a folder lands, and what does not and why."""

from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest
from boto3.exceptions import S3UploadFailedError

from local.landing import land, survey


def test_every_entry_lands_or_is_told_with_its_reason(tmp_path: Path) -> None:
    """Hidden and empty files, odd names and linked files are uploaded; entries without a valid key are reported."""
    odd = ["new\nline", "tab\t", "\x1b[31m", "..dots", " blanks ", "back\\slash", "名.json", ".hidden", "%0A+&?#"]
    for name in odd:
        (tmp_path / name).write_text("{}")
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")).touch()
    long = tmp_path.joinpath(*["d" * 250] * 4)
    long.mkdir(parents=True)
    (long / ("e" * 20)).touch()  # 4 × 251 + 20 bytes
    (long / ("e" * 21)).touch()
    found = survey(tmp_path)
    kept = str((long / ("e" * 20)).relative_to(tmp_path))
    assert sorted(found.keys) == sorted([*odd, "empty", "link", kept])
    assert {one.name[:12]: one.reason for one in found.skipped} == {
        "bad\udcff": "its name is not UTF-8, as a key must be",
        "dangling": "a symbolic link that leads nowhere: No such file or directory",
        "linked": "a symbolic link to a folder, which is not followed",
        "pipe": "neither a file nor a folder",
        "dddddddddddd": "its key would have 1,025 bytes, and S3 takes 1,024",
    }


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files would be missing without a word."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.json").touch()
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = survey(tmp_path)
    assert found.keys == ("a.json",)
    assert [(one.name, one.reason) for one in found.skipped] == [
        ("closed", "the folder cannot be read: Permission denied")
    ]


@pytest.mark.parametrize(
    "error",
    [PermissionError(13, "Permission denied"), S3UploadFailedError("(404) Not Found"), FileNotFoundError(2, "gone")],
)
def test_a_file_that_fails_keeps_no_other_from_landing(error: Exception) -> None:
    """It is named with what was said of it."""
    landed: list[str] = []

    def upload(key: str) -> None:
        if key == "bad":
            raise error
        landed.append(key)

    found = land(["a", "bad", "z"], upload)
    assert (found.keys, landed) == (("a", "z"), ["a", "z"])
    assert [(one.name, one.reason) for one in found.skipped] == [("bad", f"cannot be landed: {error}")]


@pytest.mark.parametrize("key", ["shop/new\nline.json", "\n", "shop/a\r\n", "shop/\n/x"])
def test_the_endpoint_takes_keys_with_line_breaks(endpoint: str, key: str) -> None:
    """As S3 does: any UTF-8."""
    s3 = boto3.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket="landing")
    s3.put_object(Bucket="landing", Key=key, Body=b"{}")
    assert s3.get_object(Bucket="landing", Key=key)["Body"].read() == b"{}"
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="landing")["Contents"]] == [key]
    s3.delete_object(Bucket="landing", Key=key)
    s3.delete_bucket(Bucket="landing")
