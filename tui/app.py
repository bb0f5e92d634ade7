"""The app: panes behind function keys over one session. Nothing heavy is imported before the first paint."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget

from backends.errors import AppError
from backends.locators import Locator
from backends.systems import panes, systems
from tui import crash_log, quick_start, theme
from tui.history import History, LastPath, OpenPath
from tui.input_queue import OrderedInputApp
from tui.keymap import TITLES, available_keys, bindings, check_remapped, format_keys, places_of
from tui.preferences import Preferences
from tui.watched_lists import WatchedLists
from tui.widgets.key_bar import KeyBar
from tui.widgets.list_pane import ListPane
from tui.widgets.plain import PlainScreen
from tui.widgets.start_screen import LocateDialog, count_lines

if TYPE_CHECKING:
    from backends.resources import DownloadWay, Resource
    from backends.session import Session
    from tui.widgets.download_dialog import Collect, DownloadDialog
    from tui.widgets.transfers import TransfersPane

_MAX_TOAST = 1000  # characters
_ROOMY_LINES = 20  # of the screen, from which messages have more than one line
_PATH_TICK = 1.0  # seconds between two looks at what has to be opened again after a kill
_ROOMY = 96  # cells; with fewer the name of the app gives way to its panes


class TopBar(Widget):
    """The first line: the panes as tabs, the progress of downloads, the cache mode. A click on a tab asks for it."""

    DEFAULT_CSS = """
    TopBar {
        height: 1; background: $ci-bar; color: $ci-text;
        & > .top-bar--name { text-style: bold; }
        & > .top-bar--key { color: $ci-muted; }
        & > .top-bar--active-key { background: $ci-select; color: $ci-accent; text-style: bold; }
        & > .top-bar--active { background: $ci-select; color: $ci-text; text-style: bold; }
        & > .top-bar--mode { color: $ci-muted; }
        & > .top-bar--offline { color: $ci-warning; text-style: bold; }
        &:nocolor > .top-bar--active, &:nocolor > .top-bar--active-key { text-style: bold reverse; }
    }
    """
    COMPONENT_CLASSES = {f"top-bar--{name}" for name in ("name", "key", "active-key", "active", "mode", "offline")}

    class PaneSelected(Message):
        def __init__(self, pane: str) -> None:
            self.pane = pane
            super().__init__()

    def __init__(self, mode: str, demo: bool) -> None:
        super().__init__()
        self._panes = (
            *((system.key, system.name, system.label) for system in panes()),
            ("f6", "transfers", "Transfers"),
        )
        self._mode, self._demo = mode, demo
        self._active = self._panes[0][1]
        self._transfers = ""
        self._watched = ""
        self._tabs: list[tuple[int, int, str]] = []  # (first cell, end, pane)

    def show(
        self, *, active: str | None = None, transfers: str | None = None, mode: str | None = None,
        watched: str | None = None,
    ) -> None:  # fmt: skip
        before = (self._active, self._transfers, self._mode, self._watched)
        self._watched = watched if watched is not None else self._watched
        self._mode = mode if mode is not None else self._mode
        self._active = active if active is not None else self._active
        self._transfers = transfers if transfers is not None else self._transfers
        if before != (self._active, self._transfers, self._mode, self._watched):
            self.refresh()

    def render(self) -> Text:
        demo = "demo" if self._demo else ""
        mode = "" if self._mode == "normal" else self._mode
        short = self._watched.partition(", ")[0]  # how many are red, without how many are watched
        # The widest that fits: no word is cut, the labels of other panes go last.
        forms = [(True, self._watched, demo), (True, self._watched, ""), (True, short, "")]
        forms += [(False, self._watched, ""), (False, short, "")]
        for labels, watched, place in forms:
            text = self._format_tabs(labels)
            words = " · ".join(word for word in (watched, mode, place) if word)
            if text.cell_len + cell_len(words) + 1 <= self.size.width:
                break
        if words:
            text.append(" " * max(1, self.size.width - text.cell_len - cell_len(words) - 1))
            text.append(words, self._style("mode" if self._mode == "normal" else "offline"))
        return text

    def _format_tabs(self, labels: bool) -> Text:
        """The tabs; without `labels` only the active one and the one with progress have theirs."""
        name = " ciexplore " if self.size.width >= _ROOMY else ""
        text = Text(name, style=self._style("name"), no_wrap=True, overflow="ellipsis")
        self._tabs = []
        for key, pane, label in self._panes:
            start, active = text.cell_len, pane == self._active
            progress = f" {self._transfers}" if pane == "transfers" and self._transfers else ""
            text.append(f" {key.upper()} ", self._style("active-key" if active else "key"))
            if labels or active or progress:
                text.append(f"{label}{progress} ", self._style("active") if active else "")
            self._tabs.append((start, text.cell_len, pane))
        return text

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"top-bar--{name}", partial=True)

    def on_click(self, event: events.Click) -> None:
        for start, end, pane in self._tabs:
            if start <= event.x < end:
                self.post_message(self.PaneSelected(pane))


class Explorer(OrderedInputApp, theme.ThemedApp):
    """ciexplore. `start`: what to open first, as the user wrote it; without it `reopen` opens what was left open."""

    TITLE = "ciexplore"
    CSS_PATH = "app.tcss"
    BINDINGS = bindings("app")
    ENABLE_COMMAND_PALETTE = False  # Textual's; ours is an action as any other
    NOTIFICATION_TIMEOUT = 3.0  # seconds; at 80x24 a toast covers a third of the screen

    def __init__(self, session: Session, start: str | None = None, *, reopen: bool = False) -> None:
        super().__init__()
        self.session = session
        self.history = History(session.settings.state_path)
        self.preferences = Preferences(session.settings.state_path)
        self._start = start
        self._last_path = LastPath(session.settings.state_path)
        self._path_to_open = self._last_path.read() if reopen and start is None else OpenPath()
        self._path_noted = OpenPath()
        self._last_list = "taskcluster"
        self._panes: dict[str, ListPane | TransfersPane] = {}  # those that have been needed
        self._asks_whether_to_quit = False
        self._watched = WatchedLists(session, self._call_from_thread, self._tell_of_watched, self._show_watched)
        crash_log.set_path(session.settings.state_path / "faults.log")

    def compose(self) -> ComposeResult:
        yield TopBar(self.session.mode, self.session.demo)
        self._panes["taskcluster"] = ListPane(self.session, self.history, systems()["taskcluster"])
        yield self._panes["taskcluster"]
        yield KeyBar()

    def get_default_screen(self) -> PlainScreen:
        return PlainScreen(id="_default")

    def on_mount(self) -> None:
        self._apply_settings()
        self._panes["taskcluster"].enter()
        # Textual draws what changes from then on, but by fg the terminal has lost all that it showed.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh())
        # After the first paint: polars alone takes 95 ms to import, httpx 70, and no one has typed yet.
        self.call_after_refresh(self._warm_up)
        if self._start:
            self.call_after_refresh(self._open_start, self._start)
        elif self._path_to_open.lists:
            self.call_after_refresh(self._reopen, self._path_to_open)
        self.set_interval(_PATH_TICK, self._watch_path)

    def _apply_settings(self) -> None:
        settings = self.session.settings
        try:
            self.set_keymap(check_remapped(settings.keys))
        except AppError as error:
            self.show_error(error)
        wanted = settings.theme
        if settings.origins["theme"] == "default":
            wanted = self.preferences.text("theme", theme.DARK)
        if wanted in self.available_themes:
            self.theme = wanted
        else:
            self.notify(f"Unknown theme '{wanted}'.", severity="warning", markup=False)
        self.watch(self, "theme", lambda chosen: self.preferences.set("theme", chosen), init=False)

    def action_command_palette(self) -> None:
        """Every command of the place one is in, over lists and readers; dialogs have none of their own."""
        if len(self.screen_stack) > 1:
            return
        from tui.widgets.palette import Command, PaletteDialog

        remapped = check_remapped(self.session.settings.keys)
        view = self.current_list.top if self.current_list is not None else None
        menu = remapped.get("menu", "x")
        commands = [
            Command(entry.label, entry.heading.lower(), f"{format_keys(menu)} {entry.letter}".rstrip(), entry.run)
            for entry in (view.menu_commands() if view is not None else ())
        ]
        if view is not None and hasattr(view, "view_commands"):  # readers have none
            commands += [Command(label, "list", "", run) for label, run in view.view_commands()]
        commands += [
            Command(key.help, TITLES[key.where].removeprefix("A ").lower(), format_keys(remapped.get(key.id, key.keys)),
                    partial(self.run_action, key.action, node))
            for key, node in available_keys(self.focused, self) if key.id not in ("palette", "start-commands")
        ]  # fmt: skip
        offered = sorted({theme.DARK, theme.LIGHT, *theme.legible_themes()})
        commands += [Command(f"Theme: {name}", "app", "", partial(setattr, self, "theme", name)) for name in offered]

        commands.append(Command("Save what I have looked at", "app", "", self._save_capsule))

        async def run_chosen(chosen: Command | None) -> None:
            result = chosen.run() if chosen is not None else None
            if inspect.isawaitable(result):
                await result

        self.push_screen(PaletteDialog(commands), run_chosen)

    def _save_capsule(self) -> None:
        from tui.widgets.capsule_dialog import save_capsule

        save_capsule(self, self.session)

    @work(thread=True, group="warm", exit_on_error=False)
    def _warm_up(self) -> None:
        try:
            import tui.widgets.list_view  # noqa: F401 - opening the first locator then takes 0.2 s less

            _ = self.session.http
            theme.legible_themes()  # kept: the palette then opens 0.1 s sooner
        finally:
            quick_start.finish()

    def _open_start(self, text: str) -> None:
        try:
            locator = self.session.parse(text)
        except AppError as error:
            self.show_error(error)
            return
        self.open_locator(locator)

    # ---- where the app was left ------------------------------------------------------------------------------
    @work(group="open")
    async def _reopen(self, path: OpenPath) -> None:
        """Opens these lists on each other, up to one that this version or these settings cannot open."""
        from tui.widgets.list_view import ResourceView

        views: list[ResourceView] = []
        try:
            for opened in path.lists:
                locator = self.session.parse(opened.locator)
                views.append(ResourceView(self.session, locator, opened))
        except AppError as error:
            self.show_error(error)
        system = systems().get(path.pane)
        if views and system is not None and system.key:
            await self.action_pane(system.name)
            if self.current_list is not None and self.current_list.top is None:
                await self.current_list.reopen(views)
                self.notify("Opened where it was left. Esc goes back; `ciexplore --fresh` does not do this.")

    def _watch_path(self) -> None:
        """Remembers where the app is, which may be killed; in a thread, since a disk may take its time."""
        if self._note_path():
            self.run_worker(self._last_path.save, thread=True, group="path", exit_on_error=False)

    def _note_path(self) -> bool:
        """Whether it is another one than before."""
        path = self._current_path()
        changed = path != self._path_noted
        if changed:
            self._path_noted = path
            self._last_path.set(path)
        return changed

    def _current_path(self) -> OpenPath:
        pane = self._panes.get(self._last_list)
        views = pane.views if isinstance(pane, ListPane) else ()
        if not views:
            return OpenPath()
        from tui.widgets.list_view import ResourceView

        lists = [view for view in views if isinstance(view, ResourceView)]
        target = getattr(views[-1], "target", None)  # of a log or a document
        reader = target.locator.text() if target is not None and target.locator is not None else ""
        opened = [view.open_list(reader if view is lists[-1] else "") for view in lists]
        return OpenPath(self._last_list, tuple(opened))

    # ---- unforeseen errors -----------------------------------------------------------------------------------
    def _handle_exception(self, error: Exception) -> None:
        """Ends the app with exit code 1 and one sentence; the log file has the traceback, nothing shows local values.

        Textual would print them, and they may be private.
        """
        self._return_code = 1
        if self._exception is None:
            recorded = crash_log.record(getattr(error, "error", error))  # a worker's failure has the error inside
            self._exit_renderables.append(Text(f"ciexplore: {recorded.sentence}\n  {recorded.hint}"))
            self._exception = error  # run_test raises it
            self._last_path.clear()
            self._stop_work()
            self._exception_event.set()
        self._close_messages_no_wait()

    # ---- toasts ----------------------------------------------------------------------------------------------
    def notify(self, message: str, *, title: str = "", markup: bool = False, **options: Any) -> None:
        """A toast. Many contain names from servers, so none is markup and no escape goes out raw."""
        from backends.frames.formats import safe_text

        lines = (safe_text(line) for line in message[:_MAX_TOAST].split("\n"))
        super().notify("\n".join(lines), title=safe_text(title), markup=markup, **options)

    def show_error(self, error: AppError) -> None:
        """An error that does not fill a list: a toast with its sentence and hint."""
        self.notify(str(error), title="Error", severity="error", timeout=10, markup=False)

    def action_help_quit(self) -> None:
        """Ctrl+C copies in a text box and does nothing elsewhere; say so in our words, Textual's are markup."""
        self.notify("Press Ctrl+Q to quit.", title="Ctrl+C does not quit")

    # ---- panes -----------------------------------------------------------------------------------------------
    @work(group="open")
    async def open_locator(self, locator: Locator) -> None:
        """Opens a locator on top of the lists that are shown; from a start screen in the pane of its system."""
        if self.session.demo:
            self._tell_of_real_server(locator)
        pane, came_from = self.current_list, ""
        if pane is None or pane.top is None:
            before = self._shown_pane
            system = systems().get(locator.system)
            if system is None:
                self.notify(f"No pane opens {locator.system} locators.", severity="warning", markup=False)
                return
            if system.key or pane is None:  # a system without a pane opens in any
                await self.action_pane(system.name if system.key else self._last_list)
            pane = self.current_list
            came_from = before if before != self._shown_pane else ""
        assert pane is not None
        await pane.open(locator, came_from)

    def _tell_of_real_server(self, locator: Locator) -> None:
        """The demo has servers of its own on this machine; others are asked, too, but a demo is often without them."""
        from backends.locators.pasted import find_hosts
        from backends.net import is_loopback

        host = next((one for one in find_hosts(locator.text()) if not is_loopback(one)), "")
        if host:
            self.notify(
                "The demo has its own servers; others may be out of reach. Quit (Ctrl+Q) and run ciexplore without "
                "`demo` to open what is there.",
                title=f"{host} is not a server of the demo", severity="warning", timeout=10,
            )  # fmt: skip

    @property
    def _shown_pane(self) -> str:
        return next(name for name, pane in self._panes.items() if pane.display)

    @property
    def current_list(self) -> ListPane | None:
        return next((pane for pane in self._panes.values() if pane.display and isinstance(pane, ListPane)), None)

    @property
    def transfers(self) -> TransfersPane | None:
        return self._panes.get("transfers")  # type: ignore[return-value]

    async def transfers_pane(self) -> TransfersPane:
        """The transfers pane, made when it is first needed: it imports polars."""
        if self.transfers is None:
            from tui.widgets.transfers import TransfersPane

            await self._add_pane(TransfersPane(self.session, id="transfers"))
        assert self.transfers is not None
        return self.transfers

    async def _add_pane(self, pane: ListPane | TransfersPane) -> None:
        assert pane.id is not None
        pane.display = False
        self._panes[pane.id] = pane
        await self.screen.mount(pane, before=self.query_one(KeyBar))

    def show_transfer_progress(self, text: str) -> None:
        """In the top bar."""
        self.query_one(TopBar).show(transfers=text)

    def restore_focus(self) -> None:
        if len(self.screen_stack) == 1:
            pane = self.current_list or self.transfers
            if pane is not None:
                pane.enter()

    async def action_back_to_list(self) -> None:
        """From the transfers to the lists that were shown before them."""
        await self.action_pane(self._last_list)

    async def action_pane(self, pane: str) -> None:
        if pane == "transfers":
            await self.transfers_pane()
        elif pane not in self._panes:  # the others are made when they are first needed: each costs the start 5 ms
            await self._add_pane(ListPane(self.session, self.history, systems()[pane]))
        if pane != "transfers":
            self._last_list = pane
        for name, one in self._panes.items():
            one.display = name == pane
        self.query_one(TopBar).show(active=pane)
        self._panes[pane].enter()

    @on(TopBar.PaneSelected)
    async def _show_selected_pane(self, event: TopBar.PaneSelected) -> None:
        await self.action_pane(event.pane)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The start screen has the box that Ctrl+O opens."""
        pane = self.current_list if action == "locate" else None
        return pane is None or pane.top is not None or len(self.screen_stack) > 1

    def action_locate(self, text: str = "", lines: int = 1) -> None:
        """The box for a pasted text, with this one in it; `lines`: how many it had."""

        def open_selected(locator: Locator | None) -> None:
            if locator is not None:
                self.open_locator(locator)

        pane = self.current_list or self._panes[self._last_list]
        assert isinstance(pane, ListPane)
        self.push_screen(LocateDialog(self.session.parse, pane.entries(), text, lines), open_selected)

    def on_paste(self, event: events.Paste) -> None:
        """No text box took it: it is meant to be opened."""
        if len(self.screen_stack) == 1 and event.text.strip():
            from backends.locators.pasted import as_one_line

            self.action_locate(as_one_line(event.text), count_lines(event.text))

    def toggle_watch(self, resource: Resource, title: str) -> None:
        """Watches a list until it ends, or stops watching it."""
        locator = resource.locator
        if self._watched.is_watched(locator):
            self._watched.remove(locator)
            self.notify(title, title="No longer watched")
            return
        work = self._watched.add(locator, title)
        self.run_worker(work, thread=True, group="watch", exit_on_error=False)
        self.notify("The first failure and the end are told wherever you are.", title=f"Watched: {title}")

    def _call_from_thread(self, function: Callable[..., None], *arguments: object) -> None:
        if self.is_running:
            self.call_from_thread(function, *arguments)

    def _show_watched(self) -> None:
        self.screen_stack[0].query_one(TopBar).show(watched=self._watched.badge)

    def _tell_of_watched(self, title: str, text: str, failed: bool) -> None:
        self.bell()
        if self.size.height < _ROOMY_LINES:  # which tasks would lie over the whole of a dialog
            text = text.partition("\n")[0]
        self.notify(text, title=title, severity="error" if failed else "information", timeout=15)

    def action_toggle_offline(self) -> None:
        if self.session.capsule is not None:
            self.notify("A capsule is shown: no server is asked.")
            return
        offline = self.session.mode != "offline"
        self.session.set_mode("offline" if offline else "normal")
        self.query_one(TopBar).show(mode=self.session.mode)
        self.notify("Only what is stored is shown. O goes online again." if offline else "Servers are asked again.",
                    title="Offline" if offline else "Online")  # fmt: skip
        if self.current_list is not None and self.current_list.top is not None:
            self.current_list.top.reload()

    def action_help(self) -> None:
        from tui.widgets.dialogs import HelpDialog

        view = self.current_list.top if self.current_list is not None else None
        columns = view.filter_columns if len(self.screen_stack) == 1 and view is not None else ()
        self.push_screen(HelpDialog(self.session.settings.keys, places_of(self.focused), columns))

    # ---- downloads and leaving -------------------------------------------------------------------------------
    @work(group="download")
    async def download(self, title: str, collect: Collect) -> None:
        """Shows what would be downloaded and, if the user confirms, starts it."""
        from tui.widgets.download_dialog import DownloadDialog

        await self._start_confirmed(title, DownloadDialog(title, collect, self.session.settings.output_path))

    @work(group="download")
    async def download_by(self, title: str, way: DownloadWay) -> None:
        """Asks for the options of a download of a special kind, then as `download`."""
        from tui.widgets.download_dialog import DownloadDialog, DownloadOptionsDialog

        prepared = await self.push_screen_wait(DownloadOptionsDialog(way, self.session.settings.output_path))
        if prepared is not None:
            await self._start_confirmed(title, DownloadDialog(title, prepared.files, prepared.output, prepared))

    async def _start_confirmed(self, title: str, dialog: DownloadDialog) -> None:
        confirmed = await self.push_screen_wait(dialog)
        if confirmed is None:
            return
        pane = await self.transfers_pane()
        pane.add(title, confirmed.plan, confirmed.finish)

    async def action_go_back(self) -> None:
        if self.current_list is not None:
            await self.current_list.go_back()
        elif not (self.transfers is not None and await self.transfers.close_reader()):
            await self.action_back_to_list()

    async def action_go_forward(self) -> None:
        if self.current_list is not None:
            await self.current_list.go_forward()

    async def action_close(self) -> None:
        """Leaves the app only where there is nothing to go back to."""
        if self.current_list is None or self.current_list.has_way_back:
            await self.action_go_back()
        else:
            self.action_quit()

    @work(group="quit")
    async def action_quit(self) -> None:  # type: ignore[override]
        """Leaves; asks first while downloads are running."""
        pane = self.transfers
        if self._asks_whether_to_quit:
            return
        if pane is not None and pane.active:
            from tui.widgets.dialogs import ConfirmDialog

            question = "Downloads are running. Quit and resume them later?"
            self._asks_whether_to_quit = True
            quits = await self.push_screen_wait(ConfirmDialog(question, "Quit"))
            self._asks_whether_to_quit = False
            if not quits:
                return
        self.leave()

    def leave(self) -> None:
        self._note_path()
        self._last_path.save()
        self._stop_work()
        self.exit()

    def _stop_work(self) -> None:
        """What runs in threads would keep the process alive."""
        for view in self.screen_stack[0].query("ImageView") if self.screen_stack else ():
            view.forget()  # type: ignore[attr-defined]
        self._watched.stop()
        if self.transfers is not None:
            self.transfers.cancel_everything()
