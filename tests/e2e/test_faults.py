"""What goes wrong in the world, done to the whole pipeline: at rest, every row is shown once or accounted for.

Each test has a user of its own; each of the user's requests fails (404) on a path of its own, so that one request
is one row in each of the three tables of `web_logs`, the additive ones included.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import socket
import threading
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from moto.s3 import notifications
from moto.s3.models import s3_backends
from pyiceberg.expressions import EqualTo, StartsWith

from local.account import ACCOUNT
from local.summary import summarize
from tests.e2e.conftest import Laptop
from tidemark.core.errors import TidemarkError
from tidemark.core.files import split_uri
from tidemark.core.job_code import ENTRY, MODULES, code_prefix
from tidemark.core.lifecycle import State
from tidemark.core.naming import statement_name
from tidemark.service.job_code import current_code, put_code, use_code
from tidemark.service.operate import discard_batch, rejected_files, release_file, replay

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

EVENING = "2026-11-20T21:30:00Z"


def requests(user: str, *names: str) -> bytes:
    """One record a line: the user's requests for the paths `/<user>/<name>`, all of which fail."""
    fields = {"timestamp": EVENING, "user_id": user, "event_type": "request", "status_code": 404, "method": "GET"}
    return b"\n".join(json.dumps({**fields, "path": f"/{user}/{name}", "bytes": 120}).encode() for name in names)


def purchase(user: str, number: int, **other: str) -> bytes:
    """One record of `transactions`."""
    fields = {"transaction_id": f"{user}-{number}", "user_id": user, "timestamp": EVENING, "amount": "9.99"}
    return json.dumps({**fields, "quantity": 1, "store_id": "s1", "product_id": "p1", **other}).encode()


def everywhere(*names: str) -> dict[str, Any]:
    """What `shown` must give for a user with exactly these requests."""
    tables = {"web_events": sorted(names), "user_activity": len(names), "error_patterns": Counter(names)}
    return {"lake": tables, "warehouse": tables}


def shown(laptop: Laptop, user: str) -> dict[str, Any]:
    """The user's requests as every table shows them, in the lake and in the warehouse."""
    below = f"/{user}/"
    events = laptop.lake("web_events").scan(EqualTo("user_id", user)).to_arrow()
    activity = laptop.lake("user_activity_by_batch").scan(EqualTo("user_id", user)).to_arrow()
    errors = laptop.lake("error_patterns_by_batch").scan(StartsWith("path", below)).to_arrow()
    lake = (
        [(path,) for path in events["path"].to_pylist()],
        sum(activity["events"].to_pylist()),
        zip(errors["path"].to_pylist(), errors["errors"].to_pylist(), strict=True),
    )
    warehouse = (
        laptop.warehouse(f"SELECT path FROM web_events WHERE user_id = '{user}'"),
        sum(row[0] for row in laptop.warehouse(f"SELECT events FROM user_activity WHERE user_id = '{user}'")),
        laptop.warehouse(f"SELECT path, errors FROM error_patterns WHERE path LIKE '{below}%'"),
    )
    return {
        place: {
            "web_events": sorted(path.removeprefix(below) for (path,) in facts),
            "user_activity": events_,
            "error_patterns": Counter({path.removeprefix(below): count for path, count in failed}),
        }
        for place, (facts, events_, failed) in {"lake": lake, "warehouse": warehouse}.items()
    }


def attempts_shown(laptop: Laptop, user: str) -> set[int]:
    """The attempts that the user's rows are of, in lake and warehouse together."""
    lake = laptop.lake("web_events").scan(EqualTo("user_id", user)).to_arrow()["_attempt"].to_pylist()
    warehouse = laptop.warehouse(f"SELECT _attempt FROM web_events WHERE user_id = '{user}'")
    return {*lake, *(attempt for (attempt,) in warehouse)}


def queue(laptop: Laptop, logical_id: str) -> str:
    """The URL of a queue of the template."""
    return laptop.cloud.deployment.resources[logical_id].ref


def send(laptop: Laptop, body: Any) -> None:
    """Put a message into the queue that `collect` reads."""
    text = body if isinstance(body, str) else json.dumps(body)
    laptop.cloud.client("sqs").send_message(QueueUrl=queue(laptop, "LandedQueue"), MessageBody=text)


