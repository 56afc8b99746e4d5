"""The way back from the positions of a view to those of the text it shows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Offsets:
    """A growing text and a view of it, position by position.

    Breakpoints are kept only where the two run apart: view position `_views[k]` shows the character at `_texts[k]`, and
    from there on they advance together up to the next breakpoint. Several characters shown as one (or as none) are a
    unit; `_starts` and `_ends` keep where those begin and end in the text.
    """

    __slots__ = ("_ends", "_starts", "_texts", "_views", "text_length", "view_length")

    def __init__(self) -> None:
        self._views = [0]
        self._texts = [0]
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.text_length = 0
        self.view_length = 0

    @property
    def plain(self) -> bool:
        """Whether positions of the view are those of the text."""
        return len(self._views) == 1 and self._views == self._texts

    @property
    def has_units(self) -> bool:
        """Whether units are known that were not forgotten."""
        return bool(self._starts)

    def same(self, count: int) -> None:
        """The next `count` characters are shown one by one."""
        self.text_length += count
        self.view_length += count

    def unit(self, consumed: int, shown: int) -> None:
        """The next `consumed` characters together are shown as `shown` characters."""
        view, text = self.view_length, self.text_length
        self.view_length, self.text_length = view + shown, text + consumed
        if consumed > 1:
            self._starts.append(text)
            self._ends.append(text + consumed)
        elif shown == 1:
            return
        for extra in range(1, shown):
            self._break(view + extra, text)
        self._break(view + shown, text + consumed)

    def origin(self, position: int) -> int:
        """The position in the text of the character that the view shows at `position`."""
        at = bisect_right(self._views, position) - 1
        return self._texts[at] + position - self._views[at]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The (non-empty) view span in positions of the text: invisible characters inside belong to it."""
        if self.plain:
            return start, end
        last = self.origin(end - 1)
        if self._starts:
            unit = bisect_left(self._starts, last)
            if unit < len(self._starts) and self._starts[unit] == last:
                return self.origin(start), self._ends[unit]
        return self.origin(start), last + 1

    def inside_unit(self, position: int) -> bool:
        """Whether the text is cut in the middle of a unit by `position`."""
        unit = bisect_left(self._starts, position) - 1
        return unit >= 0 and position < self._ends[unit]

    def forget(self, before: int) -> None:
        """Drop what only view positions below `before` need; asking for those afterwards is an error."""
        keep = bisect_right(self._views, before) - 1
        if keep > 0:
            del self._views[:keep], self._texts[:keep]

    def forget_units(self, before: int) -> None:
        """Drop the units that end at or before text position `before`."""
        keep = bisect_right(self._ends, before)
        if keep > 0:
            del self._starts[:keep], self._ends[:keep]

    def _break(self, view: int, text: int) -> None:
        if self._views[-1] == view:  # several invisible characters in a row need one breakpoint, not many
            self._texts[-1] = text
            return
        self._views.append(view)
        self._texts.append(text)
