"""Small JSON documents in S3: manifests, orders, results, COPY manifests."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

MISSING = ("NoSuchKey", "404", "NotFound")
#: 412: it is there already; 409: another conditional write is under way (aws-facts §1.3).
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Store:
    def __init__(self, client: Any) -> None:
        self.client = client

    def get(self, bucket: str, key: str) -> bytes | None:
        """The object's bytes, or None where there is none."""
        try:
            return bytes(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise

    def put(self, bucket: str, key: str, body: str) -> None:
        """Write, or write again; for documents that are the same whenever they are made."""
        self.client.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")

    def put_once(self, bucket: str, key: str, body: str) -> bool:
        """Write unless the key exists. Closes the race of two writers: the first document stands, False to the rest."""
        try:
            self.client.put_object(
                Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in TAKEN:
                return False
            raise
        return True


def split_uri(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` → (bucket, key)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