def dead_letters(laptop: Laptop) -> list[str]:
    """The bodies of the messages that `collect` has refused for good; they are taken out."""
    sqs, url, bodies = laptop.cloud.client("sqs"), queue(laptop, "LandedDeadLetters"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(bodies)


def notices(laptop: Laptop, key: str, encoded: str, version: str, size: int) -> list[dict[str, Any]]:
    """What S3 says of one object, in both of its dialects."""
    bucket = laptop.world.settings.raw_bucket
    facts = {"size": size, "sequencer": "0A"}
    return [
        {
            "source": "aws.s3", "detail-type": "Object Created", "time": EVENING,
            "detail": {"bucket": {"name": bucket},
                       "object": {"key": key, "etag": "e", "version-id": version, **facts}},
        },
        {"Records": [
            {"eventName": "ObjectCreated:Put", "eventTime": EVENING,
             "s3": {"bucket": {"name": bucket},
                    "object": {"key": encoded, "eTag": "e", "versionId": version, **facts}}},
        ]},
    ]  # fmt: skip


def quarantined_records(laptop: Laptop, key: str) -> list[dict[str, Any]]:
    """The rejected records of the key's batch that are of this key, by position."""
    texts = [
        laptop.world.store.get(*split_uri(file.uri)) or b"" for file in rejected_files(laptop.world, laptop.batch(key))
    ]
    records = [json.loads(line) for text in texts for line in text.splitlines()]
    mine = [record for record in records if record["file"] == laptop.uri(key)]
    return sorted(mine, key=lambda record: int(record["position"]))


@contextmanager
def job_code(laptop: Laptop, module: str, old: str, new: str) -> Iterator[None]:
    """The Spark jobs with one piece of code replaced, as if somebody had uploaded a mistake; mended afterwards."""
    world, good = laptop.world, current_code(laptop.world)
    bucket, prefix = world.settings.control_bucket, code_prefix(good)
    files = {name: world.store.get(bucket, f"{prefix}{name}") or b"" for name in (ENTRY, MODULES)}
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(files[MODULES])) as source, zipfile.ZipFile(changed, "w") as target:
        assert old in source.read(module).decode()
        for name in source.namelist():
            text = source.read(name)
            target.writestr(name, text.decode().replace(old, new) if name == module else text)
    put_code(world, {**files, MODULES: changed.getvalue()})
    try:
        yield
    finally:
        use_code(world, good)


# ── What lands ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_that_comes_again_and_again_adds_nothing(laptop: Laptop) -> None:
    """Told of one object by both dialects, many times, before and after it is loaded, the tables show it once."""
    key, body = "web_logs/again/one file+more.json", requests("again", "a", "b")
    told = notices(laptop, key, "web_logs/again/one+file%2Bmore.json", laptop.land(key, body), len(body))
    for notice in told * 2:
        send(laptop, notice)
    laptop.rest()
    assert shown(laptop, "again") == everywhere("a", "b")

    for notice in told * 2:
        send(laptop, notice)
    end = laptop.rest()
    assert end.states("web_logs")[State.EMPTY] >= 1
    assert (laptop.batch(key).state, laptop.batch(key).attempt) == (State.LOADED, 1)
    assert shown(laptop, "again") == everywhere("a", "b")


