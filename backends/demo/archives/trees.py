"""What is in a synthetic revision, and its zip: the same bytes for the same seed, as Mercurial's are."""

from __future__ import annotations

import io
import time
import zipfile
from functools import lru_cache

from backends.demo.archives.history import Repository, Revision
from backends.demo.seeds import generator

_LINES = (
    "def run(self):\n", "    for name in sorted(self.names):\n", "        self.log.info('running %s', name)\n",
    "    return 0\n", "# see the documentation\n", "import os\n", "CONFIG = {'retries': 3}\n", "\n",
)  # fmt: skip
_FILES = (
    "README.txt", "mach", "moz.build", "browser/app/nsBrowserApp.cpp", "browser/config/version.txt",
    "dom/base/Document.cpp", "dom/base/Document.h", "dom/base/test/test_document.html", "gfx/layers/Layers.cpp",
    "js/src/jit/Ion.cpp", "js/src/jit/Ion.h", "layout/base/PresShell.cpp", "layout/reftests/reftest.list",
    "netwerk/base/nsSocketTransport2.cpp", "taskcluster/ci/config.yml", "taskcluster/kinds/build/kind.yml",
    "testing/mozharness/README.txt", "testing/mozharness/configs/unittests/linux_unittest.py",
    "testing/mozharness/configs/unittests/win_unittest.py", "testing/mozharness/mozharness/base/log.py",
    "testing/mozharness/mozharness/base/script.py", "testing/mozharness/scripts/desktop_unittest.py",
    "testing/raptor/raptor/raptor.py", "testing/talos/talos/run_tests.py", "toolkit/mozapps/update/updater.cpp",
)  # fmt: skip
_EXECUTABLE = frozenset({"mach", "testing/mozharness/scripts/desktop_unittest.py"})
_LINK = ("testing/mozharness/latest", "configs")


@lru_cache(64)
def zipped(seed: int, repository: Repository, revision: Revision, typed: str, subdirectory: str) -> bytes | None:
    """The zip that hgweb would give for the revision as it was `typed`; None if it has nothing below `subdirectory`."""
    top = f"{repository.name.rpartition('/')[2]}-{typed}"
    prefix = f"{subdirectory}/" if subdirectory else ""
    names = [name for name in sorted((*_FILES, _LINK[0])) if name.startswith(prefix) or name == subdirectory]
    if not names:
        return None
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        if not subdirectory:
            first = repository.revisions[0].node
            account = f"repo: {first}\nnode: {revision.node}\nbranch: default\nlatesttag: null\n"
            _add(archive, f"{top}/.hg_archival.txt", account.encode(), 0o100644, revision.seconds)
        for name in names:
            if name == _LINK[0]:
                _add(archive, f"{top}/{name}", _LINK[1].encode(), 0o120777, revision.seconds)
            else:
                mode = 0o100755 if name in _EXECUTABLE else 0o100644
                _add(archive, f"{top}/{name}", _content(seed, name, revision), mode, revision.seconds)
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int, seconds: int) -> None:
    entry = zipfile.ZipInfo(name, time.gmtime(seconds)[:6])
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, mode << 16
    archive.writestr(entry, content)


def _content(seed: int, name: str, revision: Revision) -> bytes:
    random = generator(seed, "source", name)
    lines = [random.choice(_LINES) for _ in range(random.randrange(60, 900))]
    changed = generator(seed, "change", name, revision.number // 7).randrange(len(lines))
    lines[changed] = f"# changed in {revision.number // 7}\n"
    return "".join(lines).encode()
