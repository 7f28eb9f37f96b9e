import pytest
from tests.controller.children import golden


@pytest.mark.parametrize("name", golden.FLEETS)
def test_a_fleet_becomes_the_objects_of_its_golden_file(name: str) -> None:
    """A wanted difference: `python -m tests.controller.children.golden`, and read what changed."""
    assert golden.text(name) == golden.path(name).read_text(encoding="utf-8")