def test_what_is_no_notification_goes_to_the_dead_letters_and_disturbs_nothing(laptop: Laptop) -> None:
    """Messages that nobody understands are set aside whole; strangers' objects and S3's test are passed over."""
    send(laptop, "this is no JSON")
    send(laptop, {"hello": "world"})
    send(laptop, {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": laptop.world.settings.raw_bucket})
    laptop.land("somewhere/else.json", requests("stranger", "a"))
    laptop.land("web_logs/among.json", requests("among", "a"))
    laptop.rest()
    assert dead_letters(laptop) == ["this is no JSON", '{"hello": "world"}']
    assert shown(laptop, "among") == everywhere("a")
    assert laptop.world.ledger.files.holder(laptop.world.settings.raw_bucket, "somewhere/else.json") is None
    assert shown(laptop, "stranger") == everywhere()


def test_an_overwritten_object_replaces_its_rows_in_every_table(laptop: Laptop) -> None:
    """The second version of a key makes attempt 2 of the batch that has the first; the neighbour's rows stay."""
    laptop.land("web_logs/over/x.json", requests("over", "old", "both"))
    laptop.land("web_logs/over/y.json", requests("over", "neighbour"))
    laptop.rest()
    assert shown(laptop, "over") == everywhere("old", "both", "neighbour")
    first = laptop.batch("web_logs/over/x.json")

    version = laptop.land("web_logs/over/x.json", requests("over", "both", "new"))
    laptop.rest()
    second = laptop.batch("web_logs/over/x.json")
    assert (second.batch_id, second.state, second.attempt) == (first.batch_id, State.LOADED, 2)
    assert shown(laptop, "over") == everywhere("both", "new", "neighbour")
    assert attempts_shown(laptop, "over") == {2}
    holder = laptop.world.ledger.files.holder(laptop.world.settings.raw_bucket, "web_logs/over/x.json")
    assert holder
    assert holder.file.version == version


def test_an_object_overwritten_while_it_waits_is_read_in_its_last_version_alone(laptop: Laptop) -> None:
    """Two versions of a key that are pending together are one file of the batch: the newer."""
    laptop.land("web_logs/waits/x.json", requests("waits", "old"))
    laptop.cloud.wait_idle(60)
    laptop.land("web_logs/waits/x.json", requests("waits", "new"))
    laptop.rest()
    assert shown(laptop, "waits") == everywhere("new")
    batch = laptop.batch("web_logs/waits/x.json")
    assert (batch.state, batch.attempt, batch.files) == (State.LOADED, 1, 1)


def test_damaged_files_give_what_can_be_read_and_say_what_cannot(laptop: Laptop) -> None:
    """Of torn, foreign and empty files every whole record is shown, and every stretch that is none is kept aside."""
    names = [str(number) for number in range(200)]
    torn = gzip.compress(requests("torn", *names), mtime=0)[:-40]
    readable = zlib.decompressobj(31).decompress(torn)
    whole, cut_at = readable.count(b"}"), readable.rindex(b"{")
    cut = requests("cut", "lost")[:69]
    laptop.land("web_logs/damage/torn.json.gz", torn)
    laptop.land("web_logs/damage/page.json", b"<html><body>503 Service Unavailable</body></html>")
    laptop.land("web_logs/damage/blank.json", b" \n\t\n")
    laptop.land("web_logs/damage/empty.json", b"")
    laptop.land("web_logs/damage/cut.json", cut + requests("cut", "kept"))
    laptop.rest()

    assert 0 < whole < len(names)
    assert shown(laptop, "torn") == everywhere(*names[:whole])
    assert shown(laptop, "cut") == everywhere("kept")
    batch = laptop.batch("web_logs/damage/torn.json.gz")
    assert (batch.state, batch.counts.problems, batch.files) == (State.LOADED, 1, 5)
    assert (batch.counts.read, batch.counts.kept, batch.counts.rejected) == (whole + 4, whole + 1, 3)

    def rejected(name: str) -> list[tuple[int, str]]:
        records = quarantined_records(laptop, f"web_logs/damage/{name}")
        assert all(record["reason"] and record["version"] for record in records)
        return [(record["position"], record["raw"]) for record in records]

    assert rejected("torn.json.gz") == [(cut_at, readable[cut_at:].decode())]
    assert rejected("page.json") == [(0, "<html><body>503 Service Unavailable</body></html>")]
    assert rejected("cut.json") == [(0, cut.decode())]
    assert rejected("blank.json") == rejected("empty.json") == []


def test_an_object_whose_event_was_lost_is_found_by_reconcile(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of which nobody was told is left alone while it is young, then found in the bucket and loaded."""
    key, bucket = "web_logs/missed/x.json", laptop.world.settings.raw_bucket
    with monkeypatch.context() as silence:
        silence.setattr(notifications, "send_event", lambda *_: None)
        laptop.land(key, requests("missed", "a"))
    laptop.rest()
    assert laptop.cloud.invoke("Reconcile", {"eager": True}).payload == {"files": 0}
    assert laptop.world.ledger.files.holder(bucket, key) is None

    s3_backends[ACCOUNT]["aws"].get_object(bucket, key).last_modified -= timedelta(hours=1)
    assert laptop.cloud.invoke("Reconcile", {"eager": True}).payload == {"files": 1}
    laptop.rest()
    assert shown(laptop, "missed") == everywhere("a")
    assert laptop.cloud.invoke("Reconcile", {"eager": True}).payload == {"files": 0}


# ── What fails in Spark ─────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_the_job_cannot_get_is_set_aside_and_the_rest_goes_on(laptop: Laptop) -> None:
    """A version deleted after it was seen is named by the job, quarantined with the reason, and missed by nobody."""
    gone, stays = "web_logs/gone/x.json", "web_logs/gone/y.json"
    body = requests("gone", "x")
    version = laptop.land(gone, body)
    laptop.land(stays, requests("gone", "y"))
    laptop.cloud.wait_idle(60)
    bucket = laptop.world.settings.raw_bucket
    laptop.cloud.client("s3").delete_object(Bucket=bucket, Key=gone, VersionId=version)
    laptop.rest()
    assert shown(laptop, "gone") == everywhere("y")
    batch = laptop.batch(stays)
    assert (batch.state, batch.attempt, batch.files) == (State.LOADED, 2, 1)
    (refused,) = [one for one in laptop.world.ledger.quarantine.contents()[1] if one.file.key == gone]
    assert (refused.file.version, refused.file.size, refused.batch_id) == (version, len(body), batch.batch_id)
    assert refused.reason.startswith(f"{laptop.uri(gone)}: ")
    assert "NoSuchVersion" in refused.reason
    assert refused.reason.count(gone) == 1

    laptop.land(gone, requests("gone", "again"))
    laptop.rest()
    assert shown(laptop, "gone") == everywhere("again", "y")
    with pytest.raises(TidemarkError, match="overwritten"):
        release_file(laptop.world, refused)


def test_a_record_that_breaks_the_transform_is_cornered_and_released(laptop: Laptop) -> None:
    """A failure that nobody can explain is retried, then bisected until its file stands alone; mended code frees it."""
    laptop.land("web_logs/poison/1.json", requests("poison", "a", "b"))
    laptop.land("web_logs/poison/2.json", requests("poison", "c", "bad"))
    old = '        "path",\n'
    new = (
        '        F.when(F.col("path") == "/poison/bad", F.raise_error(F.lit("no such page")))'
        '.otherwise(F.col("path")).alias("path"),\n'
    )
    with job_code(laptop, "spark_jobs/transforms/web_logs.py", old, new):
        laptop.rest_in_time()
    assert laptop.batch("web_logs/poison/1.json").state is State.LOADED
    cornered = laptop.batch("web_logs/poison/2.json")
    assert (cornered.state, cornered.files, cornered.attempt) == (State.QUARANTINED, 1, 2)
    parent = laptop.world.ledger.batches.get(cornered.parent)
    assert parent
    assert (parent.state, parent.files, parent.attempt) == (State.SPLIT, 2, 2)
    assert "no such page" in cornered.reason
    assert shown(laptop, "poison") == everywhere("a", "b")

    replay(laptop.world, cornered)
    laptop.rest()
    assert laptop.batch("web_logs/poison/2.json").state is State.LOADED
    assert shown(laptop, "poison") == everywhere("a", "b", "bad", "c")


# ── What a person and the machine do ────────────────────────────────────────────────────────────────────────


def test_a_replay_replaces_the_rows_and_an_old_load_changes_nothing(laptop: Laptop) -> None:
    """After attempt 2 is loaded, only its rows are there, even when the first load's statements run once more."""
    laptop.land("web_logs/replay/x.json", requests("replay", "a", "b"))
    laptop.rest()
    first = laptop.batch("web_logs/replay/x.json")
    replay(laptop.world, first)
    laptop.rest()
    assert laptop.batch("web_logs/replay/x.json").attempt == 2
    assert attempts_shown(laptop, "replay") == {2}
    assert shown(laptop, "replay") == everywhere("a", "b")

    run_again(laptop, first.load_id)
    laptop.rest()
    assert attempts_shown(laptop, "replay") == {2}
    assert shown(laptop, "replay") == everywhere("a", "b")


def run_again(laptop: Laptop, load_id: str) -> None:
    """Execute a load's statements anew, as a request that was held up on its way would."""
    load, warehouse = laptop.world.ledger.loads.get(load_id), laptop.world.warehouse
    assert load
    sent = warehouse.client.describe_statement(Id=load.statement_id)["SubStatements"]
    name = statement_name(warehouse.stack, load_id)
    zombie = warehouse.client.batch_execute_statement(
        **warehouse.target, Sqls=[part["QueryString"] for part in sent], StatementName=name, WithEvent=True
    )["Id"]
    while not (found := warehouse.statement(zombie)) or not found.ended:
        time.sleep(0.05)
    assert found.state == "FINISHED", found.error


def lose_connection(laptop: Laptop, environ: dict[str, Any]) -> None:
    """The caller never hears the answer; it asks again, and the service has forgotten its token by then."""
    laptop.cloud._endpoint._apps["redshift-data"].app.forget_client_tokens()
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def kill_caller(laptop: Laptop, environ: dict[str, Any]) -> None:
    """The caller dies before it hears the answer."""
    laptop.cloud._functions._workers["Load"]._kill()


class Unanswered:
    """The warehouse's endpoint: the first load that it takes is done, and then `instead` happens to the answer."""

    def __init__(self, app: Any, instead: Callable[[dict[str, Any]], None]) -> None:
        self.app, self.instead, self.loads = app, instead, 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = list(self.app(environ, start_response))
        # A load is sent with an event; tables are made without one, and waited for.
        if environ["HTTP_X_AMZ_TARGET"].endswith(".BatchExecuteStatement") and self._named_load():
            self.loads += 1
            if self.loads == 1:
                self.instead(environ)
        return answer

    def _named_load(self) -> bool:
        latest = list(self.app._statements.values())[-1]
        return str(latest.request.get("StatementName", "")).startswith("tidemark.load.")


@pytest.mark.parametrize(("trouble", "loads"), [(lose_connection, 2), (kill_caller, 1)])
def test_a_load_whose_answer_was_lost_shows_its_rows_once(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None], loads: int
) -> None:
    """Whether the load is sent twice, or found again by its name after a crash: the rows are there once."""
    apps = laptop.cloud._endpoint._apps
    lossy = Unanswered(apps["redshift-data"], lambda environ: trouble(laptop, environ))
    monkeypatch.setitem(apps, "redshift-data", lossy)
    user = trouble.__name__
    laptop.land(f"web_logs/{user}.json", requests(user, "a", "b"))
    laptop.rest_in_time()
    assert lossy.loads == loads
    assert laptop.batch(f"web_logs/{user}.json").state is State.LOADED
    assert shown(laptop, user) == everywhere("a", "b")


def test_a_batch_that_the_warehouse_refuses_holds_nobody_back(laptop: Laptop) -> None:
    """Loaded together they fail together; alone, the good batch is loaded and the bad one waits for a person."""
    table = laptop.world.datasets["transactions"].table("transactions")
    columns = ", ".join(
        f'"{column.name}" {"VARCHAR(4)" if column.name == "store_id" else column.type.redshift}'
        for column in table.all_columns
    )
    # Somebody had such a table before, and with too little room.
    laptop.world.warehouse.apply(
        "by-hand", ["DROP TABLE IF EXISTS transactions", f"CREATE TABLE transactions ({columns})"]
    )
    laptop.land("web_logs/company.json", requests("company", "a"))
    laptop.land("transactions/company.json", purchase("company", 1, store_id="downtown"))
    laptop.rest()
    assert laptop.batch("web_logs/company.json").state is State.LOADED
    assert shown(laptop, "company") == everywhere("a")
    refused = laptop.batch("transactions/company.json")
    assert refused.state is State.QUARANTINED
    assert "Value too long for character type" in refused.reason

    bought = EqualTo("user_id", "company")
    assert laptop.lake("transactions").scan(bought).count() == 1
    discard_batch(laptop.world, refused)
    laptop.rest()
    assert laptop.batch("transactions/company.json").state is State.LOADED
    for name in ("transactions", "daily_user_totals_by_batch"):
        assert laptop.lake(name).scan(bought).count() == 0
        assert laptop.warehouse(f"SELECT COUNT(*) FROM {name} WHERE user_id = 'company'") == [(0,)]


class Killer(threading.Thread):
    """Kills the processes of functions while they are at work, at random moments, `times` times."""

    def __init__(self, laptop: Laptop, times: int) -> None:
        super().__init__(daemon=True)
        self.workers, self.times, self.victims = laptop.cloud._functions._workers, times, []
        self.random = random.Random(20261120)

    def run(self) -> None:
        while len(self.victims) < self.times:
            time.sleep(self.random.uniform(0.0, 0.5))
            busy = [name for name, worker in self.workers.items() if worker._lock.locked() and worker._process]
            for name in busy:
                self.workers[name]._process.kill()
                self.victims.append(name)


def test_killing_the_functions_at_work_costs_time_and_nothing_else(laptop: Laptop) -> None:
    """However often `kill -9` hits functions in their work, at rest every row is shown once and all counts agree."""
    logs = laptop.cloud.state_dir / "logs"
    told_before = {path: path.stat().st_size for path in logs.glob("*.log")}
    killer = Killer(laptop, times=8)
    killer.start()
    keys = [f"web_logs/killed/{number}.json" for number in range(4)]
    for number, key in enumerate(keys):
        laptop.land(key, requests("killed", f"{number}", f"{number}-more"))
        laptop.cloud.invoke("Plan", {"eager": True})
    laptop.rest_in_time()
    killer.join(60)
    for message in dead_letters(laptop):  # what was hit five times is redriven, as a person would
        send(laptop, message)
    laptop.rest_in_time()

    assert shown(laptop, "killed") == everywhere(*(f"{n}{more}" for n in range(4) for more in ("", "-more")))
    assert summarize(laptop.world, keys, 0).differences == ()
    assert len(killer.victims) >= 8
    told = "".join(path.read_text()[told_before.get(path, 0) :] for path in sorted(logs.glob("*.log")))
    assert "Traceback" not in told
