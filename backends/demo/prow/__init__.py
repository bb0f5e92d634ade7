"""The synthetic archive of Prow: two public buckets in the storage's own protocols, and gcsweb pages of them."""

from __future__ import annotations

from backends.demo.options import DemoOptions
from backends.demo.services import Service


# No module of this package may be called service or locators: once imported, it would take the function's place.
def service(options: DemoOptions) -> Service:
    from backends.demo.prow.archive import Prow

    return Prow(options)


def locators(options: DemoOptions) -> dict[str, str]:
    from backends.demo.prow.openings import locators as found

    return found(options)
