"""The steps of a proof, in order. docs/architecture.md names the step of each thing that only an account can prove."""

from __future__ import annotations

from decimal import Decimal

from prove import story, trials
from prove.stage import Stage
from prove.step import Step

STEPS: tuple[Step[Stage], ...] = (
    Step(
        "traffic",
        "Every valid record is in lake and warehouse once, to the row and to the cent.",
        "the generator's own totals in both",
        story.land_traffic,
        Decimal("0.30"),
    ),
    Step(
        "again",
        "A file that is brought in a second time changes nothing.",
        "all keys seen, none brought in",
        story.bring_in_again,
        Decimal("0.01"),
    ),
    Step(
        "overwrite",
        "The rows of an overwritten file are replaced.",
        "the new rows alone",
        story.overwrite,
        Decimal("0.15"),
    ),
    Step(
        "poison",
        "A file that cannot be read to its end is set aside with its reason, and disturbs no other.",
        "a reason, and the other file's row",
        story.poison,
        Decimal("0.10"),
    ),
    Step(
        "killed-run",
        "A job run that dies is repeated, and its rows come once.",
        "a later attempt, each row once",
        story.kill_a_run,
        Decimal("0.15"),
    ),
    Step(
        "key-encoding",
        "EventBridge gives S3 keys literally.",
        "the file is found under its key",
        trials.key_encoding,
        Decimal("0.10"),
    ),
    Step(
        "database-user",
        "The loader's database user is called IAMR:<role>.",
        "an owner that begins with IAMR:",
        trials.database_user,
        account_only="the laptop cloud's warehouse has no users",
    ),
    Step(
        "copy-codecs",
        "COPY reads Parquet pages in the codecs that its page names.",
        "snappy and gzip FINISHED; zstd is recorded",
        trials.copy_codecs,
        Decimal("0.05"),
    ),
    Step(
        "row-width",
        "A row of more than 65,535 bytes is refused by INSERT.",
        "the short row FINISHED, the long one FAILED",
        trials.row_width,
        Decimal("0.01"),
    ),
    Step(
        "loads-at-once",
        "Two loads of one table that begin with LOCK wait for each other, and neither fails.",
        "both FINISHED, one row left",
        trials.loads_at_once,
        Decimal("0.01"),
    ),
    Step(
        "statement-token",
        "The Data API runs a statement once for each client token.",
        "one id for both calls",
        trials.statement_token,
    ),
    Step(
        "run-token",
        "EMR Serverless remembers a client token for five minutes at least.",
        "the same run after 300 s",
        trials.run_token,
        Decimal("0.05"),
    ),
    Step(
        "application-states",
        "EMR Serverless neither updates a started application, nor stops one with an unfinished run.",
        "an error for each",
        trials.application_states,
        Decimal("0.01"),
    ),
    Step(
        "capacity",
        "A driver for whose executor the application has no capacity left waits for it.",
        "the run goes on",
        trials.capacity,
        Decimal("0.02"),
    ),
    Step(
        "start-times",
        "Start and work of small runs are as docs/performance.md says.",
        "a measurement",
        trials.start_times,
    ),
    Step(
        "region",
        "A run outside us-east-1 uses the services of its own region.",
        "runs that succeed there",
        trials.region,
    ),
    Step(
        "alarms",
        "The alarm on files that cannot be read rings.",
        "its state is ALARM within 15 minutes of the poisoned file",
        trials.alarms,
        account_only="the laptop cloud evaluates no alarm",
    ),
    Step(
        "adoption",
        "What a deleted stack leaves is adopted by the next one of its name, with every row.",
        "as many rows as before, and a new file is loaded",
        trials.adoption,
        Decimal("0.15"),
        account_only="the laptop cloud has no CloudFormation to import by; tests/local/test_two_stacks.py adopts there",
    ),
    Step(
        "prices",
        "The prices in docs/architecture.md are the list's.",
        "a measurement",
        trials.prices,
        account_only="the laptop cloud has no price list",
    ),
    Step(
        "bill",
        "A proof costs less than two dollars.",
        "a measurement",
        trials.bill,
        account_only="the laptop cloud charges nothing",
    ),
)
