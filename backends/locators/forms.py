"""What a person can paste and what it opens, in words; the start screen shows it before any recogniser is loaded."""

# System -> (form, what it opens).
FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "taskcluster": (
        ("fN1SbArXTPSVFNUvaOlinQ", "a task group or a task, by its id"),
        ("https://HOST/tasks/groups/GROUP", "a task group"),
        ("https://HOST/tasks/TASK[/runs/N]", "a task and its runs"),
        ("https://HOST/tasks/TASK/runs/N/logs/NAME", "a log"),
        ("https://HOST/tasks/TASK/runs/N/NAME", "an artifact"),
        ("https://HOST/tasks/index/NAMESPACE/NAME", "an indexed task"),
        ("https://HOST/api/queue/v1/task/TASK/...", "the same by their API addresses"),
        ("https://firefoxci.taskcluster-artifacts.net/TASK/N/NAME", "an artifact of Firefox CI"),
        ("gecko.v2.autoland.latest.taskgraph.decision", "an indexed task or push"),
        ("gecko.v2.autoland, https://HOST/tasks/index", "the index, to look through"),
        ("taskcluster:compare/GROUP..GROUP", "two task groups side by side"),
        ("taskcluster:push/autoland/REVISION", "the task group of a push"),
        ("taskcluster:group/ID, :task/ID[/N], :artifact/ID/N/NAME", "the short forms that y copies"),
        ("https://treeherder.mozilla.org/jobs?repo=R&revision=REV", "the task group of a push"),
        ("...&selectedTaskRun=TASK.N, /logviewer?task=TASK.N", "the task of a Treeherder job"),
    ),
    "prow": (
        ("https://HOST/view/gs/BUCKET/logs/JOB/BUILD", "a Prow build, as Deck shows it"),
        ("https://HOST/job-history/gs/BUCKET/logs/JOB", "the builds of a Prow job"),
        ("https://HOST/gcs/BUCKET/PATH, gs://BUCKET/PATH", "a place in a Prow bucket"),
        ("https://storage.googleapis.com/BUCKET/PATH", "the same by its storage address"),
        ("./BUCKET/logs/JOB, file:///DIRECTORY/BUCKET/logs/JOB", "the same in a downloaded tree"),
        ("JOB, JOB/BUILD, a build's id of 19 digits", "a Prow job or build by its name"),
        ("https://HOST/sippy-ng/job_runs/ID/JOB/intervals", "the build of a Sippy run"),
        ("ORG/REPO#NUMBER, https://github.com/ORG/REPO/pull/N", "the Prow builds of a pull request"),
    ),
    "treeherder": (
        ("https://treeherder.mozilla.org/perfherder/graphs?series=...", "a performance series"),
        ("https://treeherder.mozilla.org/perfherder/alerts?id=N", "the alerts of a summary"),
        ("https://perf.compare/compare-results?baseRev=...", "a comparison of two revisions"),
        ("perf:dataset/STORE[/VIEW]", "a dataset that `perf dataset update` filled"),
        ("perf:signatures/autoland/browsertime, perf:pushes/autoland", "what Perfherder measures, pushes"),
    ),
    "archiver": (
        ("https://hg.mozilla.org/mozilla-central/rev/REVISION", "the source archives of a revision"),
        ("https://HOST/REPOSITORY/archive/REVISION.zip/DIRECTORY", "the archive of a part of it"),
        ("https://github.com/OWNER/REPOSITORY/commit/REVISION", "the source archives of a commit"),
        ("archive:REPOSITORY[@REVISION[/DIRECTORY]]", "a repository's revisions; the archives of one"),
        ("archive:repositories, archive:held", "all repositories; the archives that are kept here"),
    ),
    "submission": (("submit:FILE, submit:tasks/ID,ID, submit:outbox", "job data to lint, preview and publish"),),
}
