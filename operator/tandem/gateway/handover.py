"""The bodies of both legs, and the hand-over that joins them.

The prefill leg is the user's request for one token that nobody reads, with the mark that its KV will
be fetched. Its answer says where the KV lies; the decode leg is the user's request with exactly what
that answer said. What it says is the engines' affair: it is passed on whole, never key by key.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.api.role import Role
from tandem.gateway.failures import LegFailedError
from tandem.gateway.request import ClientRequest, Endpoint

FETCHED_LATER = {
    "do_remote_decode": True,
    "do_remote_prefill": False,
    "remote_engine_id": None,
    "remote_block_ids": None,
    "remote_host": None,
    "remote_port": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """KV that waits at a prefill pod: where, how many tokens, and until when it may be asked for."""

    params: Mapping[str, Any]
    prompt_tokens: int
    cached_tokens: int
    usable_until_s: float


def prefill_body(request: ClientRequest) -> bytes:
    """The user's request for one token, not streamed, whose KV will be fetched."""
    return _dump({**_one_token(request), "stream": False, "kv_transfer_params": FETCHED_LATER})


def decode_body(request: ClientRequest, handover: Handover) -> bytes:
    """The user's request with the hand-over in it."""
    body = {**request.body, "kv_transfer_params": handover.params}
    if not request.stream:
        body.pop("stream_options", None)
    return _dump(body)


def release_body(request: ClientRequest, handover: Handover) -> bytes:
    """A decode leg whose only purpose is that its KV is fetched or let go; it ends by itself."""
    return _dump(
        {**_one_token(request), "stream": True, "kv_transfer_params": handover.params},
    )


def parse_prefill(answer: bytes, pod: str, usable_until_s: float) -> Handover:
    """The hand-over of a prefill leg's answer; an engine that is about to go gives none."""
    try:
        body = json.loads(answer)
        params, usage = body["kv_transfer_params"], body["usage"]
        prompt_tokens = int(usage["prompt_tokens"])
    except (ValueError, KeyError, TypeError):
        raise LegFailedError(Role.PREFILL, "error", pod) from None
    if not params:
        raise LegFailedError(Role.PREFILL, _why_no_kv(body), pod)
    return Handover(
        params=params,
        prompt_tokens=prompt_tokens,
        cached_tokens=_cached_tokens(usage, params),
        usable_until_s=usable_until_s,
    )


def _why_no_kv(body: Mapping[str, Any]) -> str:
    aborted = any(choice.get("finish_reason") == "abort" for choice in body.get("choices", ()))
    return "abort" if aborted else "no_kv"


def _cached_tokens(usage: Mapping[str, Any], params: Mapping[str, Any]) -> int:
    """Prompt tokens that the prefill pod found in its prefix cache; 0 where it does not say."""
    details = usage.get("prompt_tokens_details") or {}
    return int(details.get("cached_tokens") or params.get("remote_prefill_cached_tokens") or 0)


def _one_token(request: ClientRequest) -> dict[str, Any]:
    body = {**request.body, "max_tokens": 1}
    if request.endpoint is Endpoint.CHAT:
        body["max_completion_tokens"] = 1
    for field in ("stream_options", "min_tokens"):  # both are refused beside what is set above
        body.pop(field, None)
    return body


def _dump(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
