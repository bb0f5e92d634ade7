"""What a person pasted, freed of what surrounds it, and its parts if it is an address."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from backends.locators.base import InvalidLocatorError
from backends.net import is_loopback

OPENING = "<\"'`({“‘«"
CLOSING = ">\"'`)}]”’».,;:!?…"
PORTS = {"http": 80, "https": 443}
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://")
BARE_HOST = re.compile(r"(localhost|\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+)(:[0-9]{1,5})?(?=[/?#])")
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")

_ADDRESS = re.compile(r"(?<![A-Za-z0-9+.-])(?:https?|gs|s3|file)://(?:(?!\]\()[^\s<>\"'`])+", re.IGNORECASE)
_OURS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!//)\S|[/~]|\.{1,2}/")  # a short form, or a path on this disk
# A command, and the addresses in it: in quotes they may hold anything, else they end where the shell ends a word.
_COPYING = re.compile(
    r"[$#%>!\s]*(?:(?:sudo|time)\s+|[A-Za-z_][A-Za-z0-9_]*=\S*\s+)*(?:\S*/)?"
    r"(?:gsutil|gcloud|aws|s3cmd|mc|curl|wget|rclone)\s"
)
_ARGUMENT = re.compile(
    r"""(["'])((?:https?|gs|s3|file)://.*?)\1|(?<![A-Za-z0-9+.-])(?:https?|gs|s3|file)://[^\s<>"'`|;]+""", re.IGNORECASE
)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_WEB_HOST = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#:&]+)", re.IGNORECASE)
_SEVERAL = re.compile(r"\s(?:https?|gs|s3|file)://", re.IGNORECASE)
_EMPHASIS = "*_~"
_LONGEST_PROSE = 20_000  # characters; longer texts are taken as they are


def escape(text: str, safe: str = "") -> str:
    """Percent-encoded so that `unescape` gives it back, even at the end of a sentence: no last dot or slash is bare."""
    quoted = quote(text, safe=safe, errors="surrogatepass")
    if quoted.endswith((".", "/")):
        quoted = f"{quoted[:-1]}%{ord(quoted[-1]):02X}"
    return quoted


def unescape(text: str) -> str:
    try:
        return unquote(text, errors="surrogatepass")
    except UnicodeDecodeError:  # %FF and the like: no name that we or a server wrote
        return unquote(text, errors="replace")


def origin_of(scheme: str, host: str, port: int | None) -> str:
    """`scheme://host[:port]` in the one spelling that is compared and stored."""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port in (None, PORTS.get(scheme)) else f"{scheme}://{shown}:{port}"


@dataclass(frozen=True)
class PastedUrl:
    """An address. `path`, `fragment` are as written (not decoded); `query` has the first value of each name."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: dict[str, str]
    fragment: str

    @property
    def origin(self) -> str:
        return origin_of(self.scheme, self.host, self.port)

    @property
    def segments(self) -> list[str]:
        """The path between its slashes, still encoded; empty ones kept, for `//` occurs in artifact names."""
        return self.path.lstrip("/").rstrip("/").split("/")

    @property
    def is_web(self) -> bool:
        return self.scheme in PORTS

    def server(self) -> str:
        """The origin as a server to ask. Raises `InvalidLocatorError` where a request would be readable on the way."""
        if self.scheme == "http" and not is_loopback(self.host):
            raise InvalidLocatorError(
                f"{self.host} is to be asked over plain http, which anyone on the way can read and change.",
                "Use the https URL; plain http is for servers on this machine.",
            )
        return self.origin


class PastedText:
    """`text` is what was meant; `url` its parts when it is an address (a missing scheme is supplied).

    Of a command, a Markdown link or a sentence the one address in it is meant. `addresses`: how many different ones
    there are, where it is not clear which one. `hgweb`: the URL of the hgweb that the settings name.
    """

    def __init__(self, text: str, hgweb: str = "") -> None:
        self.hgweb = hgweb
        self.text, self.addresses = _meant(_unwrapped(text))

    @cached_property
    def url(self) -> PastedUrl | None:
        text = self.text
        if SCHEME.match(text) is None:
            bare = BARE_HOST.match(text, 0, 400)  # no host is longer; keeps a huge paste cheap
            if bare is None:
                return None
            scheme = "http" if is_loopback(bare[1].strip("[]").lower()) else "https"
            text = f"{scheme}://{text}"
        return split_url(text)

    def quote(self) -> str:
        """The text in quotes for a message: short, one line, nothing that a terminal obeys."""
        shown = self.text if len(self.text) <= 60 else f"{self.text[:57]}…"
        return "“" + "".join(char if char.isprintable() else "�" for char in shown) + "”"


def split_url(text: str) -> PastedUrl:
    """The parts of an absolute URL. Raises `InvalidLocatorError` for one that is malformed or carries a password."""
    try:
        split = urlsplit(text)
        port, host = split.port, (split.hostname or "").rstrip(".")
        query = dict(reversed(parse_qsl(split.query, max_num_fields=200)))
    except ValueError as error:
        raise InvalidLocatorError("This is not a well-formed URL.", "Copy it again from the browser.") from error
    if split.username is not None or split.password is not None:
        raise InvalidLocatorError(
            "This URL has a user name or a password in it.", "Paste it without what stands before the @."
        )
    _check_host(split, host)
    return PastedUrl(split.scheme, host, port, split.path, query, split.fragment)


def _check_host(split: SplitResult, host: str) -> None:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError as error:
            raise InvalidLocatorError("This URL has no valid host.", "Copy it again from the browser.") from error
    elif HOST.fullmatch(host) is None or "\\" in split.netloc:
        raise InvalidLocatorError("This URL has no valid host.", "Copy it again from the browser.")


def _meant(text: str) -> tuple[str, int]:
    """(the text, or the one address in it; how many there are if it is not clear which)"""
    if len(text) > _LONGEST_PROSE:
        return text, 0
    if _COPYING.match(text):
        arguments = [match[2] or _unwrapped(match[0]) for match in _ARGUMENT.finditer(text)]
        objects = [one for one in arguments if not _WEB.match(one)]  # others may be the server, or a proxy
        if arguments:
            return _without_wildcard((objects or arguments)[0]), 0  # what is copied comes before where it is copied to
    if not _is_prose(text):
        return text, 0
    found = find_addresses(text)
    return (_without_wildcard(found[0]), 0) if len(found) == 1 else (text, len(found))


def find_addresses(text: str) -> list[str]:
    """The different URLs in a text, in their order, without what Markdown, Slack and sentences write around them."""
    return list(dict.fromkeys(_address(text, match) for match in _ADDRESS.finditer(text)))


def find_hosts(text: str) -> list[str]:
    """The hosts of the web servers that the text of a locator names, e.g. in `?root=https%3A%2F%2FHOST`."""
    return [host.lower().strip("[]") for host in _WEB_HOST.findall(unescape(text))]


def as_one_line(text: str) -> str:
    """A pasted text in one line. A URL that a terminal has broken into lines is one again."""
    text = text.strip()
    broken = SCHEME.match(text) and not _SEVERAL.search(text) and not re.search(r"[ \t]", text)
    return ("" if broken else " ").join(text.split())


def _is_prose(text: str) -> bool:
    """Whether an address has to be looked for. Of two that are separated by a space, none is the other's name; a line
    end alone may be where a terminal has broken a long one."""
    if SCHEME.match(text):
        return _SEVERAL.search(text) is not None or (
            _WEB.match(text) is not None and re.search(r"[ \t]", text) is not None
        )
    return not (_OURS.match(text) or BARE_HOST.match(text, 0, 400))


def _address(text: str, match: re.Match[str]) -> str:
    """The address of a match without what Markdown and Slack write around it."""
    found, before = match[0], text[match.start() - 1 : match.start()]
    if before == "<":
        found = found.partition("|")[0]  # <ADDRESS|what is shown>
    found = _unwrapped(found)
    return found.rstrip(before) if before and before in _EMPHASIS else found


def _without_wildcard(address: str) -> str:
    return re.sub(r"/\\?\*{1,2}$", "/", address) if address[:5].lower() in ("gs://", "s3://") else address


def _unwrapped(text: str) -> str:
    """Without surrounding white space, quotes, brackets and the punctuation of the sentence it stood in."""
    text = text.strip()
    if text.startswith("<") and text.endswith(">") and "|" in text:  # as Slack writes a link
        text = text.partition("|")[0]
    return text.lstrip(OPENING).rstrip(CLOSING).strip()
