"""The app: panes behind function keys over one session. Nothing heavy is imported before the first paint."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.message import Message
from textual.widgets import ContentSwitcher, Footer

from backends.errors import AppError
from backends.locators import Locator
from backends.systems import systems
from tui import crash_log
from tui.history import History
from tui.keymap import bindings, checked
from tui.palette import KeyProvider
from tui.panes.lists import ListPane
from tui.serial_keys import KeysInOrder
from tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from backends.resources import DownloadWay
    from backends.session import Session
    from tui.panes.transfers import TransfersPane
    from tui.screens.download_dialog import Collect, DownloadDialog

_LONGEST_TOAST = 1000  # characters


class Explorer(KeysInOrder):
    """ciexplore. `start`: what to open first, as the user wrote it."""

    TITLE = "ciexplore"
    CSS_PATH = "app.tcss"
    BINDINGS = bindings("app")
    COMMANDS = App.COMMANDS | {KeyProvider}
    ENABLE_COMMAND_PALETTE = True
    NOTIFICATION_TIMEOUT = 3.0  # seconds; at 80x24 a toast covers a third of the screen

    def __init__(self, session: Session, start: str | None = None) -> None:
        super().__init__()
        self.session = session
        self.history = History(session.settings.state_path)
        self._start = start
        self._last_list = "taskcluster"
        crash_log.report_to(session.settings.state_path / "faults.log")

    def compose(self) -> ComposeResult:
        yield TopBar(self.session.mode, self.session.demo)
        with ContentSwitcher(initial="taskcluster"):
            yield ListPane(self.session, self.history, systems()["taskcluster"])
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        self._look()
        self.query_one("#taskcluster", ListPane).enter()
        # After the first paint: polars alone takes 95 ms to import, httpx 70, and no one has typed yet.
        self.call_after_refresh(self._warm)
        if self._start:
            self.call_after_refresh(self._open_start, self._start)

    def _look(self) -> None:
        settings = self.session.settings
        try:
            self.set_keymap(checked(settings.keys))
        except AppError as problem:
            self.tell(problem)
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        else:
            self.notify(f"There is no theme '{settings.theme}'.", severity="warning", markup=False)

    @work(thread=True, group="warm", exit_on_error=False)
    def _warm(self) -> None:
        import tui.widgets.resource_view  # noqa: F401 - opening the first locator then takes 0.2 s less

        _ = self.session.http
        # What is imported by now never goes. Without this each full collection walks all of it: 50 ms quiet, 300 ms on
        # a busy machine, in which no key is answered.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 25, 50)  # and rarely: a plan of 2,000 files is reason enough for five at the defaults

    def _open_start(self, text: str) -> None:
        try:
            locator = self.session.parse(text)
        except AppError as problem:
            self.tell(problem)
            return
        self.open_locator(locator)

    # ---- errors that nobody foresaw --------------------------------------------------------------------------
    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            if not self._close_failed_library_screen(error):
                raise

    def _handle_exception(self, error: Exception) -> None:
        """Ends the app with exit code 1 and one sentence; the log file has the traceback, nothing shows local values.

        Textual would print them, and they may be private. An error in one of its own screens (the command palette in
        a window of 4 rows) closes that screen only.
        """
        if self._close_failed_library_screen(error):
            return
        self._return_code = 1
        if self._exception is None:
            problem = crash_log.as_problem(getattr(error, "error", error))  # a worker's failure has the error inside
            self._exit_renderables.append(Text(f"ciexplore: {problem.sentence}\n  {problem.hint}"))
            self._exception = error  # run_test raises it
            self._exception_event.set()
        self._close_messages_no_wait()

    def _close_failed_library_screen(self, error: Exception) -> bool:
        """Whether the error came up while a dialog of Textual's own was shown; it is recorded and the dialog closed."""
        if not self.is_running or len(self.screen_stack) < 2 or not type(self.screen).__module__.startswith("textual."):
            return False
        self.tell(crash_log.as_problem(error))
        failed = self.screen
        failed.display = False  # the widget whose handler failed handles nothing any more

        def close() -> None:
            if self.screen is failed:
                self.pop_screen()

        self.call_later(close)
        return True

    # ---- what panes and dialogs call -------------------------------------------------------------------------
    @work(group="open")
    async def open_locator(self, locator: Locator) -> None:
        """Opens a locator in the pane of its system."""
        system = systems().get(locator.system)
        if system is None or not system.key:
            self.notify(f"No pane opens {locator.system} locators.", severity="warning", markup=False)
            return
        await self.action_pane(system.name)
        await self.query_one(f"#{system.name}", ListPane).open(locator)

    def notify(self, message: str, *, title: str = "", markup: bool = False, **options: Any) -> None:
        """A toast. What servers name stands in many of them, so that none is markup and no escape goes out raw."""
        from backends.frames.formats import safe_text

        lines = (safe_text(line) for line in message[:_LONGEST_TOAST].split("\n"))
        super().notify("\n".join(lines), title=safe_text(title), markup=markup, **options)

    def action_help_quit(self) -> None:
        """Ctrl+C copies in a text box and else does nothing; say so in our words, Textual's are markup."""
        self.notify("Press q to quit (Ctrl+Q where q is a letter).", title="Ctrl+C does not quit")

    def tell(self, problem: AppError) -> None:
        """A problem that does not fill a list: a toast with its sentence and hint."""
        self.notify(str(problem), title="Not done", severity="error", timeout=10, markup=False)

    @property
    def current_list(self) -> ListPane | None:
        current = self.query_one(ContentSwitcher).visible_content
        return current if isinstance(current, ListPane) else None

    @property
    def transfers(self) -> TransfersPane | None:
        found = self.query("#transfers")
        return found.first() if found else None  # type: ignore[return-value]

    async def transfers_pane(self) -> TransfersPane:
        """The transfers pane, made when it is first needed: it imports polars."""
        if self.transfers is None:
            from tui.panes.transfers import TransfersPane

            await self.query_one(ContentSwitcher).mount(pane := TransfersPane(self.session, id="transfers"))
            pane.display = False
        assert self.transfers is not None
        return self.transfers

    # ---- actions ---------------------------------------------------------------------------------------------
    async def action_back_to_list(self) -> None:
        """From the transfers to the lists that were shown before them."""
        await self.action_pane(self._last_list)

    async def action_pane(self, pane: str) -> None:
        if pane == "transfers":
            await self.transfers_pane()
        elif not self.query(f"#{pane}"):  # the others are made when they are first wanted: each costs the start 5 ms
            await self.query_one(ContentSwitcher).mount(ListPane(self.session, self.history, systems()[pane]))
        if pane != "transfers":
            self._last_list = pane
        self.query_one(ContentSwitcher).current = pane
        self.query_one(TopBar).show(active=pane)
        self.query_one(f"#{pane}").enter()  # type: ignore[attr-defined]

    @on(TopBar.PaneChosen)
    async def _pane_chosen(self, event: TopBar.PaneChosen) -> None:
        await self.action_pane(event.pane)

    def action_locate(self) -> None:
        from tui.screens.locate import LocateScreen

        def chosen(locator: Locator | None) -> None:
            if locator is not None:
                self.open_locator(locator)

        self.push_screen(LocateScreen(self.history.visits), chosen)

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.session.settings.keys))

    @work(group="download")
    async def download(self, what: str, collect: Collect) -> None:
        """Shows what would be downloaded and, if the user agrees, starts it."""
        from tui.screens.download_dialog import DownloadDialog

        await self._agree(what, DownloadDialog(what, collect, self.session.settings.output_path))

    @work(group="download")
    async def download_by(self, what: str, way: DownloadWay) -> None:
        """Asks for the choices of a download of a special kind, then as `download`."""
        from tui.screens.download_dialog import DownloadDialog
        from tui.screens.form import WayScreen

        prepared = await self.push_screen_wait(WayScreen(way, self.session.settings.output_path))
        if prepared is not None:
            await self._agree(what, DownloadDialog(what, prepared.files, prepared.output, prepared))

    async def _agree(self, what: str, dialog: DownloadDialog) -> None:
        agreed = await self.push_screen_wait(dialog)
        if agreed is None:
            return
        pane = await self.transfers_pane()
        pane.add(what, agreed.plan, agreed.finish)
        self.notify("Started. F6 shows it file by file.", title=what, markup=False)

    @work(group="quit", exclusive=True)
    async def action_quit(self) -> None:  # type: ignore[override]
        """Leaves; asks first when files are still on their way."""
        pane = self.transfers
        if pane is not None and pane.active:
            from tui.screens.confirm import ConfirmScreen

            question = "Downloads are under way. Quit and go on with them next time?"
            if not await self.push_screen_wait(ConfirmScreen(question, "Quit")):
                return
        self.leave()

    def leave(self) -> None:
        if self.transfers is not None:
            self.transfers.cancel_everything()
        self.exit()
