"""predict: answers HTTP requests for the segments of customers. docs/openapi.yaml describes requests and responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from tidemark.adapters.world import World
from tidemark.core.errors import Transient
from tidemark.core.strict_json import strict_loads
from tidemark.observability import logger, metrics
from tidemark.segmentation.predict import BODY_BYTES_MAX, DEPTH_MAX, Refused, TooLarge, describe, predict
from tidemark.segmentation.registry import Models
from tidemark.wiring import world

RETRY_SECONDS = 60  # as often as the function looks for a newer model

app = APIGatewayHttpResolver()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Routes a request; event and response have payload format 2.0."""
    return app.resolve(event, context)


@app.post("/predict")
def _predict() -> Response[str]:
    content_type = app.current_event.headers.get("content-type") or "none"
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return _respond(415, {"error": f"expected content-type application/json, found {content_type}"})
    try:
        body = app.current_event.decoded_body or ""
        size = len(body.encode())
        if size > BODY_BYTES_MAX:
            raise TooLarge(f"expected at most {BODY_BYTES_MAX} bytes, found {size}")
        request = strict_loads(body, DEPTH_MAX)
    except ValueError as error:
        return _respond(400, {"error": f"expected JSON, found: {error}"})
    return _respond(200, predict(_models(world()), request))


@app.get("/model")
def _model() -> Response[str]:
    return _respond(200, describe(_models(world())))


@cache
def _models(world: World) -> Models:
    """Returns the models of the world; cached, because they hold the model that was read last."""
    return Models(world.store, world.settings.lake_bucket, world.clock)


@app.exception_handler(Refused)
def _refused(error: Refused) -> Response[str]:
    return _respond(422, {"error": str(error), "problems": error.problems})


@app.exception_handler(TooLarge)
def _too_large(error: TooLarge) -> Response[str]:
    return _respond(413, {"error": str(error)})


@app.exception_handler(Transient)
def _unavailable(error: Transient) -> Response[str]:
    return _respond(503, {"error": str(error)}, {"Retry-After": str(RETRY_SECONDS)})


@app.not_found
def _not_found(_: NotFoundError) -> Response[str]:
    path = app.current_event.path
    return _respond(
        404, {"error": f"expected POST /predict or GET /model, found {app.current_event.http_method} {path}"}
    )


def _respond(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response[str]:
    return Response(status, "application/json", json.dumps(body), dict(headers or {}))
