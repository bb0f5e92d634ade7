"""A log as one level of a pane's way: the reader, on an address that a list gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.logs import sources
from backends.resources import LogAddress
from tui.widgets.log_view_pane import LogPane

if TYPE_CHECKING:
    from backends.session import Session


class LogLevel(LogPane):
    """Reads one address; `title` and `locator` are what the pane's path and the history show."""

    def __init__(self, session: Session, address: LogAddress) -> None:
        source = sources.from_log(session.http, address, session.open_downloader)

        def link(line: int) -> str:
            return address.locator.at_line(line).text()

        super().__init__(
            source,
            address.title,
            line=address.line,
            last=address.last,
            follow=address.live and address.line is None,
            failed=address.failed,
            locator=link,
        )
        self.title = address.title
        self.locator = address.locator

    def focus_table(self) -> None:
        self.focus_log()
