"""Delivers events as AWS does: from S3, the bus and schedules to targets, from queues and streams to functions.

Deliveries happen at least once and in any order. A failed asynchronous invocation is retried after 1 and 2 minutes (of
the clock) and then goes to its failure destination. Disabled rules receive nothing.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.delivery import s3_notifications
from local.delivery.event_bus import Event, EventBus, envelope, payload
from local.delivery.event_source_mappings import QueueSource, StreamSource
from local.delivery.lambda_records import invocation_failure
from local.delivery.schedules import due_after, next_due_after, schedule_input
from local.stack.deployment import FunctionSpec, RuleSpec, ScheduleSpec, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local.clock import Clock
    from local.lambda_runtime.functions import Response
    from local.stack.deployment import Deployment

log = logging.getLogger(__name__)
DELIVERIES = 4  #: concurrent deliveries
IDLE_SECONDS = 1.0  #: polling interval of a source without writes
TICK_SECONDS = 0.1  #: polling interval of the clock
RETRY_SECONDS = 60  #: before the first retry of an asynchronous invocation; the second waits twice as long
WRITES = {
    "sqs": frozenset({"SendMessage", "SendMessageBatch", "ChangeMessageVisibility"}),
    "dynamodb": frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}),
}


class Dispatcher:
    """Runs the rules, schedules, notifications and event source mappings of `deployment`.

    `clients` returns a boto3 client for a service name; `invoke(logical_id, event)` runs a function and waits for it.
    """

    def __init__(
        self,
        deployment: Deployment,
        clients: Callable[[str], Any],
        invoke: Callable[[str, Any], Response],
        clock: Clock,
    ) -> None:
        self.clock = clock
        self.client = clients
        self.bus = EventBus(deployment.rules, self._deliver)
        self._deployment = deployment
        self._invoke = invoke
        self._stopping = threading.Event()
        self._pending = _Counter()
        self._deliveries = ThreadPoolExecutor(DELIVERIES, thread_name_prefix="delivery")
        self._function_pools = {
            f.logical_id: ThreadPoolExecutor(1, thread_name_prefix=f.name) for f in deployment.functions
        }
        self._queue_urls: dict[str, str] = {}
        self._timers: set[threading.Timer] = set()
        self._sources: list[tuple[QueueSource | StreamSource, threading.Event, str]] = []
        self._threads: list[threading.Thread] = []
        self._unwatch: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._unwatch = s3_notifications.watch(self._deployment.event_buckets, self.bus.publish)
        for source in self._deployment.event_sources:
            if source.enabled:
                kind = QueueSource if source.kind == "sqs" else StreamSource
                self._sources.append((kind(source, self), threading.Event(), source.kind))
        self._threads = [threading.Thread(target=self._poll, args=entry[:2], daemon=True) for entry in self._sources]
        if self.clock.schedules:
            self._threads.append(threading.Thread(target=self._fire_schedules, daemon=True))
        for thread in self._threads:
            thread.start()

    def halt(self) -> None:
        """Stops accepting work; running deliveries and invocations may finish."""
        self._stopping.set()
        self._unwatch()
        for timer in list(self._timers):
            timer.cancel()
        for _, written, _ in self._sources:
            written.set()

    def stop(self) -> None:
        """Stops accepting work and waits for running invocations, each at most for its timeout."""
        self.halt()
        for pool in (self._deliveries, *self._function_pools.values()):
            pool.shutdown(wait=True, cancel_futures=True)
        for thread in self._threads:
            thread.join()

    def wake(self, service: str, operation: str) -> None:
        """Polls at once the sources that this operation may have written to."""
        if operation in WRITES.get(service, ()):
            for _, written, kind in self._sources:
                if kind == service:
                    written.set()

    def publish(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        """Publishes an event of an AWS service on the bus."""
        self.bus.publish(envelope(source, detail_type, detail, resources))

    def fire(self, logical_id: str) -> None:
        """Fires one schedule now, enabled or not; KeyError if there is none with this logical id."""
        for spec in self._timetable():
            if spec.logical_id == logical_id:
                return self._fire(spec, self.clock.now())
        raise KeyError(f"no schedule {logical_id!r}; the template has {[s.logical_id for s in self._timetable()]}")

    def idle(self) -> bool:
        """Whether no message, stream record, delivery, invocation or retry is pending."""
        started = self._pending.total
        quiet = self._pending.now == 0 and all(source.drained() for source, _, _ in self._sources)
        return quiet and self._pending.now == 0 and self._pending.total == started

    def wait_idle(self, timeout: float) -> None:
        """Returns once `idle` has held twice in a row; TimeoutError after `timeout` real seconds."""
        deadline, quiet = time.monotonic() + timeout, 0
        while quiet < 2:
            if time.monotonic() > deadline:
                raise TimeoutError(f"still busy after {timeout} s: {self._pending.now} deliveries or invocations")
            quiet = quiet + 1 if self.idle() else 0
            time.sleep(0.05)

    def invoke_async(self, function: FunctionSpec, event: Any, attempt: int = 1) -> None:
        """Queues an asynchronous invocation, with its retries and its destinations."""
        self._submit(self._function_pools[function.logical_id], self._try, function, event, attempt)

    # Methods for the event sources.

    def invoke(self, function: str, event: Any) -> Response:
        with self._pending:
            return self._invoke(function, event)

    def pause(self, seconds: float) -> bool:
        return self._stopping.wait(seconds)

    def send(self, arn: str, body: Any, attributes: Mapping[str, str] | None = None) -> None:
        """Sends `body` as JSON to the queue or topic at `arn`."""
        text = body if isinstance(body, str) else json.dumps(body)
        values = {name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()}
        service, name = arn.split(":")[2], arn.rsplit(":", maxsplit=1)[-1]
        if service == "sns":
            self.client("sns").publish(TopicArn=arn, Message=text, MessageAttributes=values)
            return
        url = self._queue_url(name)
        self.client("sqs").send_message(QueueUrl=url, MessageBody=text, MessageAttributes=values)

    # Deliveries.

    def _queue_url(self, name: str) -> str:
        if name not in self._queue_urls:
            self._queue_urls[name] = self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
        return self._queue_urls[name]

    def _deliver(self, rule: RuleSpec, target: Target, event: Event) -> None:
        self._submit(self._deliveries, self._deliver_to_target, target, payload(rule, target, event), rule.arn)

    def _deliver_to_target(self, target: Target, body: Any, origin: str) -> None:
        try:
            if ":lambda:" in target.arn:
                self.invoke_async(self._deployment.function(target.arn), body)
            else:
                self.send(target.arn, body)
        except Exception as error:
            if not target.dead_letters:
                raise
            attributes = {"RULE_ARN": origin, "TARGET_ARN": target.arn, "ERROR_CODE": type(error).__name__}
            self.send(target.dead_letters, body, attributes | {"ERROR_MESSAGE": str(error)})

    def _try(self, function: FunctionSpec, event: Any, attempt: int) -> None:
        response = self._invoke(function.logical_id, event)
        if not response.error or self._stopping.is_set():
            return
        if attempt <= function.retries:
            self._later(RETRY_SECONDS * attempt, self.invoke_async, function, event, attempt + 1)
            return
        if function.on_failure:
            self.send(function.on_failure, invocation_failure(function, event, attempt, response))
        if function.dead_letters:
            attributes = {"RequestID": response.request_id, "ErrorCode": "200"}
            message = response.payload["errorMessage"][:1024]
            self.send(function.dead_letters, event, attributes | {"ErrorMessage": message})

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[..., None], *arguments: Any) -> None:
        if self._stopping.is_set():
            return
        self._pending.add()
        try:
            future = pool.submit(self._guarded, work, *arguments)
        except RuntimeError:  # the pool has shut down in the meantime
            self._pending.done()
        else:
            future.add_done_callback(lambda _: self._pending.done())

    def _guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception:
            if not self._stopping.is_set():
                log.exception("a delivery failed, and its target has no dead-letter queue")

    def _later(self, seconds: float, work: Callable[..., None], *arguments: Any) -> None:
        self._pending.add()

        def run() -> None:
            self._timers.discard(timer)
            if not self._stopping.is_set():
                work(*arguments)
            self._pending.done()

        timer = threading.Timer(self.clock.real_seconds(seconds), run)
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    # Threads.

    def _poll(self, source: QueueSource | StreamSource, written: threading.Event) -> None:
        while not self._stopping.is_set():
            written.clear()
            try:
                worked = source.step()
            except Exception:
                if self._stopping.is_set():
                    return
                log.exception("an event source failed; retrying")
                worked = False
            if not worked:
                written.wait(IDLE_SECONDS)

    def _fire_schedules(self) -> None:
        now = self.clock.now()
        specs = {spec.logical_id: spec for spec in self._timetable() if spec.enabled}
        due = {name: due_after(spec, now) for name, spec in specs.items()}
        while not self.pause(TICK_SECONDS):
            now = self.clock.now()
            for name, at in due.items():
                if at is not None and at <= now:
                    self._fire(specs[name], at)
                    due[name] = next_due_after(specs[name], at, now)

    def _timetable(self) -> list[ScheduleSpec | RuleSpec]:
        return [*self._deployment.schedules, *(rule for rule in self._deployment.rules if rule.schedule)]

    def _fire(self, spec: ScheduleSpec | RuleSpec, at: datetime) -> None:
        if isinstance(spec, RuleSpec):
            event = envelope("aws.events", "Scheduled Event", {}, [spec.arn], at)
            for target in spec.targets:
                self._deliver(spec, target, event)
            return
        self._submit(self._deliveries, self._deliver_to_target, spec.target, schedule_input(spec, at), spec.arn)


class _Counter:
    """Counts pending work and all work so far; a `with` block counts as one piece of work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0
        self.total = 0

    def add(self) -> None:
        with self._lock:
            self.now += 1
            self.total += 1

    def done(self) -> None:
        with self._lock:
            self.now -= 1

    def __enter__(self) -> None:
        self.add()

    def __exit__(self, *_: object) -> None:
        self.done()
