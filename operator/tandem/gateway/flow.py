"""A request's life: it is checked, waits, is tried on pairs of pods, and its account is told."""

import asyncio
import itertools
import logging
import time
from http import HTTPStatus
from math import ceil

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.gateway.account import Account
from tandem.gateway.attempt import Attempt
from tandem.gateway.client import Client
from tandem.gateway.desk import Desk
from tandem.gateway.failures import LegFailedError, RefusedByEngineError, WaitedTooLongError
from tandem.gateway.metrics import Outcome
from tandem.gateway.request import ClientRequest, Endpoint, parse

# Users may send the same X-Request-Id twice; each try needs a name of its own.
_numbers = itertools.count()
_log = logging.getLogger("tandem.gateway")
_JSON = {"content-type": "application/json"}


async def serve(desk: Desk, endpoint: Endpoint, request_id: str, client: Client) -> None:
    """Answer one user; a wrong request is told so and is no arrival."""
    arrival_s = time.monotonic()
    try:
        content = await client.body()
        if client.is_gone:
            return
        request = parse(endpoint, content, request_id, client.forwarded())
        desk.sizing.check(request)
    except InvalidInputError as error:
        desk.metrics.finished(Outcome.INVALID)
        await client.refuse(HTTPStatus.BAD_REQUEST, str(error), error.field)
        return
    desk.metrics.arrived(arrival_s)
    async with client.watched():
        await _accounted(desk, request, client, arrival_s)


async def _accounted(desk: Desk, request: ClientRequest, client: Client, arrival_s: float) -> None:
    """Answer, and tell the metrics what the user felt, however it ends."""
    account = Account(desk.metrics, desk.settings, arrival_s)
    outcome = Outcome.ERROR
    try:
        outcome = await _answered(desk, request, client, account)
    except asyncio.CancelledError:
        outcome = Outcome.CANCELLED
        if not client.is_gone:
            outcome = Outcome.CUT
            await client.break_off("the gateway is shutting down")
        raise
    finally:
        account.end(outcome)


async def _answered(
    desk: Desk, request: ClientRequest, client: Client, account: Account
) -> Outcome:
    """What became of the request; the user has been told."""
    if desk.dispatch.queued_requests >= desk.settings.max_queue:
        return await _refuse_full(desk, client)
    try:
        return await _tried(desk, request, client, account)
    except RefusedByEngineError as refusal:
        await client.answer(refusal.status, refusal.body, _JSON)
        return Outcome.INVALID
    except WaitedTooLongError:
        waited = f"no pod came free within {desk.settings.max_wait_s:g} s"
        lacking = desk.pods.lack()
        message = f"{waited}: {lacking}" if lacking else waited
        await client.refuse(HTTPStatus.SERVICE_UNAVAILABLE, message, retry_after_s=1)
        return Outcome.REFUSED
    except LegFailedError as failure:
        message = f"every try failed; the last: {failure}"
        await client.refuse(HTTPStatus.BAD_GATEWAY, message)
        return Outcome.ERROR


async def _tried(desk: Desk, request: ClientRequest, client: Client, account: Account) -> Outcome:
    """Try pair after pair; each try keeps the arrival, and so the deadline, of the first."""
    for _ in range(desk.settings.retries):
        try:
            return await _attempt(desk, request, client, account).run()
        except LegFailedError as failure:
            desk.metrics.retries.add(failure.leg, failure.reason)
            _log.info("%s: %s; tried again", request.request_id, failure)
    return await _attempt(desk, request, client, account).run()


def _attempt(desk: Desk, request: ClientRequest, client: Client, account: Account) -> Attempt:
    """One more try, sized by what is known now."""
    key = f"{request.request_id}#{next(_numbers)}"
    route = desk.sizing.route_request(request, key, account.arrival_s, desk.dispatch.decode_step_s)
    return Attempt(desk, request, route, client, account)


async def _refuse_full(desk: Desk, client: Client) -> Outcome:
    waiting = desk.dispatch.queued_requests
    seconds = desk.sizing.drained_s(desk.dispatch.queued_tokens, desk.pods.ready(Role.PREFILL))
    await client.refuse(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"{waiting} requests wait already",
        retry_after_s=max(1, ceil(seconds)),
    )
    return Outcome.REFUSED
