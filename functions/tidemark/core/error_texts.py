"""What AWS says when a run or a load fails, and what kind of failure each text shows. Pure.

One row for each kind of text, with an example as AWS prints it and the page or thread that shows it. The first row that
matches decides, so a lasting cause stands before its effects, which AWS lists together with it. The tests try each
example.

kind         the cause                                      response (tidemark.core.failures)
-----------  ---------------------------------------------  -------------------------------------------
denied       a permission is missing                        retry, and an alarm rings
beyond       code or settings, not the files                a person must act
small        the workers had too little memory or disk      retry with larger workers
slow         the run reached its time limit                 retry once with larger workers, then split
transient    throttled, no capacity, network, a conflict    retry
unknown      anything else                                  retry once, then split; a load: halve it
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_GUIDE, _EMR = "https://docs.aws.amazon.com/", "https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/"
_REDSHIFT, _DATA_API = _GUIDE + "redshift/latest/", _GUIDE + "redshift-data/latest/APIReference/"
_S3_ERRORS = _GUIDE + "AmazonS3/latest/API/ErrorResponses.html"
_DENIED = _GUIDE + "IAM/latest/UserGuide/troubleshoot_access-denied.html"
_WORKERS = "https://github.com/aws-samples/aws-emr-utilities/pull/"
_SPARK = "https://spark.apache.org/docs/3.5.6/"

#: What EMR puts before the job's own exceptions in its details; what follows describes the job, not the service.
JOB_EXCEPTIONS = "Last few exceptions:"
_FAILED = f"Job failed, please check complete logs in configured logging destination. ExitCode: 1. {JOB_EXCEPTIONS} "
_QUOTED_NAME = re.compile(r'"[^"]*"')  # a column that is called `connection`
_KILLED = _FAILED.replace("ExitCode: 1.", "ExitCode: 137.")


@dataclass(frozen=True)
class ErrorText:
    """A text that AWS prints, and the kind of failure that it shows."""

    kind: str
    pattern: str  # regular expression, in any case
    example: str  # as AWS prints it
    source: str  # URL; "" if it is from a log of our own
    in_job: bool = True  # counts in the job's own exceptions, too; if not, a column of that name might match

    def found_in(self, text: str) -> bool:
        """Whether the text shows this failure."""
        return bool(re.search(self.pattern, text, re.IGNORECASE))


#: A permission that is missing, whichever service checks it.
DENIED = (
    ErrorText(
        "denied", r"\bAccess ?Denied(Exception)?\b",
        "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied", _S3_ERRORS,
    ),
    ErrorText(
        "denied", r"access is denied",
        "S3 access is denied. Please check S3 access permissions of the job runtime role on the required S3 resources.",
        _EMR + "troubleshooting.html",
    ),
    ErrorText(
        "denied", r"could not assume (execution )?role",
        "Could not assume execution role arn:aws:iam::123456789012:role/job because it does not exist or is not set up"
        " with the required trust relationship.", _EMR + "troubleshooting.html",
    ),
    ErrorText(
        "denied", r"not authori[sz]ed to (perform|assume)",
        "User: arn:aws:sts::123456789012:assumed-role/job/j is not authorized to perform: s3:PutObject on resource:"
        ' "arn:aws:s3:::lake/x" because no identity-based policy allows the s3:PutObject action', _DENIED,
    ),
)  # fmt: skip

RUN_TEXTS = (
    ErrorText(
        "beyond", r"\b(Import|ModuleNotFound|Syntax|Indentation|Tab)Error\b",
        _FAILED + "ModuleNotFoundError: No module named 'capacity_planner'", "",
    ),
    ErrorText(
        "beyond", r"ClassNotFoundException|NoClassDefFoundError",
        _FAILED + "java.lang.ClassNotFoundException: org.example.Missing", "",
    ),
    ErrorText(
        "beyond", r"\bNoSuchBucket\b", _FAILED + "NoSuchBucket: The specified bucket does not exist", _S3_ERRORS
    ),
    ErrorText(
        "beyond",
        r"\bjobs/\S+.{0,80}(not exist|not found|no such)|(not exist|not found|no such|NoSuchKey).{0,80}\bjobs/",
        "cannot read s3://control/jobs/run_batch.py: An error occurred (404): Not Found", "",
    ),
    ErrorText(
        "beyond", r"initialExecutors.{0,20} must be between",
        "Maximum value of spark.dynamicAllocation.initialExecutors: 3 must be between"
        " spark.dynamicAllocation.minExecutor 1 and spark.dynamicAllocation.maxExecutors 2.", _WORKERS + "175",
    ),
    ErrorText(
        "beyond", r"AuthorizationHeaderMalformed|PermanentRedirect|the region '[\w-]+' is wrong|must specify a region",
        _FAILED + "An error occurred (AuthorizationHeaderMalformed) when calling the GetObject operation: The"
        " authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'", _S3_ERRORS,
    ),
    *DENIED,
    ErrorText(
        "small", r"exit ?code:? 137\b|memory usage exceeded",
        _KILLED + "Worker has been killed as memory usage exceeded configured memory size, consider increasing memory"
        " size", "https://github.com/aws-samples/aws-emr-utilities/issues/167",
    ),
    ErrorText(
        "small", r"OutOfMemory|java heap space|GC overhead|\bMemoryError\b|killed by .{0,20}exceeding memory limits",
        _FAILED + "java.lang.OutOfMemoryError: Java heap space", "",
    ),
    ErrorText(
        "small", r"no space left|disk (is )?full", _FAILED + "java.io.IOException: No space left on device", ""
    ),
    # The executor's end is the effect of a task that kills its worker.
    ErrorText(
        "unknown", r"caused by one of the running tasks",
        _FAILED + "ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: Remote RPC client"
        " disassociated", _SPARK + "monitoring.html",
    ),
    ErrorText(
        "transient", r"SlowDown\b|reduce your request rate|\bServiceUnavailable\b|503 Service Unavailable",
        _FAILED + "software.amazon.awssdk.services.s3.model.S3Exception: Please reduce your request rate. (Service: S3,"
        " Status Code: 503)", _S3_ERRORS,
    ),
    ErrorText(
        "transient", r"\bThrottling(Exception)?\b",
        "ThrottlingException: Rate exceeded", _GUIDE + "emr-serverless/latest/APIReference/CommonErrors.html",
    ),
    ErrorText(
        "transient", r"\bconnection reset\b|\b(Socket|Read|Connect)Timeout(Error|Exception)\b",
        _FAILED + "java.net.SocketException: Connection reset", "",
    ),
    ErrorText(
        "transient", r"unrelated to the running tasks",
        _FAILED + "ExecutorLostFailure (executor 3 exited unrelated to the running tasks) Reason: Executor is lost",
        _SPARK + "monitoring.html",
    ),
    ErrorText(
        "transient", r"task .* failed \d+ times.*(lost executor|ExecutorLost)|lost executor", "lost executor 3", "",
        in_job=False,
    ),
    ErrorText("unknown", r"task .* failed \d+ times", _FAILED + "Task 0 in stage 1.0 failed 4 times", ""),
    ErrorText(
        "transient", r"capacity",
        "ApplicationMaxCapacityExceededException: Worker could not be allocated as the application has exceeded"
        " maximumCapacity settings: [cpu: 16 vCPU]", _EMR + "troubleshooting.html", in_job=False,
    ),
    ErrorText(
        "transient", r"maximum v?cpu\b|\bv?cpu quota|quota ?exceeded",
        "Job failed as account has reached the service limit on the maximum vCPU it can use concurrently.",
        _EMR + "troubleshooting.html", in_job=False,
    ),
    ErrorText(
        "transient", r"rate exceeded|throttl|internal ?(server ?)?(error|exception)|service ?unavailable",
        "InternalServerException: Request processing has failed because of an unknown error",
        _GUIDE + "emr-serverless/latest/APIReference/API_StartJobRun.html", in_job=False,
    ),
    ErrorText(
        "transient", r"connection (refused|aborted)|(connect|connection|read|socket|request) ?timed ?out"
        r"|(Socket|Connect|Read|Request|Queue) ?time-?out",
        "the run waited too long in the queue: queue timeout", "", in_job=False,
    ),
    ErrorText("transient", r"preempt|\bcancell?ed\b", "Job run was cancelled by the user", "", in_job=False),
)  # fmt: skip

#: A time limit that has passed. AWS does not document the text, so the run's duration counts as well.
SLOW = ErrorText(
    "slow", r"execution ?time-?out|\bjob ?(run )?(has )?timed out\b|\bthe run timed out\b",
    "Job run timed out after 120 minutes", "", in_job=False,
)  # fmt: skip

LOAD_TEXTS = (
    ErrorText(
        "denied", r"permission denied",
        "ERROR: permission denied for schema public", _REDSHIFT + "dg/r_GRANT.html",
    ),
    *DENIED,
    ErrorText(
        "transient", r"serializable isolation",
        "ERROR: 1023 DETAIL: Serializable isolation violation on table - 100197, transactions forming the cycle are:"
        " 2084, 2085 (pid:5026)", _REDSHIFT + "dg/c_serial_isolation.html",
    ),
    ErrorText(
        "transient", r"conflict with concurrent transaction",
        "ERROR: Could not complete because of conflict with concurrent transaction [SQLState: XX000]",
        _REDSHIFT + "dg/c_serial_isolation.html",
    ),
    ErrorText(
        "transient", r"concurrent transaction conflict",
        'ERROR: duplicate key violates unique constraint "pg_class_relname_nsp_index" (possibly caused by concurrent'
        " transaction conflict)", "",
    ),
    ErrorText("transient", r"deadlock", "ERROR: deadlock detected", _REDSHIFT + "dg/r_LOCK.html"),
    ErrorText(
        "transient", r"(?<!of )(relation|schema) .{0,200}does not exist",
        'ERROR: relation "public.web_events" does not exist', "",
    ),
    ErrorText(
        "transient", r"usage limit",
        "ERROR: Query reached usage limit", _REDSHIFT + "mgmt/serverless-workgroup-max-rpu.html",
    ),
    ErrorText(
        "transient", r"(warehouse|workgroup|cluster) .{0,80}paused|resum",
        "The cluster my-cluster is paused", _REDSHIFT + "mgmt/rs-mgmt-pause-resume-cluster.html",
    ),
    ErrorText(
        "transient", r"insufficient ?capacity",
        "InsufficientCapacityException: There is not enough capacity to perform the action.",
        _GUIDE + "redshift-serverless/latest/APIReference/API_CreateWorkgroup.html",
    ),
    ErrorText(
        "transient", r"slow ?down|reduce your request rate",
        "ERROR: S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown", _S3_ERRORS,
    ),
    ErrorText(
        "transient", r"throttl|rate exceeded|too many",
        "An error occurred (ThrottlingException) when calling the BatchExecuteStatement operation: Rate exceeded",
        _REDSHIFT + "mgmt/data-api.html",
    ),
    ErrorText(
        "transient", r"active (statements|sessions) exceed",
        "An error occurred (ActiveStatementsExceededException) when calling the BatchExecuteStatement operation: The"
        " number of active statements exceeds the limit.", _DATA_API + "API_BatchExecuteStatement.html",
    ),
    ErrorText(
        "transient", r"maximum number of active sessions",
        "An error occurred (ActiveSessionsExceededException) when calling the BatchExecuteStatement operation: The"
        " Amazon Redshift Data API operation failed because the maximum number of active sessions exceeded.",
        _DATA_API + "API_BatchExecuteStatement.html",
    ),
    ErrorText(
        "transient", r"timed? ?out|timeout|aborted|cancel(led|ed) (by|on|due)",
        "ERROR: Query (1234) cancelled on user's request", _REDSHIFT + "dg/cancel_query.html",
    ),
    ErrorText(
        "transient", r"unavailable|connection",
        "An error occurred (DatabaseConnectionException) when calling the BatchExecuteStatement operation: Connection"
        " to a database failed.",
        _DATA_API + "API_BatchExecuteStatement.html",
    ),
    ErrorText(
        "transient", r"internal ?(server ?)?(error|exception)",
        "An error occurred (InternalServerException) when calling the BatchExecuteStatement operation: The Amazon"
        " Redshift Data API operation failed due to invalid input.", _DATA_API + "API_BatchExecuteStatement.html",
    ),
    ErrorText("transient", r"disk full", "ERROR: Disk Full", _REDSHIFT + "dg/r_STV_NODE_STORAGE_CAPACITY.html"),
    ErrorText("transient", r"out of memory", "ERROR: Out Of Memory", ""),
    # Each load writes its manifest anew.
    ErrorText(
        "transient", r"problem reading manifest",
        "ERROR: Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error"
        " NoSuchKey", "",
    ),
)  # fmt: skip

#: Codes of a call that AWS refused only for the moment.
TRANSIENT_CODES = frozenset(
    (
        "ActiveSessionsExceededException",
        "ActiveStatementsExceededException",
        "ConcurrentModificationException",
        "InternalError",
        "InternalServerException",
        "RequestTimeout",
        "ServiceQuotaExceededException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "500",
        "503",
    )
)
#: Codes of a call for which the caller lacks a permission.
DENIED_CODES = frozenset(("AccessDenied", "AccessDeniedException", "403", "Forbidden"))


def run_kind(details: str) -> str:
    """The kind of failure that EMR's details of a run show."""
    service = details.partition(JOB_EXCEPTIONS)[0]
    return next((row.kind for row in RUN_TEXTS if row.found_in(details if row.in_job else service)), "unknown")


def job_kind(message: str) -> str:
    """The kind of failure that an exception of the job shows."""
    return next((row.kind for row in RUN_TEXTS if row.in_job and row.found_in(message)), "unknown")


def is_denied(reason: str) -> bool:
    """Whether a batch's reason shows that its run or load lacked a permission."""
    return "denied" in (run_kind(reason), load_kind(reason))


def call_kind(code: str) -> str:
    """The kind of failure that the code of a refused call shows."""
    return "transient" if code in TRANSIENT_CODES else "denied" if code in DENIED_CODES else "unknown"


def says_slow(details: str) -> bool:
    """Whether EMR's own words are that the run reached its time limit."""
    return SLOW.found_in(details.partition(JOB_EXCEPTIONS)[0])


def load_kind(message: str) -> str:
    """The kind of failure that the warehouse's message shows; names in quotes say nothing about the warehouse."""
    unquoted = _QUOTED_NAME.sub("", message)
    return next((row.kind for row in LOAD_TEXTS if row.found_in(unquoted)), "unknown")
