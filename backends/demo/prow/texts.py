"""What the synthetic logs say: ci-operator's coloured lines, openshift-tests' and Kubernetes' output.

Sizes follow 837 real builds: successes have 4 to 10 KB, test failures some MB, the largest 37.9 MB. The bulk is strung
from a pool of pieces that all logs share; the pieces end with a line.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from backends.demo.prow.builds import Build
from backends.demo.prow.names import KUBERNETES_TESTS, OPENSHIFT_TESTS, STEPS, UPGRADE_STEPS
from backends.demo.prow.ropes import Piece, Rope
from backends.demo.seeds import generator, number

_PIECE = 1 << 15
_POOL = 32
BIG_BYTES = 37_900_000


@lru_cache(maxsize=8)
def pool(seed: int, flavour: str) -> tuple[Piece, ...]:
    """About a megabyte of lines of one kind: "openshift", "kubernetes" or "kubelet"."""
    random = generator(seed, "prow log", flavour)
    found = []
    for number_ in range(_POOL):
        lines: list[str] = []
        size = 0
        while size < _PIECE:
            draw, low = random.random(), random.randrange(1_000)
            line = _LINES[flavour](draw, low, number_)
            lines.append(line)
            size += len(line)
        found.append(Piece("".join(lines).encode()))
    return tuple(found)


def _openshift_line(draw: float, low: int, piece: int) -> str:
    test = OPENSHIFT_TESTS[low % len(OPENSHIFT_TESTS)]
    if draw < 0.4:
        return f'started: ({piece % 9}/{low}/2543) "{test}"\n'
    if draw < 0.8:
        return f'passed: ({low / 7:.1f}s) 2026-11-20T1{piece % 10}:{low % 60:02}:{low % 59:02} "{test}"\n'
    if draw < 0.83:
        return f'skipped: ({low / 100:.1f}s) 2026-11-20T1{piece % 10}:{low % 60:02}:{low % 59:02} "{test}"\n'
    at = f"Nov 20 1{piece % 10}:{low % 60:02}:{low % 59:02}.{low:03}"
    if draw < 0.835:
        return f"{at} E ns/openshift-etcd pod/etcd-{low % 3} ERROR: probe\n"
    return f"{at} I ns/e2e-{low} pod/test-{low} node/worker-{low % 3} created\n"


def _kubernetes_line(draw: float, low: int, piece: int) -> str:
    clock = f"1{piece % 10}:{low % 60:02}:{low % 59:02}.{low:03}"
    if draw < 0.6:
        return f'Nov 20 {clock}: INFO: Waiting up to 5m0s for pod "pod-{low}" in namespace "e2e-{low % 97}"\n'
    if draw < 0.9:
        test = KUBERNETES_TESTS[low % len(KUBERNETES_TESTS)]
        return f"\x1b[1mSTEP:\x1b[0m {test} \x1b[38;5;243m{clock}\x1b[0m\n"
    if draw < 0.905:
        return f"E1120 {clock}000 {low} reflector.go:{low}] watch closed\n"
    return f"I1120 {clock}000   {low} util.go:{low}] Pod status: Pending\n"


def _kubelet_line(draw: float, low: int, piece: int) -> str:
    level = "E" if draw < 0.01 else "W" if draw < 0.03 else "I"
    clock = f"1{piece % 10}:{low % 60:02}:{low % 59:02}.{low:03}{piece:03}"
    return f'{level}1120 {clock}    1432 kuberuntime_manager.go:{low}] "Syncing pod" pod="kube-system/pod-{low}"\n'


_LINES = {"openshift": _openshift_line, "kubernetes": _kubernetes_line, "kubelet": _kubelet_line}


def build_log(seed: int, build: Build) -> Rope:
    """build-log.txt of one build."""
    if build.openshift:
        head, tail = _operator_head(seed, build), _operator_tail(seed, build)
        bulk = 0
        if build.role == "big-log":
            bulk = BIG_BYTES
        elif build.result == "FAILURE" and "TEST/" in build.artifacts and build.test == "e2e-gcp":
            bulk = 1_000_000 + int(12_000_000 * (number(seed, build.id, "log bytes") / 2**64))
        return strung(seed, "openshift", build.id, bulk, head, tail)
    passed = build.passed
    bulk = (
        BIG_BYTES if build.role == "big-log" else 40_000 + number(seed, build.id) % (300_000 if passed else 4_000_000)
    )
    result = "SUCCESS" if passed else "FAILURE"
    head = f"wrapper.sh] [INFO] Wrapping Test Command: `runner.sh`\n{_stamp(build.started)} Checking out kubernetes\n"
    tail = f"Ginkgo ran 1 suite in {number(build.id) % 90}m2s\nTest Suite {'Passed' if passed else 'Failed'}\n"
    if not passed:
        tail += "\x1b[38;5;9m• [FAILED] [61.500 seconds]\x1b[0m\nERROR: exit status 1\nnot ok 1 e2e\n"
    return strung(seed, "kubernetes", build.id, bulk, head, tail + f"+ EXIT_VALUE=0 # {result}\n")


def strung(seed: int, flavour: str, key: str, size: int, head: str = "", tail: str = "") -> Rope:
    """About `size` bytes of pool between two texts, in an order that depends on the key."""
    pieces = pool(seed, flavour) if size else ()
    order = number(seed, key, "order")
    middle = [pieces[(order + position * 7 + (order >> position % 60)) % _POOL] for position in range(size // _PIECE)]
    return Rope([Piece(head.encode()), *middle, Piece(tail.encode())])


def step_log(seed: int, build: Build, step: str) -> Rope:
    """build-log.txt of one step of the multi-stage test."""
    size = 400_000 if step == "openshift-e2e-test" and not build.passed else 0
    lines = [f"level=info msg=Step {step}, line {line}" for line in range(number(seed, build.id, step) % 60)]
    if not build.passed and step == "openshift-e2e-test":
        lines.append("error: 1 fail, 1523 pass, 1020 skip (27m30s)")
    return strung(seed, "openshift", build.id + step, size, "\n".join(["+ set -o nounset", *lines]) + "\n")


def long_log(build: Build) -> bytes:
    """The few lines of a unit test build."""
    verdict = "PASS" if build.passed else "--- FAIL: TestSync (0.02s)\nFAIL\nmake: *** [Makefile:192: test] Error 1"
    return (
        f"+++ [1120 18:00:00] Running tests without code coverage\nok k8s.io/api 0.{build.index}s\n{verdict}\n".encode()
    )


def _operator_head(seed: int, build: Build) -> str:
    at = build.started or build.created
    said = [
        "ci-operator version v20261118-7d9fcd2",
        "Loading configuration from https://config.ci.openshift.org for openshift/release@master [ci-4.8]",
        f"Using namespace https://console.build02.ci.openshift.org/k8s/cluster/projects/ci-op-{build.id[-8:]}",
        f"Running [input:origin-centos-8], [release:latest], [images], {build.test}",
        f"Running multi-stage test {build.test}",
    ]
    for place, step in enumerate(UPGRADE_STEPS if build.test == "e2e-gcp-upgrade" else STEPS):
        said += [f"Running step {build.test}-{step}."]
        said += [f"Step {build.test}-{step} succeeded after {place * 7 + 1}m10.04s."] * (build.passed or place < 3)
    return "".join(f"\x1b[36mINFO\x1b[0m[{_stamp(at + place * 40)}] {text}  \n" for place, text in enumerate(said))


def _operator_tail(seed: int, build: Build) -> str:
    at = build.ended or build.created + 600
    red = f"\x1b[31mERRO\x1b[0m[{_stamp(at)}] "
    blue = f"\x1b[36mINFO\x1b[0m[{_stamp(at)}] "
    if build.passed:
        return (
            f"{blue}Ran for 1h14m12s                            \n{blue}Reporting job state 'succeeded'             \n"
        )
    if build.result == "ABORTED":
        return f"{red}Received signal: terminated                  \n{blue}Reporting job state 'aborted'\n"
    return (
        f"{red}Some steps failed:                           \n"
        f'{red}  * could not run steps: step {build.test} failed: "{build.test}" test steps failed  \n'
        f"error: some steps failed:\n  * could not run steps: step {build.test} failed\n"
        f"{blue}Reporting job state 'failed' with reason 'executing_graph:step_failed:utilizing_lease'\n"
    )


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
