import pytest

from tandem.gateway.request import ClientRequest, Endpoint, parse
from tandem.gateway.tokens import LengthEstimates


def request(prompt: str = '"abcdefgh"', rest: str = "", model: str = "tiny") -> ClientRequest:
    body = f'{{"model": "{model}", "prompt": {prompt} {rest}}}'
    return parse(Endpoint.COMPLETIONS, body.encode(), "id", {})


def test_token_ids_are_counted() -> None:
    assert LengthEstimates().input_tokens(request("[1, 2, 3]")) == 3


def test_a_text_is_guessed_at_four_bytes_a_token_before_any_answer() -> None:
    assert LengthEstimates().input_tokens(request()) == 2
    assert LengthEstimates().input_tokens(request('"a"')) == 1


def test_answers_teach_bytes_per_token_and_the_last_ones_most() -> None:
    lengths = LengthEstimates()
    for _ in range(200):
        lengths.learn_input(request(f'"{"x" * 1000}"'), 500)
    assert lengths.input_tokens(request(f'"{"x" * 3000}"')) == pytest.approx(1500, abs=2)
    for _ in range(200):
        lengths.learn_input(request(f'"{"x" * 1000}"'), 100)
    assert lengths.input_tokens(request(f'"{"x" * 3000}"')) == pytest.approx(300, abs=2)


def test_models_and_endpoints_are_learnt_apart() -> None:
    lengths = LengthEstimates()
    for _ in range(100):
        lengths.learn_input(request(model="other"), 8)
    assert lengths.input_tokens(request()) == 2
    assert lengths.input_tokens(request(model="other")) == pytest.approx(8, abs=1)


def test_token_ids_teach_nothing_about_texts() -> None:
    lengths = LengthEstimates()
    for _ in range(100):
        lengths.learn_input(request("[1, 2]"), 2)
    assert lengths.input_tokens(request()) == 2


def test_an_answer_is_expected_at_the_mean_within_its_bound() -> None:
    lengths = LengthEstimates()
    assert lengths.output_tokens(request()) == 256
    for tokens in (100, 100, 100):
        lengths.learn_output(request(), tokens)
    assert lengths.output_tokens(request()) == 100
    assert lengths.output_tokens(request(rest=', "max_tokens": 7')) == 7
    assert lengths.output_tokens(request(rest=', "max_tokens": 700')) == 100
