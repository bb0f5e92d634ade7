"""ImagePane: an image with its facts, and itself where the terminal can show it, as large as there is room.

Fetching, decoding and drawing are done in threads; textual-image is not used, since it asks the terminal into the keys
that the app reads, decodes whenever it draws, and writes past the app.
"""

from __future__ import annotations

import os
import random
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from backends.cancel import CancelToken
from backends.errors import AppError, OperationCancelledError
from backends.frames.formats import safe_text
from backends.image_headers import ImageHeader, read_image_header
from backends.images import check_size, decode_image, describe_image
from backends.resources import ImageFile
from tui import crash_log
from tui.keymap import bindings
from tui.terminal_graphics import (
    USUAL_CELL,
    Drawing,
    Graphics,
    choose_graphics,
    draw_image,
    fit_image,
    read_cell_size,
)
from tui.widgets.reader_pane import ReaderPane

_WAYS = {
    Graphics.KITTY: "Kitty graphics",
    Graphics.SIXEL: "Sixel",
    Graphics.BLOCKS: "half blocks",
}


class ImageView(Widget):
    """Draws a picture as large as fits. Its keys are those of the pane."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    ImageView { height: 1fr; background: $ci-bg; }
    """

    class DrawingDone(Message):
        """A picture was drawn for a size; None and an error where that failed."""

        def __init__(self, size: Size, drawing: Drawing | None, error: AppError | None) -> None:
            super().__init__()
            self.size, self.drawing, self.error = size, drawing, error

    class ViewChanged(Message):
        """There is something else to see, or the picture could not be drawn."""

        def __init__(self, error: AppError | None = None) -> None:
            super().__init__()
            self.error = error

    def __init__(self, graphics: Graphics) -> None:
        super().__init__()
        self.graphics = graphics
        self.drawing: Drawing | None = None
        self._picture: Any = None
        self._drawn_for = Size(0, 0)
        self._is_drawing = False
        self._will_draw_over = False
        self._number = random.randint(1, 0xFFFFFF)  # noqa: S311 - so that two programs in one terminal rarely meet

    def on_mount(self) -> None:
        self.app.app_resume_signal.subscribe(self, lambda _: self._tell_terminal_again())

    def on_unmount(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Has the terminal forget the image: also before the app leaves its screen, which has images of its own."""
        if self.drawing is not None:
            self._write(self.drawing.forget())
        self.drawing = None

    def on_hide(self) -> None:
        """Another list lies on it, or another pane is shown."""
        self._write(self.drawing.hide() if self.drawing is not None else "")

    def on_resize(self) -> None:
        self._draw()

    def show(self, picture: Any) -> None:
        """`picture`: a Pillow image in RGB."""
        self._picture = picture
        self._draw()

    # ---- drawing, in a thread --------------------------------------------------------------------------------
    def _draw(self) -> None:
        """One at a time: while a window is dragged, only the sizes in between that there is time for."""
        if self._picture is None or self._is_drawing or not self.size.area or self.size == self._drawn_for:
            return
        self._is_drawing = True
        self._number = self._number % 0xFFFFFF + 1  # of 24 bits, never 0
        picture, size, number, cell = self._picture, self.size, self._number, read_cell_size() or USUAL_CELL

        def draw() -> None:
            """In a worker thread."""
            place = fit_image(picture.size, (size.width, size.height), cell)
            drawing, error = crash_log.attempt(draw_image, picture, self.graphics, place, number)
            self.post_message(self.DrawingDone(size, drawing, error))

        self.run_worker(draw, thread=True, group="draw", exit_on_error=False)

    @on(DrawingDone)
    def _take_drawing(self, event: DrawingDone) -> None:
        event.stop()
        self._is_drawing = False
        self._drawn_for = event.size
        if event.drawing is not None:
            forget = self.drawing.forget() if self.drawing is not None else ""
            self.drawing = event.drawing
            self._write(forget + event.drawing.before)
            self.refresh()
        self.post_message(self.ViewChanged(event.error))
        self._draw()

    def _tell_terminal_again(self) -> None:
        """After the app was suspended: another program may have had the terminal forget the image."""
        if self.drawing is not None:
            self._write(self.drawing.before)
            self.refresh()

    def _write(self, text: str) -> None:
        """Escape sequences, in order with what Textual writes."""
        driver = self.app._driver
        if text and driver is not None:
            driver.write(text)
            driver.flush()

    # ---- on the screen ---------------------------------------------------------------------------------------
    @property
    def _margin(self) -> int:
        """Empty cells to the left of the picture."""
        return max(0, self.size.width - self.drawing.placement.columns) // 2 if self.drawing is not None else 0

    def render_line(self, y: int) -> Strip:
        style = self.rich_style
        lines = self.drawing.lines if self.drawing is not None else ()
        if y >= len(lines):
            return Strip.blank(self.size.width, style)
        line = Strip.join([Strip.blank(self._margin, style), lines[y]])
        return line.adjust_cell_length(self.size.width, style)

    def render_lines(self, crop: Region) -> list[Strip]:
        if self.drawing is not None and self.drawing.has_pixels and not self._will_draw_over:
            self._will_draw_over = self.call_after_refresh(self._draw_over)
        return super().render_lines(crop)

    def _draw_over(self) -> None:
        """Pixels over the empty cells, whenever these were drawn; dialogs and toasts were drawn before."""
        self._will_draw_over = False
        drawing, region = self.drawing, self.region
        if drawing is None or not self.is_on_screen:
            return
        x, y, rows = region.x + self._margin, region.y, drawing.placement.rows
        place = Region(x, y, drawing.placement.columns, rows)
        for toast in self.screen.query("Toast"):
            if toast.region.overlaps(place):
                rows = min(rows, toast.region.y - y)
        if self.screen is not self.app.screen or not region.contains_region(place):  # the window has become smaller
            rows = 0
        if text := drawing.draw_over(rows):
            self._write(f"\x1b7\x1b[{y + 1};{x + 1}H{text}\x1b8")


class ImagePane(ReaderPane, inherit_bindings=False):
    """Fetches an `ImageFile` in a thread and shows it. Posts `Closed` when the user wants out."""

    can_focus = True
    BINDINGS = bindings("image")
    DEFAULT_CSS = """
    ImagePane #image-facts { height: 1; padding: 0 1; color: $ci-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    ImagePane #image-message { height: 1fr; padding: 1 4; }
    ImagePane ImageView { display: none; }
    ImagePane.-shown ImageView { display: block; }
    ImagePane.-shown #image-message { display: none; }
    """

    class FactsRead(Message):
        """The file has come. `bytes`: how many; `header`: None where it says nothing."""

        def __init__(self, bytes: int, header: ImageHeader | None) -> None:
            super().__init__()
            self.bytes, self.header = bytes, header

    class PictureRead(Message):
        """The picture (a Pillow image), or why there is none."""

        def __init__(self, picture: Any, error: AppError | None) -> None:
            super().__init__()
            self.picture, self.error = picture, error

    def __init__(self, image: ImageFile, setting: str = "auto") -> None:
        """`setting`: `images` of the settings."""
        super().__init__()
        self.title = image.title
        self.locator = image.locator
        self.target = image
        self.graphics = Graphics.NONE
        self._setting = setting
        self._cancel = CancelToken()
        self._bytes = image.size
        self._header: ImageHeader | None = None

    def compose(self) -> ComposeResult:
        app = self.app
        truecolor = app.console.color_system == "truecolor"
        self.graphics = choose_graphics(self._setting, os.environ, truecolor=truecolor, no_color=app.no_color)
        yield Static(Text(safe_text(self.title), no_wrap=True, overflow="ellipsis"), id="reader-title")
        yield Static("", id="image-facts")
        yield ImageView(self.graphics)
        yield Static("Loading…", id="image-message")
        yield from self.compose_footer()

    def on_mount(self) -> None:
        self._draw_facts()
        self.run_worker(self._fetch, thread=True, group="read", exit_on_error=False)

    def on_unmount(self) -> None:
        self._cancel.cancel()

    # ---- fetching and decoding, in a thread ------------------------------------------------------------------
    def _fetch(self) -> None:
        """In a worker thread."""
        picture, error = crash_log.attempt(self._fetch_and_decode)
        if not isinstance(error, OperationCancelledError):
            self.post_message(self.PictureRead(picture, error))

    def _fetch_and_decode(self) -> Any:
        content = self.target.read(self._cancel)
        self.post_message(self.FactsRead(len(content), None))
        header = read_image_header(content)
        self.post_message(self.FactsRead(len(content), header))
        if self.graphics is Graphics.NONE:
            return check_size(header)
        return decode_image(content, header, self._cancel)

    @on(FactsRead)
    def _take_facts(self, event: FactsRead) -> None:
        event.stop()
        self._bytes, self._header = event.bytes, event.header
        self._draw_facts()

    @on(PictureRead)
    def _take_picture(self, event: PictureRead) -> None:
        event.stop()
        if event.picture is not None:
            self.add_class("-shown")
            self.query_one(ImageView).show(event.picture)
        elif event.error is not None:
            self._show_message(f"{event.error.sentence}\n\n{event.error.hint}")
        else:
            self._show_message(self._explain_no_graphics())

    def _explain_no_graphics(self) -> str:
        if self._setting == Graphics.NONE:
            return "Images are switched off by the setting look.images."
        if self.app.no_color:
            return "NO_COLOR is set, so images are not shown."
        return "This terminal does not say that it has 24-bit colours (COLORTERM=truecolor), so images are not shown."

    @on(ImageView.ViewChanged)
    def _picture_shown(self, event: ImageView.ViewChanged) -> None:
        event.stop()
        drawing = self.query_one(ImageView).drawing
        if event.error is not None:
            self.remove_class("-shown")
            self._show_message(f"{event.error.sentence}\n\n{event.error.hint}")
        elif drawing is not None:
            place = drawing.placement
            self.show_status(f"{place.columns} × {place.rows} cells · {_WAYS[self.graphics]}")

    def _show_message(self, text: str) -> None:
        self.query_one("#image-message", Static).update(Text(f"{text.rstrip()}\n\nEsc goes back"))

    def _draw_facts(self) -> None:
        facts = describe_image(self._header, self._bytes, self.target.content_type)
        self.query_one("#image-facts", Static).update(Text(facts, no_wrap=True, overflow="ellipsis"))

    # ---- keys ------------------------------------------------------------------------------------------------
    def focus_view(self) -> None:
        self.screen.set_focus(self)

    def end_search(self) -> bool:
        return False

    def value_text(self) -> Text:
        return Text("")

    def run_prompt(self, purpose: str, text: str, done: bool) -> None:
        """There is nothing to ask for."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        offered = {
            "download": self.target.files is not None,
            "browse": bool(self.target.web_url),
            "copy": self.locator is not None,
        }
        return offered.get(action, True)

    def action_download(self) -> None:
        if self.target.files is not None:
            self.app.download(self.title, self.target.files)  # type: ignore[attr-defined]

    def action_browse(self) -> None:
        if self.target.web_url:
            self.app.open_url(self.target.web_url)
            self.app.notify(self.target.web_url, title="Opened in the browser", markup=False)

    def action_copy(self) -> None:
        if self.locator is not None:
            self.app.copy_to_clipboard(self.locator.text())
            self.app.notify(safe_text(self.locator.text(), 200), title="Copied", markup=False)
