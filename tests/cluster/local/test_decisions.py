from pathlib import Path

from tests.planner.test_decisions import told

from tandem.cluster.local.decisions import FileDecisions
from tandem.planner.decisions import Decisions

KEPT = Decisions((told(5.0), told(1.0, 1, 2)))


async def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    store = FileDecisions(tmp_path / "decisions.json")
    assert await store.load() == Decisions()
    await store.save(KEPT)
    assert await store.load() == KEPT


async def test_a_damaged_file_begins_anew(tmp_path: Path) -> None:
    store = FileDecisions(tmp_path / "decisions.json")
    store.path.write_text("[7")
    assert await store.load() == Decisions()


async def test_a_folder_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    await FileDecisions(tmp_path / "gone" / "decisions.json").save(KEPT)
    assert not (tmp_path / "gone").exists()
