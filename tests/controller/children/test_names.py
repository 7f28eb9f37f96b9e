import pytest

from tandem.api.role import Role
from tandem.controller.children import names

LONG = "a" * 40


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(names.gateway("chat"), "chat-gateway", id="gateway"),
        pytest.param(names.role("chat", Role.PREFILL), "chat-prefill", id="role"),
        pytest.param(names.profiles("chat"), "chat-profiles", id="profiles"),
        pytest.param(names.pool(Role.DECODE, "h200"), "h200", id="pool"),
        pytest.param(
            names.engines("chat", Role.DECODE, "h200", "0badcafe"),
            "chat-decode-h200-0badcafe",
            id="engines",
        ),
    ],
)
def test_a_short_name_is_readable_as_it_is(name: str, expected: str) -> None:
    assert name == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(LONG + "1", LONG + "2", id="too long"),
        pytest.param("h200.a", "h200-a", id="a dot"),
        pytest.param("h200..a", "h200.a", id="two dots"),
    ],
)
def test_names_that_had_to_change_stay_apart(one: str, other: str) -> None:
    assert names.fitting(one, 30) != names.fitting(other, 30)


def test_a_name_is_cut_before_a_dash() -> None:
    assert "--" not in names.fitting("a" * 20 + "-" + "b" * 20, 30)
