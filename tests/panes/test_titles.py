"""What the kinds of lists, logs and documents are called once they are loaded: in words, not by an id."""

from __future__ import annotations

import re

import pytest

from backends import config
from backends.cancel import CancelToken
from backends.http import Http
from backends.resources import read_list
from backends.systems import open_resource, parse_locator

JOB = "periodic-ci-openshift-release-master-ci-4.8-e2e-gcp"
_OF_JOB = f"gs/test-platform-results/logs/{JOB}/"
# A locator of the demo or any other, the title of its list, those of the log and of the document of its first row.
# Days stand as DAY. What the titles were before, where they were not in words, is in the comments.
TITLES = {
    # "autoland 16982c3917d4 group Y33uyQ0GR_eMGr1zdJzLAQ"
    "taskcluster.finished-group": "autoland 16982c3917d4 by enrico, DAY",
    "taskcluster.running-group": "try a9d56f46be26 by ilse, DAY",
    "taskcluster.empty-group": "task group uZtsN-CgT--kh1DaAuI-sg",
    # "Y33uyQ0GR_eMGr1zdJzLAQ → nBz65hUrS3GW2oHxG1DUIw"
    "taskcluster.comparison": "autoland 16982c3917d4 → try a9d56f46be26",
    "taskcluster.task": "test-linux1804-64-shippable-qr/opt-browsertime-tp6-firefox-amazon-e10s",
    "taskcluster.run": "test-linux1804-64-shippable-qr/opt-browsertime-tp6-firefox-amazon-e10s, run 0",
    "taskcluster.namespace": "index: gecko.v2.autoland",
    "prow.job-openshift": JOB,
    "prow.build-failed": f"{JOB} 2123570075066699778",
    f"prow:matrix/{_OF_JOB}": f"tests by build: the newest builds of {JOB}",
    # "2123570075066699778 of periodic-…"
    f"prow:junit/{_OF_JOB}?builds=2123570075066699778": f"tests of {JOB} 2123570075066699778",
    # "all files of 2123570075066699778"
    f"prow:tree/{_OF_JOB}2123570075066699778/": f"all files of {JOB} 2123570075066699778",
    "perf.repository-autoland": "autoland: frameworks",
    "perf.signatures": "suites: autoland, browsertime",  # "autoland 13"
    "perf.series": "amazon linux1804-64-shippable-qr",
    "perf.three-series": "amazon and 2 more series",  # "3 series"
    "perf.alerts": "Alerts: browsertime, untriaged",  # "alerts 13 0"
    "perf.alert-summary": "Alert 46331: amazon, [red]markup[/red] [@click=app.qu…, autoland, untriaged",
    "perf.push": "jobs of autoland 16982c3917d4",  # "autoland push 1700117"
    "perf.pushes": "pushes to autoland",
    "perf.compare": "try 0c10423238bf → try 82125bf40b31",
    "perf.compare-subtests": "subtests of amazon",
    "archive.repository": "integration/autoland",
    "archive.revision": "integration/autoland 16982c3917d4: Bug 1733329 - Update the pinned toolchai",
    "archive.kept": "cached source archives",
    "submit.example-broken": "broken.json: lint",
    "submit.outbox": "outbox of job data",
}
# The log and the document of the first row of a list. Ids stood in all of them.
FIRST_ROWS = {
    "taskcluster.task": (
        "mitmproxy.log of test-linux1804-64-shippable-qr/opt-browsertime-tp6-firefox-amazon-e10s, run 0",
        "test-linux1804-64-shippable-qr/opt-browsertime-tp6-firefox-amazon-e10s",
    ),
    "taskcluster.retried-task": (
        "certified.log of test-linux2404-64/opt-mochitest-plain-2, run 0",
        "test-linux2404-64/opt-mochitest-plain-2",
    ),
    "prow.job-kubernetes": ("log of ci-kubernetes-e2e-gci-gce 9", "finished.json of ci-kubernetes-e2e-gci-gce 9"),
    "perf.series": ("log of amazon linux1804-64-shippable-qr · ad0fecf1185e", ""),
    "perf.push": ("log of test-linux1804-64-qr/debug-telemetry-tests-client", ""),
}


def _without_days(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d", "DAY", text)


@pytest.mark.parametrize("name", TITLES)
def test_a_list_is_called_in_words(name: str, demo: dict[str, str]) -> None:
    resource = open_resource(parse_locator(demo.get(name, name)), Http(), config.load(), CancelToken())
    read_list(resource, CancelToken())
    assert _without_days(resource.title) == TITLES[name]


@pytest.mark.parametrize("name", FIRST_ROWS)
def test_a_log_is_called_by_its_task_or_by_its_job_and_build(name: str, demo: dict[str, str]) -> None:
    resource = open_resource(parse_locator(demo[name]), Http(), config.load(), CancelToken())
    row = read_list(resource, CancelToken()).frame.row(0, named=True)
    log, document = resource.log(row), resource.document(row)
    assert (log.title if log else "", document.title if document else "") == FIRST_ROWS[name]
