"""Reads a page as a browser and a screen reader would, as far as a test needs."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

_VOID = {"meta", "link", "br", "img", "input", "hr"}
_UNREAD = {"script", "style"}


class PageReader(HTMLParser):
    """What a page shows and names; `text` leaves out scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.links: list[str] = []  # of every src and href
        self.ids: Counter[str] = Counter()
        self.labelled_by: list[str] = []
        self.pictures: list[str] = []  # what stands for each chart
        self.tables: list[list[list[str]]] = []  # cells of each table, its heads first
        self.unscoped_heads = 0
        self.captions: list[str] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)

    @property
    def text(self) -> str:
        """All text in one line; a gap that does not break reads as a space."""
        return " ".join(" ".join(self._words).replace("\u00a0", " ").split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        self.links += [named[name] for name in ("src", "href") if name in named]
        self.ids.update([named["id"]] if "id" in named else [])
        self.labelled_by += named.get("aria-labelledby", "").split()
        if named.get("role") == "img":
            self.pictures.append(named.get("aria-label", "").replace("\u00a0", " "))
        self.unscoped_heads += tag == "th" and "scope" not in named
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        elif tag == "caption":
            self.captions.append("")

    def handle_endtag(self, tag: str) -> None:
        opened = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in _UNREAD:
            return
        self._words.append(data)
        plain = data.replace("\u00a0", " ")
        if "caption" in self._open:
            self.captions[-1] += plain
        elif {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += plain

    def table(self, caption: str) -> list[list[str]]:
        """The cells of the table whose caption begins so, without its heads."""
        place = next(i for i, name in enumerate(self.captions) if name.startswith(caption))
        return self.tables[place][1:]


def flaws(page: PageReader) -> list[str]:
    """What makes a page less than self-contained or hard to read for some."""
    found = [f"link to {link[:60]}" for link in page.links if not link.startswith("#")]
    found += [f"no place for {link}" for link in page.links if link[1:] not in page.ids]
    found += [f"id {name} twice" for name, count in page.ids.items() if count > 1]
    found += [f"no label {name}" for name in page.labelled_by if name not in page.ids]
    found += [f"picture without words: {text!r}" for text in page.pictures if len(text) < 20]
    if page.unscoped_heads:
        found.append(f"{page.unscoped_heads} heads without scope")
    if len(page.captions) != len(page.tables):
        found.append("a table without caption")
    if "@import" in page.source or "url(http" in page.source:
        found.append("a style from elsewhere")
    if len(page.source) > 3_000_000:
        found.append(f"{len(page.source)} characters")
    return found
