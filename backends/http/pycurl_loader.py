"""The only import of pycurl in the project: it is optional (extra `fast`) and comes when the first download starts."""

from __future__ import annotations

import functools
import importlib
import re
from typing import Any

OLDEST_LIBCURL = (8, 4)  # limits the headers of all responses to a request together


@functools.cache
def load_pycurl() -> tuple[Any, str]:
    """pycurl, or None and why it is not used."""
    try:
        module = importlib.import_module("pycurl")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError):
            return None, "pycurl is not installed (pip install 'ciexplore[fast]')"
        return None, f"pycurl cannot be loaded ({error})"
    found = module.version_info()
    version = tuple(int(number) for number in re.findall(r"\d+", found[1])[:2])
    if version < OLDEST_LIBCURL or "https" not in found[8]:
        return None, f"pycurl brings libcurl {found[1]}; needed is {'.'.join(map(str, OLDEST_LIBCURL))} with TLS"
    return module, ""


def describe_engine() -> str:
    """What downloads files over HTTP, and why, in one line for users."""
    module, reason = load_pycurl()
    if module is None:
        return f"httpx in threads, because {reason}"
    return f"libcurl {module.version_info()[1]}; httpx in threads for s3: and file:"
