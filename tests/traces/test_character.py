"""A load has the character that was asked for; what can't be made is refused by its flag."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tandem.errors import InvalidInputError
from tandem.traces.arrivals import ArrivalLaw
from tandem.traces.character import Character, EncodeLaw, generated
from tandem.traces.conversations import BLOCK_TOKENS, ConversationLaw
from tandem.traces.lengths import LengthLaw
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest
from tandem.traces.waves import Wave

PLAIN = Character(
    duration_s=600.0,
    arrivals=ArrivalLaw(rate_rps=5.0),
    input=LengthLaw(mean=1000.0, cv=1.0),
    output=LengthLaw(mean=200.0, cv=1.0),
)
TALK = replace(
    PLAIN,
    duration_s=1200.0,
    conversations=ConversationLaw(turns=5.0, added=LengthLaw(mean=300.0, cv=1.0), think_s=10.0),
)


def sessions(trace: Trace) -> dict[str, list[TraceRequest]]:
    found: dict[str, list[TraceRequest]] = {}
    for request in trace.requests:
        found.setdefault(request.session, []).append(request)
    return found


def test_a_load_lasts_what_was_asked_with_its_quiet_end() -> None:
    rare = replace(PLAIN, arrivals=ArrivalLaw(rate_rps=0.01))
    trace = generated(rare, "rare", seed=1)
    assert trace.duration_s == 600.0 > trace.requests[-1].arrival_s
    assert trace.name == "rare"


def test_equal_seeds_give_equal_loads() -> None:
    for character in (PLAIN, TALK):
        assert generated(character, "a", 1) == generated(character, "a", 1)
        assert generated(character, "a", 1) != generated(character, "a", 2)


def test_every_turn_counts_for_the_rate_from_the_very_begin() -> None:
    trace = generated(TALK, "talk", seed=1)
    counts, _ = np.histogram([r.arrival_s for r in trace.requests], bins=4, range=(0, 1200))
    assert counts / 300 == pytest.approx(5.0, rel=0.15)


def test_a_context_grows_by_the_answer_and_some_more_and_shares_its_full_blocks() -> None:
    for turns in sessions(generated(TALK, "talk", seed=2)).values():
        for before, after in pairwise(turns):
            assert after.input_tokens > before.input_tokens + before.output_tokens
            full = before.input_tokens // BLOCK_TOKENS
            assert after.hash_ids[:full] == before.hash_ids[:full]
            assert not set(after.hash_ids[full:]) & set(before.hash_ids)
            assert after.arrival_s > before.arrival_s + after.think_s > before.arrival_s


def test_a_prompt_has_a_block_for_each_512_tokens_and_part_of_them() -> None:
    for request in generated(TALK, "talk", seed=3).requests:
        assert len(request.hash_ids) == -(-request.input_tokens // BLOCK_TOKENS)


def test_sessions_share_no_block_and_begin_without_thinking() -> None:
    found = sessions(generated(TALK, "talk", seed=4))
    blocks = [{block for turn in turns for block in turn.hash_ids} for turns in found.values()]
    assert sum(map(len, blocks)) == len(set.union(*blocks))
    assert {turns[0].think_s for turns in found.values()} == {0.0}


def test_a_session_ends_when_its_context_is_full() -> None:
    short = replace(TALK, input=replace(TALK.input, longest=2000))
    assert max(r.input_tokens for r in generated(short, "short", seed=1).requests) <= 2000


@pytest.mark.parametrize(
    ("character", "flag"),
    [
        pytest.param(replace(PLAIN, duration_s=0.0), "--duration", id="no time"),
        pytest.param(replace(PLAIN, duration_s=float("inf")), "--duration", id="endless"),
        pytest.param(replace(PLAIN, duration_s=1e9), "--duration", id="decades"),
        pytest.param(replace(PLAIN, arrivals=ArrivalLaw(rate_rps=0.0)), "--rate", id="no rate"),
        pytest.param(
            replace(PLAIN, arrivals=ArrivalLaw(rate_rps=1e6)), "--rate", id="more than memory holds"
        ),
        pytest.param(
            replace(PLAIN, arrivals=ArrivalLaw(rate_rps=1e-9)), "--rate", id="no request comes"
        ),
        pytest.param(
            replace(PLAIN, arrivals=ArrivalLaw(rate_rps=1.0, gap_cv=float("nan"))),
            "--gap-cv",
            id="no number",
        ),
        pytest.param(
            replace(PLAIN, arrivals=ArrivalLaw(rate_rps=1.0, idle_s=60.0)),
            "--gap-cv",
            id="idle spells that vary nothing",
        ),
        pytest.param(
            replace(PLAIN, arrivals=ArrivalLaw(rate_rps=1.0, gap_cv=13.0, idle_s=60.0)),
            "--gap-cv",
            id="more variation than such idle spells have",
        ),
        pytest.param(
            replace(TALK, arrivals=ArrivalLaw(rate_rps=2.0, gap_cv=13.0, idle_s=120.0)),
            "--gap-cv",
            id="sessions begin more seldom than requests",
        ),
        pytest.param(
            replace(PLAIN, arrivals=ArrivalLaw(rate_rps=1.0, amplitude=1.5)),
            "--wave-amplitude",
            id="negative rate",
        ),
        pytest.param(
            replace(PLAIN, arrivals=ArrivalLaw(rate_rps=1.0, wave=Wave(period_s=0.0))),
            "--wave-period",
            id="no period",
        ),
        pytest.param(
            replace(PLAIN, input=LengthLaw(mean=0.0)), "--input-mean", id="prompts of nothing"
        ),
        pytest.param(
            replace(PLAIN, output=LengthLaw(mean=9.0, cv=-1.0)), "--output-cv", id="negative"
        ),
        pytest.param(
            replace(PLAIN, input=LengthLaw(mean=9.0, swing=0.5)), "--drift", id="drift below 1"
        ),
        pytest.param(
            replace(PLAIN, encode=EncodeLaw(share=1.5, tokens=LengthLaw(mean=9.0))),
            "--encode-share",
            id="more images than requests",
        ),
        pytest.param(
            replace(TALK, conversations=ConversationLaw(turns=0.5, added=TALK.input, think_s=1.0)),
            "--turns",
            id="half a turn",
        ),
    ],
)
def test_what_no_load_can_be_made_of_is_refused(character: Character, flag: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{flag}: "):
        generated(character, "any", seed=1)
