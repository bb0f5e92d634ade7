"""What a person can paste and what it opens, in words; the start screen shows it before any recogniser is loaded."""

FORMS: tuple[tuple[str, str], ...] = (
    ("fN1SbArXTPSVFNUvaOlinQ", "a task group or a task, by its id"),
    ("https://HOST/tasks/groups/GROUP", "a task group"),
    ("https://HOST/tasks/TASK[/runs/N]", "a task and its runs"),
    ("https://HOST/tasks/TASK/runs/N/logs/NAME", "a log"),
    ("https://HOST/tasks/TASK/runs/N/NAME", "an artifact"),
    ("https://HOST/tasks/index/NAMESPACE/NAME", "an indexed task"),
    ("https://HOST/api/queue/v1/task/TASK/...", "the same by their API addresses"),
    ("https://firefoxci.taskcluster-artifacts.net/TASK/N/NAME", "an artifact of Firefox CI"),
    ("gecko.v2.autoland.latest.taskgraph.decision", "an indexed task or push"),
    ("taskcluster:push/autoland/REVISION", "the task group of a push"),
    ("taskcluster:group/ID, :task/ID[/N], :artifact/ID/N/NAME", "the short forms that y copies"),
    ("https://treeherder.mozilla.org/jobs?repo=R&revision=REV", "the task group of a push"),
    ("https://treeherder.mozilla.org/perfherder/graphs?series=...", "a performance series"),
    ("https://treeherder.mozilla.org/perfherder/alerts?id=N", "the alerts of a summary"),
    ("https://perf.compare/compare-results?baseRev=...", "a comparison of two revisions"),
    ("perf:signatures/autoland/browsertime, perf:pushes/autoland", "what Perfherder measures, pushes"),
    ("...&selectedTaskRun=TASK.N, /logviewer?task=TASK.N", "the task of a Treeherder job"),
)
