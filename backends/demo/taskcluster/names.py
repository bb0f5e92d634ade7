"""Which platforms, suites, sites and builds the synthetic Firefox has: the words that task names are made of."""

from __future__ import annotations

from typing import NamedTuple


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


class Platform(NamedTuple):
    """A platform that tests run on; `perf_pool` is the hardware that performance tests run on, if any."""

    name: str
    os: str
    builds: tuple[str, ...]
    pool: str
    worker: str
    perf_pool: str = ""


class Suite(NamedTuple):
    """A test suite; `flavor` set means that its extra.suite is the older {name, flavor} object."""

    name: str
    category: str
    group_symbol: str
    group_name: str
    symbol: str
    chunks: int
    minutes: float
    flavor: str = ""
    variants: tuple[str, ...] = ()


_LINUX = "gecko-t/t-linux-docker-noscratch-amd64"
_WINDOWS = "gecko-t/win11-64-24h2"
_MAC = "releng-hardware/gecko-t-osx-1400-r8"
_ARM_MAC = "releng-hardware/gecko-t-osx-1500-m4"
_EMULATOR = "gecko-t/t-linux-kvm-gcp"

PLATFORMS = (
    Platform("linux2404-64", "linux", ("opt", "debug"), _LINUX, "docker-worker"),
    Platform(
        "linux2404-64-shippable", "linux", ("opt",), _LINUX, "docker-worker", "releng-hardware/gecko-t-linux-netperf"
    ),
    Platform("linux1804-64-qr", "linux", ("opt", "debug"), _LINUX, "docker-worker"),
    Platform(
        "linux1804-64-shippable-qr",
        "linux",
        ("opt",),
        _LINUX,
        "docker-worker",
        "releng-hardware/gecko-t-linux-talos-1804",
    ),
    Platform("linux1804-64-asan-qr", "linux", ("opt",), _LINUX, "docker-worker"),
    Platform("linux1804-64-tsan-qr", "linux", ("opt",), _LINUX, "docker-worker"),
    Platform("linux1804-64-ccov-qr", "linux", ("opt",), _LINUX, "docker-worker"),
    Platform("windows11-64-24h2", "windows", ("opt", "debug"), _WINDOWS, "generic-worker"),
    Platform(
        "windows11-64-24h2-shippable",
        "windows",
        ("opt",),
        _WINDOWS,
        "generic-worker",
        "releng-hardware/win11-64-24h2-hw",
    ),
    Platform("windows11-32-24h2", "windows", ("opt", "debug"), _WINDOWS, "generic-worker"),
    Platform("windows11-64-24h2-asan", "windows", ("opt",), _WINDOWS, "generic-worker"),
    Platform("macosx1470-64-qr", "macosx", ("opt", "debug"), _MAC, "generic-worker"),
    Platform("macosx1470-64-shippable-qr", "macosx", ("opt",), _MAC, "generic-worker", _MAC),
    Platform("macosx1500-aarch64", "macosx", ("opt", "debug"), _ARM_MAC, "generic-worker"),
    Platform("macosx1500-aarch64-shippable", "macosx", ("opt",), _ARM_MAC, "generic-worker", _ARM_MAC),
    Platform("android-em-14-x86_64", "linux", ("opt", "debug"), _EMULATOR, "docker-worker"),
    Platform(
        "android-hw-a55-14-0-aarch64-shippable",
        "linux",
        ("opt",),
        "proj-autophone/gecko-t-lambda-perf-a55",
        "generic-worker",
        "proj-autophone/gecko-t-lambda-perf-a55",
    ),
)

_BOTH = ("nofis", "swr")
SUITES = (
    Suite("mochitest-plain", "mochitest", "M", "Mochitests", "", 5, 14, variants=("nofis", "headless")),
    Suite("mochitest-browser-chrome", "mochitest", "M", "Mochitests", "bc", 10, 22, variants=("a11y-checks", "swr")),
    Suite("mochitest-devtools-chrome", "mochitest", "M", "Mochitests", "dt", 8, 19, "mochitest-devtools-chrome"),
    Suite("mochitest-media", "mochitest", "M", "Mochitests", "mda", 3, 12, variants=("wmfme",)),
    Suite("mochitest-chrome", "mochitest", "M", "Mochitests", "c", 3, 9, variants=("1proc",)),
    Suite("mochitest-a11y", "mochitest", "M", "Mochitests", "a11y", 1, 8, variants=("1proc",)),
    Suite("mochitest-webgl1-core", "mochitest", "M", "Mochitests", "gl1c", 1, 6, "mochitest-webgl1-core"),
    Suite("mochitest-webgpu", "mochitest", "M", "Mochitests", "webgpu", 2, 7),
    Suite("reftest", "reftest", "R", "Reftests", "R", 4, 16, "reftest", _BOTH),
    Suite("crashtest", "reftest", "R", "Reftests", "C", 2, 9, "crashtest", _BOTH),
    Suite("jsreftest", "reftest", "R", "Reftests", "J", 3, 18, "jsreftest"),
    Suite("web-platform-tests", "web-platform-tests", "W", "Web platform tests", "wpt", 18, 24, variants=_BOTH),
    Suite("web-platform-tests-reftest", "web-platform-tests", "W", "Web platform tests", "Wr", 6, 15, variants=_BOTH),
    Suite("web-platform-tests-wdspec", "web-platform-tests", "W", "Web platform tests", "Wd", 3, 13),
    Suite("web-platform-tests-crashtest", "web-platform-tests", "W", "Web platform tests", "Wc", 1, 7, variants=_BOTH),
    Suite("web-platform-tests-print-reftest", "web-platform-tests", "W", "Web platform tests", "Wp", 1, 8),
    Suite("xpcshell", "xpcshell", "X", "Xpcshell tests", "X", 8, 17, variants=("http3", "msix")),
    Suite("marionette-unittest", "marionette", "MnM", "Marionette tests", "Mn", 3, 12, variants=("headless",)),
    Suite("marionette-integration", "marionette", "MnM", "Marionette tests", "Mni", 1, 9),
    Suite("jittest", "jittest", "", "", "Jit", 5, 11, "jittest-chunked"),
    Suite("gtest", "gtest", "", "", "GTest", 1, 6, variants=("1proc",)),
    Suite("cppunittest", "cppunittest", "", "", "cppunit", 1, 3, variants=("1proc",)),
    Suite("telemetry-tests-client", "telemetry-tests", "", "", "tt(c)", 1, 7),
    Suite("firefox-ui-functional", "firefox-ui", "Fxfn", "Firefox functional tests", "en-US", 1, 8),
)

