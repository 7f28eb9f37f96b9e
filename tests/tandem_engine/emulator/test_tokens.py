from hypothesis import given
from hypothesis import strategies as st

from tandem_engine.emulator.tokens import PIECES, text_tokens, token_bytes, voice

PROMPTS = st.binary(max_size=64)
SEEDS = st.integers(-(2**63), 2**63 - 1)


@given(prompt=PROMPTS, seed=SEEDS, cut=st.integers(0, 64))
def test_what_is_said_first_does_not_depend_on_how_much_is_said(
    prompt: bytes, seed: int, cut: int
) -> None:
    assert voice(prompt, seed).text(64).startswith(voice(prompt, seed).text(cut))


@given(prompt=PROMPTS, seed=SEEDS, tokens=st.integers(0, 200))
def test_said_text_counts_as_many_tokens_as_were_said(
    prompt: bytes, seed: int, tokens: int
) -> None:
    assert text_tokens(voice(prompt, seed).text(tokens)) == tokens


@given(prompt=PROMPTS, seed=SEEDS)
def test_no_piece_comes_again_before_all_have_come(prompt: bytes, seed: int) -> None:
    said = voice(prompt, seed)
    assert len({said.piece(position) for position in range(len(PIECES))}) == len(PIECES)


def test_prompts_and_seeds_are_told_apart() -> None:
    prompts = [token_bytes([1, 23]), token_bytes([12, 3]), b"hello", b"hello "]
    said = {voice(prompt, seed).text(8) for prompt in prompts for seed in (0, 1)}
    assert len(said) == 8


def test_pieces_stand_in_json_as_they_are() -> None:
    assert all(piece.decode().replace(" ", "").isalpha() and len(piece) == 4 for piece in PIECES)
