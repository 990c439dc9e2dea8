"""The session policy of one run: its role, narrowed to the batch that it works on (docs/aws-facts.md#permissions).

A run may write below its own attempt's prefix and nowhere else. It may read all raw files, because those of a replayed
batch may lie below an earlier prefix of its dataset. A nightly job may read all batches, whose files its tables list.
"""

from __future__ import annotations

import json
from typing import Any

from tidemark.core.files import split_uri
from tidemark.core.job import JobSpec
from tidemark.core.naming import batch_prefix

#: EMR refuses a longer policy (docs/aws-facts.md#permissions).
POLICY_CHARACTERS_MAX = 2_048


def run_policy(spec: JobSpec, raw_bucket: str, partition: str = "aws") -> str:
    """The JSON text of the policy for the run with this spec; `partition` is that of all ARNs."""
    (control, manifest), (lake, output) = split_uri(spec.manifest), split_uri(spec.output)
    own = batch_prefix(spec.dataset.name, spec.batch_id)
    statements = [
        _allow(["GetObject"], f"{control}/jobs/*", f"{control}/{own}*", f"{control}/{manifest}"),
        _allow(["GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload"], f"{lake}/{output}*"),
        _allow(["ListBucket", "ListBucketMultipartUploads"], raw_bucket, control, lake),
        *_reads(spec, raw_bucket, lake),
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    return json.dumps(document, separators=(",", ":")).replace("arn:aws:", f"arn:{partition}:")


def _reads(spec: JobSpec, raw_bucket: str, lake: str) -> list[dict[str, Any]]:
    if spec.dataset.nightly:
        return [_allow(["GetObject"], f"{lake}/batches/*", f"{lake}/tables/*")]
    raw = _allow(["GetObject", "GetObjectVersion"], f"{raw_bucket}/*")
    seen = [] if spec.seen is None else [_allow(["GetObject"], f"{lake}/batches/{spec.dataset.name}/*")]
    return [raw, *seen]


def _allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [f"arn:aws:s3:::{resource}" for resource in resources],
    }