SITES = words(
    "amazon bing-search buzzfeed cnn docomo ebay espn expedia facebook fandom google-docs google-mail google-search "
    "google-slides imdb imgur instagram linkedin microsoft netflix nytimes office outlook paypal pinterest reddit "
    "samsung stackoverflow tumblr twitch twitter weather wikipedia yahoo-mail youtube"
)
BENCHMARKS = words(
    "ares6 assorted-dom jetstream2 jetstream3 matrix-react-bench motionmark-1-3 motionmark-htmlsuite-1-3 speedometer "
    "speedometer3 stylebench sunspider twitch-animation unity-webgl wasm-godot wasm-misc webaudio"
)
TALOS = words("bcv chrome damp dromaeojs g1 g3 g4 g5 motionmark other perf-reftest svgr tabswitch tp5o webgl xperf")

# kind-platform/buildtype, Treeherder machine, operating system
BUILDS = (
    ("build-linux64-shippable/opt", "linux64-shippable", "linux"),
    ("build-win64-shippable/opt", "windows2012-64-shippable", "windows"),
    ("build-linux64/opt", "linux64", "linux"),
    ("build-linux64/debug", "linux64", "linux"),
    ("build-linux64-asan/opt", "linux64-asan", "linux"),
    ("build-linux64-asan-fuzzing-ccov/opt", "linux64-asan", "linux"),
    ("build-linux64-tsan/opt", "linux64-tsan", "linux"),
    ("build-linux64-ccov/opt", "linux64-ccov", "linux"),
    ("build-linux64-base-toolchains-clang/debug", "linux64", "linux"),
    ("build-linux64-plain/opt", "linux64", "linux"),
    ("build-linux64-aarch64/opt", "linux64-aarch64", "linux"),
    ("build-win64/opt", "windows2012-64", "windows"),
    ("build-win64/debug", "windows2012-64", "windows"),
    ("build-win32/opt", "windows2012-32", "windows"),
    ("build-win64-aarch64/opt", "windows2012-aarch64", "windows"),
    ("build-win64-asan/opt", "windows2012-64-asan", "windows"),
    ("build-macosx64/opt", "osx-cross", "linux"),
    ("build-macosx64/debug", "osx-cross", "linux"),
    ("build-macosx64-shippable/opt", "osx-shippable", "linux"),
    ("build-macosx64-aarch64/opt", "osx-aarch64", "linux"),
    ("build-android-aarch64/opt", "android-5-0-aarch64", "linux"),
    ("build-android-aarch64-shippable/opt", "android-5-0-aarch64-shippable", "linux"),
    ("build-android-x86_64/opt", "android-5-0-x86_64", "linux"),
    ("build-android-x86_64/debug", "android-5-0-x86_64", "linux"),
    ("spidermonkey-sm-plain-linux64/opt", "linux64", "linux"),
    ("spidermonkey-sm-asan-linux64/opt", "linux64", "linux"),
    ("spidermonkey-sm-arm64-sim-linux64/debug", "linux64", "linux"),
    ("spidermonkey-sm-plain-win32/opt", "windows2012-32", "windows"),
    ("hazard-linux64-haz/debug", "linux64", "linux"),
    ("static-analysis-autotest-linux64-st-autotest/debug", "linux64", "linux"),
)

SOURCE_TESTS = words(
    "mozlint-eslint mozlint-yaml mozlint-py-ruff mozlint-codespell mozlint-clang-format mozlint-license "
    "mozlint-mingw-cap mozlint-rustfmt mozlint-shellcheck mozlint-stylelint mozlint-test-manifest python-mach "
    "python-mozbase python-mozperftest python-taskgraph python-tryselect doc-generate "
    "file-metadata-bugzilla-components "
    "node-eslint-plugin-mozilla node-newtab-unit-tests jsshell-bench-ares6-sm vendor-rust taskgraph-diff"
)

OWNERS = tuple(f"{name}@example.org" for name in words("abena chidi dalia enrico fumiko goran hana ilse jorge"))
REGIONS = ("us-east1", "us-west1", "us-central1", "europe-west1")
