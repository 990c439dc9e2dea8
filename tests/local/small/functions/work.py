"""Does what its event says: return its environment, fail, hang, die, print."""

import os
import sys
import time
from typing import Any


def handler(event: Any, context: Any) -> Any:
    print("work", event)
    match event.get("do"):
        case "fail":
            raise ValueError("as told")
        case "hang":
            time.sleep(60)
        case "die":
            os._exit(7)
        case "unspeakable":
            return {1, 2}
        case "environment":
            return dict(os.environ)
        case "context":
            return {
                "name": context.function_name,
                "arn": context.invoked_function_arn,
                "remaining": context.get_remaining_time_in_millis(),
                "request_id": context.aws_request_id,
                "memory": context.memory_limit_in_mb,
                "pid": os.getpid(),
                "path": sys.path[0],
            }
    if event.get("detail", {}).get("fail"):
        raise ValueError("as the hint told")
    return event
