"""Timelines of one engine, calculated by hand to the nanosecond."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.perf.engine import Engine
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    KvCache,
    PrefillCost,
    TransferCost,
)
from tandem.perf.sequence import Sequence, Stage
from tandem.perf.step import Outcome, Step

NS = 1e-9

# Prefill 10 ms + 0.1 ms a token + 1 us a token²; decode 5 ms + 1 ms a sequence + 10 us a token.
PROFILE = EngineProfile(
    name="by-hand",
    model="test/by-hand",
    accelerator="nvidia-test",
    accelerators=1,
    prefill=PrefillCost(a_s=0.010, b_s_per_token=1e-4, c_s_per_token2=1e-6),
    decode=DecodeCost(alpha_s=0.005, beta_s_per_sequence=1e-3, gamma_s_per_token=1e-5),
    kv=KvCache(bytes_per_token=1000, capacity_tokens=16_000, block_tokens=16),
    transfer=TransferCost(latency_s=0.001, bandwidth_bytes_per_s=1e6),
    batch_cap=8,
    batch_tokens=100,
)
FOUR_BLOCKS = replace(PROFILE, kv=replace(PROFILE.kv, capacity_tokens=64))


def sequence(
    key: str = "a",
    input_tokens: int = 50,
    output_tokens: int = 3,
    *,
    cached_tokens: int = 0,
    remote_kv: bool = False,
    pin: bool = False,
    emitted_before: int = 0,
) -> Sequence:
    return Sequence(
        key=key,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached_tokens,
        remote_kv=remote_kv,
        pin=pin,
        emitted_before=emitted_before,
    )


def engine(*sequences: Sequence, profile: EngineProfile = PROFILE) -> Engine:
    made = Engine(profile)
    for one in sequences:
        made.add(one)
    return made


def step(made: Engine) -> tuple[Step, Outcome]:
    begun = made.begin()
    assert begun is not None
    return begun, made.end()


def decoding(made: Engine, *sequences: Sequence) -> Engine:
    """An engine whose sequences have their prompts behind them."""
    for one in sequences:
        made.add(one)
    while any(one.stage is not Stage.DECODING for one in sequences):
        step(made)
    return made


def load(made: Engine) -> Sequence:
    taken = made.next_load()
    assert taken is not None
    made.loaded(taken.key)
    return taken


def keys(sequences: Iterable[Sequence]) -> list[str]:
    return [one.key for one in sequences]


# -- steps of known length ------------------------------------------------------------------------


def test_one_prompt_and_its_tokens() -> None:
    made = engine(sequence(input_tokens=50, output_tokens=3))
    prompt, after_prompt = step(made)
    assert prompt.seconds == pytest.approx(0.010 + 0.005 + 0.0025, abs=NS)
    assert keys(after_prompt.prefilled) == ["a"]
    assert not after_prompt.finished
    second, after_second = step(made)
    assert second.seconds == pytest.approx(0.005 + 0.001 + 51e-5, abs=NS)
    assert not after_second.prefilled
    assert not after_second.finished
    third, after_third = step(made)
    assert third.seconds == pytest.approx(0.005 + 0.001 + 52e-5, abs=NS)
    assert keys(after_third.finished) == ["a"]
    assert made.begin() is None


def test_a_prompt_longer_than_the_budget_is_computed_in_chunks() -> None:
    made = engine(sequence(input_tokens=250, output_tokens=1))
    seconds = [0.010 + 0.010 + 0.010, 0.010 + 0.010 + 0.030, 0.010 + 0.005 + 0.0225]
    spans = [(0, 100), (100, 200), (200, 250)]
    for expected_s, span in zip(seconds, spans, strict=True):
        begun, outcome = step(made)
        assert begun.seconds == pytest.approx(expected_s, abs=NS)
        assert [chunk[1:] for chunk in begun.chunks] == [span]
    assert keys(outcome.prefilled) == keys(outcome.finished) == ["a"]
    assert sum(seconds) == pytest.approx(PROFILE.prefill_s(250), abs=NS)


def test_a_short_prompt_rides_in_what_a_long_one_leaves_of_the_budget() -> None:
    made = engine(sequence("long", 130, 1), sequence("short", 100, 1))
    assert [(c[0].key, *c[1:]) for c in step(made)[0].chunks] == [("long", 0, 100)]
    second, outcome = step(made)
    assert [(c[0].key, *c[1:]) for c in second.chunks] == [("long", 100, 130), ("short", 0, 70)]
    assert keys(outcome.finished) == ["long"]
    assert second.seconds == pytest.approx(0.010 + 0.010 + 1e-6 * (130**2 - 100**2 + 70**2), abs=NS)
    assert [(c[0].key, *c[1:]) for c in step(made)[0].chunks] == [("short", 70, 100)]


def test_a_mixed_step_pays_the_larger_fixed_cost_and_every_marginal_one() -> None:
    made = decoding(engine(), sequence("old", 50, 10))
    made.add(sequence("new", 40, 10))
    mixed, outcome = step(made)
    assert mixed.decoding == 1
    assert mixed.seconds == pytest.approx(
        0.010 + 0.004 + 0.0016 + 0.001 + 51e-5, abs=NS
    )  # 10 ms, the larger of 10 and 5
    assert keys(outcome.prefilled) == ["new"]
    both, _ = step(made)
    assert both.seconds == pytest.approx(0.005 + 0.002 + (52 + 41) * 1e-5, abs=NS)


def test_decodes_come_before_prompts_in_the_budget() -> None:
    made = decoding(engine(), sequence("old", 50, 10))
    made.add(sequence("new", 100, 1))
    assert step(made)[0].chunks[0][1:] == (0, 99)


@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=8),
    st.integers(1, 30),
)
def test_k_iterations_take_the_closed_form(inputs: list[int], k: int) -> None:
    """K (α + β B) + γ (k C0 + B k (k − 1) / 2), C0 the context of the first of them."""
    each = [sequence(f"s{i}", n, 200) for i, n in enumerate(inputs)]
    made = decoding(engine(), *each)
    batch, context = len(each), sum(one.input_tokens + made.emitted(one) for one in each)
    took_s = sum(step(made)[0].seconds for _ in range(k))
    assert took_s == pytest.approx(
        k * (0.005 + 1e-3 * batch) + 1e-5 * (k * context + batch * k * (k - 1) / 2), abs=NS
    )


def test_cached_tokens_are_not_computed_but_the_last_one_always_is() -> None:
    begun, _ = step(engine(sequence("most", 50, 1, cached_tokens=30)))
    assert begun.seconds == pytest.approx(0.010 + 0.002 + 1e-6 * (2500 - 900), abs=NS)
    begun, outcome = step(engine(sequence("all", 50, 1, cached_tokens=50)))
    assert begun.seconds == pytest.approx(0.010 + 1e-4 + 1e-6 * (2500 - 2401), abs=NS)
    assert keys(outcome.finished) == ["all"]


# -- KV from a peer -------------------------------------------------------------------------------


def test_a_remote_prompt_joins_without_being_computed_and_recomputes_its_last_token() -> None:
    made = engine(sequence(input_tokens=50, output_tokens=2, remote_kv=True))
    assert made.begin() is None, "its KV is not here"
    load(made)
    first, outcome = step(made)
    assert first.seconds == pytest.approx(0.005 + 0.001 + 50e-5, abs=NS)
    assert first.chunks == ()
    assert not outcome.prefilled, "it emitted its first token of two"
    assert not outcome.finished
    second, outcome = step(made)
    assert second.seconds == pytest.approx(0.005 + 0.001 + 51e-5, abs=NS)
    assert keys(outcome.finished) == ["a"]


def test_a_remote_prompt_whose_peer_showed_token_one_computes_that_token() -> None:
    one = sequence(input_tokens=50, output_tokens=3, remote_kv=True, emitted_before=1)
    made = engine(one)
    load(made)
    first, outcome = step(made)
    assert first.seconds == pytest.approx(0.005 + 0.001 + 51e-5, abs=NS)
    assert made.emitted(one) == 2
    assert not outcome.finished
    assert keys(step(made)[1].finished) == ["a"]
    assert made.blocks_free == made.blocks_total


def test_kv_that_arrives_while_a_step_runs_joins_the_next() -> None:
    made = engine(sequence("remote", 50, 5, remote_kv=True))
    taken = made.next_load()
    assert taken is not None
    made.add(sequence("local", 20, 5))
    assert made.begin() is not None
    made.loaded("remote")
    made.loaded("remote")  # told twice is told once
    assert keys(made.end().prefilled) == ["local"]
    both, _ = step(made)
    assert both.decoding == 2
    assert both.seconds == pytest.approx(0.005 + 0.002 + (50 + 21) * 1e-5, abs=NS)


def test_a_prompt_behind_a_remote_one_waits_for_its_turn() -> None:
    made = engine(sequence("remote", 50, 5, remote_kv=True), sequence("local", 20, 5))
    assert made.begin() is None
    load(made)
    assert step(made)[0].decoding == 1
    assert keys(tuple(made.batch.members.values())) == ["remote", "local"]


def test_a_remote_prompt_behind_a_local_one_waits_for_its_turn() -> None:
    made = engine(sequence("local", 20, 5), sequence("remote", 50, 5, remote_kv=True))
    assert made.next_load() is None
    step(made)
    assert load(made).key == "remote"


def test_blocks_of_a_remote_prompt_are_held_while_it_loads() -> None:
    made = engine(sequence(input_tokens=50, remote_kv=True))
    assert made.next_load() is not None
    assert made.blocks_total - made.blocks_free == 4
    assert made.running == 1


# -- blocks ---------------------------------------------------------------------------------------


def test_pinned_kv_keeps_the_next_prompt_out_until_it_is_released() -> None:
    made = engine(sequence("a", 50, 1, pin=True), sequence("b", 50, 1), profile=FOUR_BLOCKS)
    assert keys(step(made)[1].finished) == ["a"]
    assert (made.pinned, made.unfinished, made.running, made.kv_usage) == (1, 2, 0, 1.0)
    assert made.begin() is None
    made.release("b")  # not pinned: nothing happens
    assert made.begin() is None
    made.release("a")
    made.release("a")
    assert keys(step(made)[1].finished) == ["b"]
    assert made.kv_usage == 0.0


def test_a_decode_that_pinned_kv_stops_goes_on_after_the_release() -> None:
    grown = sequence("grown", 15, 10)
    made = decoding(engine(profile=FOUR_BLOCKS), grown)
    made.add(sequence("leg", 48, 1, pin=True))
    step(made)
    assert made.begin() is None, "all four blocks are held and the next token needs one"
    assert (made.preemptions, made.waiting[0].key) == (1, "grown")
    made.release("leg")
    emitted = made.emitted(grown)
    begun, outcome = step(made)
    assert begun.chunks[0][1:] == (0, 15 + emitted)
    assert keys(outcome.prefilled) == ["grown"]
    assert made.emitted(grown) == emitted + 1


def test_what_came_last_is_preempted_and_recomputed_and_emits_each_token_once() -> None:
    first, last = sequence("first", 24, 16), sequence("last", 24, 16)
    made = engine(first, last, profile=FOUR_BLOCKS)
    emitted = {"first": 0, "last": 0}
    while begun := made.begin():
        members = list(made.batch.members)
        outcome = made.end()
        for key in [*members, *keys(outcome.prefilled)]:
            emitted[key] += 1
        assert begun.seconds > 0
    assert emitted == {"first": 16, "last": 16}
    assert made.preemptions == 1
    assert made.blocks_free == made.blocks_total


def test_a_recomputed_prompt_holds_the_tokens_it_had_emitted() -> None:
    first, last = sequence("first", 24, 16), sequence("last", 24, 16)
    made = engine(first, last, profile=FOUR_BLOCKS)
    while not made.preemptions:
        step(made)
    assert (last.emitted_before, last.stage) == (9, Stage.WAITING)  # tokens 24..32 fill two blocks
    while first.stage is Stage.DECODING:
        step(made)
    begun = made.begin()
    assert begun is not None
    assert begun.chunks == ((last, 0, 33),)


@pytest.mark.parametrize(
    ("input_tokens", "output_tokens", "fits"),
    [
        pytest.param(64, 1, True, id="the prompt fills all blocks and its one token needs none"),
        pytest.param(65, 1, False, id="the prompt is too long"),
        pytest.param(60, 5, True, id="the last token's KV is never kept"),
        pytest.param(60, 6, False, id="one token too many"),
    ],
)
def test_what_fits_ends_and_what_does_not_is_refused(
    input_tokens: int, output_tokens: int, *, fits: bool
) -> None:
    made = Engine(FOUR_BLOCKS)
    one = sequence(input_tokens=input_tokens, output_tokens=output_tokens)
    assert made.fits(input_tokens, output_tokens) is fits
    if not fits:
        with pytest.raises(InvalidInputError, match=f"input_tokens: {input_tokens}.*4 blocks"):
            made.add(one)
        return
    made.add(one)
    while made.unfinished:
        step(made)
    assert (made.preemptions, made.emitted(one)) == (0, output_tokens)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        pytest.param(sequence("x", 0, 3), "input_tokens: 0.*at least 1", id="no prompt"),
        pytest.param(sequence("x", 5, 0), "output_tokens: 0.*more than the 0", id="no output"),
        pytest.param(
            sequence("x", 5, 1, remote_kv=True, emitted_before=1),
            "output_tokens: 1.*more than the 1 emitted",
            id="nothing left to emit",
        ),
        pytest.param(sequence("here", 5, 1), "key: 'here'.*already", id="a key that is here"),
    ],
)
def test_a_sequence_that_could_never_end_is_refused(wrong: Sequence, sentence: str) -> None:
    made = engine(sequence("here"))
    with pytest.raises(InvalidInputError, match=sentence):
        made.add(wrong)
    assert made.unfinished == 1


def test_the_batch_cap_counts_what_decodes_prefills_and_loads() -> None:
    made = engine(
        sequence("long", 250, 5),
        sequence("remote", 50, 5, remote_kv=True),
        sequence("third", 50, 5),
        profile=replace(PROFILE, batch_cap=2),
    )
    step(made)
    assert load(made).key == "remote"
    step(made)
    assert made.running == 2
    step(made)
    assert [one.key for one in made.waiting] == ["third"]


# -- aborts ---------------------------------------------------------------------------------------


def waits() -> Engine:
    return engine(sequence("x", remote_kv=True))


def loads() -> Engine:
    made = waits()
    made.next_load()
    return made


def has_loaded() -> Engine:
    made = waits()
    load(made)
    return made


def is_in_its_first_chunk() -> Engine:
    made = engine(sequence("x", 250))
    made.begin()
    return made


def is_between_chunks() -> Engine:
    made = engine(sequence("x", 250))
    step(made)
    return made


def is_in_its_last_chunk() -> Engine:
    made = engine(sequence("x", 50))
    made.begin()
    return made


def is_between_decodes() -> Engine:
    return decoding(engine(), sequence("x", 48, 9))


def is_in_a_decode_that_opened_a_block() -> Engine:
    made = is_between_decodes()
    made.begin()
    assert made.blocks_total - made.blocks_free == 4
    return made


def is_in_its_last_decode() -> Engine:
    made = decoding(engine(), sequence("x", 48, 2))
    made.begin()
    return made


def is_preempted() -> Engine:
    made = decoding(engine(profile=FOUR_BLOCKS), sequence("x", 15, 9))
    made.add(sequence("leg", 48, 1, pin=True))
    step(made)
    made.begin()
    made.release("leg")
    return made


def is_pinned() -> Engine:
    made = engine(sequence("x", 50, 1, pin=True))
    step(made)
    return made


@pytest.mark.parametrize(
    "situation",
    [
        waits,
        loads,
        has_loaded,
        is_in_its_first_chunk,
        is_between_chunks,
        is_in_its_last_chunk,
        is_between_decodes,
        is_in_a_decode_that_opened_a_block,
        is_in_its_last_decode,
        is_preempted,
        is_pinned,
    ],
)
def test_an_abort_leaves_nothing_behind_when_the_sequence(
    situation: Callable[[], Engine],
) -> None:
    made = situation()
    aborted = made.abort("x")
    assert aborted is not None
    assert aborted.stage is Stage.GONE
    assert made.abort("x") is None
    made.loaded("x")
    made.release("x")
    if "is_in_" in situation.__name__:
        ended = made.end()
        assert not ended.prefilled
        assert not ended.finished
    assert made.begin() is None
    assert (made.blocks_free, made.unfinished, made.running) == (made.blocks_total, 0, 0)
    made.add(sequence("x", 50, 1))
    begun, outcome = step(made)
    assert begun.seconds == pytest.approx(0.0175, abs=NS)
    assert keys(outcome.finished) == ["x"]


def test_an_abort_tells_how_much_was_emitted() -> None:
    made = decoding(engine(), sequence("x", 48, 9))
    step(made)
    made.begin()
    aborted = made.abort("x")
    assert aborted is not None
    assert made.emitted(aborted) == 2, "the token of the step that runs was never shown"


def test_an_abort_in_a_step_takes_nothing_from_the_others() -> None:
    stays = sequence("stays", 48, 9)
    made = decoding(engine(), stays, sequence("goes", 30, 9))
    before = made.emitted(stays)
    begun = made.begin()
    assert begun is not None
    made.abort("goes")
    made.end()
    assert made.emitted(stays) == before + 1
    following = made.begin()
    context = stays.input_tokens + before + 1
    assert following is not None
    assert following.seconds == pytest.approx(0.006 + context * 1e-5, abs=NS)


def test_steps_are_begun_and_ended_in_turn() -> None:
    made = engine(sequence())
    with pytest.raises(AssertionError, match=r"end\(\) without begin\(\)"):
        made.end()
    made.begin()
    with pytest.raises(AssertionError, match=r"begin\(\) before end\(\)"):
        made.begin()
