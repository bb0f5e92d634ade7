"""Where a deployment is and how its addresses are built.

The shapes are those of the taskcluster-urls library: `<root>/api/<service>/v1/<path>` and, for the web interface,
`<root>/<path>`.
"""

from __future__ import annotations

from urllib.parse import quote

from backends.errors import UsageError
from backends.locators.pasted import SCHEME, escape, split_url
from backends.locators.taskcluster_forms import RUN_PAGES
from backends.net import is_loopback

PROFILES = {
    "firefox": "https://firefox-ci-tc.services.mozilla.com",
    "community": "https://community-tc.services.mozilla.com",
}


def normalise_root(text: str) -> str:
    """The root URL that a setting means: a profile's name or an address, without a slash at the end.

    Raises `UsageError`s for what is neither, has a password in it, or is plain http to another machine.
    """
    name = text.strip()
    if name.lower() in PROFILES:
        return PROFILES[name.lower()]
    if not name:
        raise UsageError("No Taskcluster deployment is set.", _hint())
    if SCHEME.match(name) is None:
        host = name.partition("/")[0].rsplit(":", 1)[0].strip("[]").lower()
        if "." not in host and not is_loopback(host):
            raise UsageError("This is neither a root URL nor the name of a deployment.", _hint())
        name = f"{'http' if is_loopback(host) else 'https'}://{name}"
    url = split_url(name)
    if not url.is_web or url.query or url.fragment:
        raise UsageError("A root URL is https://HOST and nothing else.", _hint())
    return url.server() + url.path.rstrip("/")


def api_url(root: str, service: str, path: str) -> str:
    """An API address; `path` is already encoded, see `segment`."""
    return f"{root}/api/{service}/v1/{path}"


def segment(text: str, safe: str = "") -> str:
    """One part of a path; whatever a server or a user wrote, it stays one part."""
    return quote(text, safe=safe, errors="replace")


def artifact_url(root: str, task_id: str, run: int | None, name: str) -> str:
    """What answers with the artifact (or with a redirect to where it is); `run` None is the latest run.

    Slashes stay as they are for people to read: the queue takes `public/x` and `public%2Fx` alike. Only a name whose
    parts a client would "simplify" away (`..`, `.`) has them encoded.
    """
    plain = not any(part in (".", "..") for part in name.split("/"))
    runs = "" if run is None else f"runs/{run}/"
    return api_url(root, "queue", f"task/{segment(task_id)}/{runs}artifacts/{segment(name, '/' if plain else '')}")


def group_page(root: str, group_id: str, search: str = "") -> str:
    """The page of a group, which keeps what its list is searched for behind the #."""
    return f"{root}/tasks/groups/{segment(group_id)}" + (f"#{escape(search)}" if search else "")


def task_page(root: str, task_id: str, run: int | None = None) -> str:
    return f"{root}/tasks/{segment(task_id)}" + ("" if run is None else f"/runs/{run}")


def artifact_page(root: str, task_id: str, run: int, name: str) -> str:
    """Where a browser shows an artifact. Pasted, it is that artifact again, whatever its name ends in; one that is
    called like a tab of the run's page has its first letter encoded, as no address of a tab is written."""
    shown = escape(name)
    if shown in RUN_PAGES and shown:
        shown = f"%{ord(shown[0]):02X}{shown[1:]}"
    return f"{task_page(root, task_id, run)}/{shown}"


def _hint() -> str:
    return f"Set TASKCLUSTER_ROOT_URL to https://HOST, or to one of: {', '.join(PROFILES)}."
