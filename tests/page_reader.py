"""What a page says, read with the standard library's parser only."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Element:
    """A tag, where it stands, and the text inside."""

    tag: str
    attributes: dict[str, str]
    above: tuple["Element", ...] = field(default=(), repr=False)
    text: str = field(default="", repr=False)

    def inside(self, tag: str) -> bool:
        return any(one.tag == tag for one in self.above)


@dataclass
class Page(HTMLParser):
    """All elements of a page; refuses tags that do not close in order."""

    # Out of the repr: pytest would print all of it, each element with all above it.
    source: str = field(repr=False)
    elements: list[Element] = field(default_factory=list, repr=False)
    _open: list[Element] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        assert not self._open, [one.tag for one in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        element = Element(tag, {k: v or "" for k, v in attrs}, tuple(self._open))
        self.elements.append(element)
        if tag not in {"meta", "img"}:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for one in self._open:
            one.text += data

    def all(self, tag: str) -> list[Element]:
        return [one for one in self.elements if one.tag == tag]

    @property
    def text(self) -> str:
        """What a reader sees, in one line."""
        seen = self.all("body")[0].text
        for one in self.all("script"):
            seen = seen.replace(one.text, "")
        return re.sub(r"\s+", " ", seen)
