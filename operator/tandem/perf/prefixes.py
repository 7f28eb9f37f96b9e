"""Prompt prefixes that an engine keeps: blocks by their chained hash, the least recently used go first.

A block's hash stands for all before it too, so that a prompt's longest known prefix is its leading
known hashes.
"""

from collections import OrderedDict
from collections.abc import Sequence


class PrefixCache:
    """Hashes of blocks, from the one that goes next to the one that was used last.

    In an `OrderedDict`: to find the first key, a plain one walks over all that were deleted before it.
    """

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def known(self, hashes: Sequence[int]) -> int:
        """Leading blocks that are here."""
        count = 0
        for block in hashes:
            if block not in self._blocks:
                break
            count += 1
        return count

    def use(self, hashes: Sequence[int], most_blocks: int) -> None:
        """These were just computed or read; what exceeds `most_blocks` goes, the end of a prompt first."""
        blocks = self._blocks
        for block in reversed(hashes):
            blocks[block] = None
            blocks.move_to_end(block)
        self.shrink(most_blocks)

    def shrink(self, most_blocks: int) -> None:
        """Let go of what exceeds so many blocks."""
        while len(self._blocks) > most_blocks:
            self._blocks.popitem(last=False)
