"""The commands that `record_behaviour.py` runs, in scenes that each have an embedded CI and a home of their own.

A line is a command without `ciexplore`. `*` before it: once in each output format. `<NAME>` is a locator of the demo
(`ciexplore demo --locators`), `<id:NAME>` the task or group id in it, `<base>` and `<new>` are the revisions of its
comparison, `<revision>` that of its archive, `<examples>` the folder of its job data. `VARIABLE=VALUE` before a command
is its environment, `< FILE` after it its standard input, `SERVER --` before it what serves meanwhile. The old spellings
of renamed verbs are used throughout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

FORMATS = ("csv", "table", "json", "jsonl", "parquet")
CLOSED_PORT = 9  # where no broker listens


@dataclass
class Scene:
    """Commands that run one after the other. In an `ordered` scene a command may need what one before it left."""

    name: str
    text: str
    ordered: bool = False
    files: dict[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> list[str]:
        found: list[str] = []
        for line in filter(None, (re.sub(r"\s+", " ", line).strip() for line in self.text.splitlines())):
            if line.startswith("* "):
                found += [f"{line[2:]} --format {form}" for form in FORMATS]
            else:
                found.append(line)
        return found


JOB = "<prow.job-openshift>"
FOLDER = "test-platform-results/logs/periodic-ci-openshift-release-master-ci-4.8-e2e-gcp"  # of that job, in a bucket
LAYOUT = "taskcluster download <taskcluster.finished-group> --layout artifact-downloader"
UNPACKED = "<id:taskcluster.task>/0/public/test_info/browsertime-results.tgz"
SCENES = [
    Scene(
        "taskcluster-lists",
        """
        * taskcluster tasks <taskcluster.finished-group>
        taskcluster tasks <taskcluster.push>
        taskcluster tasks <taskcluster.index>
        taskcluster tasks <id:taskcluster.finished-group> --filter "state:failed,exception"
        taskcluster tasks <taskcluster.finished-group> --filter "duration>20m -kind:build" --columns \
            name,duration,task_id
        taskcluster tasks <taskcluster.finished-group> --filter '/mochitest-\\w+/ platform:linux retries=0'
        taskcluster tasks <taskcluster.finished-group> --filter "started>2026-11-20T09:00 suite:"
        taskcluster tasks <taskcluster.finished-group> --filter '"opt talos"' --columns task_id,name
        taskcluster tasks <taskcluster.finished-group> --filter "no such words"
        taskcluster tasks <taskcluster.finished-group> --filter "no such words" --format table
        taskcluster tasks <taskcluster.empty-group>
        taskcluster tasks <taskcluster.hostile-group> --format csv
        taskcluster tasks <taskcluster.hostile-group> --format table
        taskcluster tasks <taskcluster.hostile-group> --format jsonl
        taskcluster tasks <taskcluster.hostile-group> --spreadsheet-safe
        taskcluster tasks <taskcluster.finished-group> --offline --columns name
        taskcluster tasks <taskcluster.finished-group> --refresh --columns name
        taskcluster tasks <taskcluster.finished-group> --no-cache --columns name
        taskcluster tasks <taskcluster.finished-group> --to tasks.csv
        taskcluster tasks <taskcluster.finished-group> --to tasks.csv
        taskcluster tasks <taskcluster.finished-group> --to tasks.csv --overwrite --columns name
        taskcluster tasks <taskcluster.finished-group> --to tasks.parquet
        taskcluster tasks <taskcluster.finished-group> --to tasks.json --columns name,state
        * taskcluster artifacts <taskcluster.task>
        taskcluster artifacts <taskcluster.retried-task>
        taskcluster artifacts <taskcluster.artifact-kinds-task>
        taskcluster artifacts <taskcluster.unscheduled-task>
        taskcluster artifacts <taskcluster.finished-group> --filter "retries>0" --match "*.log"
        taskcluster artifacts <taskcluster.many-artifacts-task> --match "*/test_info/*" --match "!*.json"
        * taskcluster runs <taskcluster.finished-group> --filter "retries>0"
        taskcluster runs <taskcluster.retried-empty-task>
        * taskcluster stats <taskcluster.finished-group>
        taskcluster stats <taskcluster.finished-group> --column duration --by suite --filter state:completed
        taskcluster stats <taskcluster.finished-group> --column duration --column queue_time --by worker_pool
        taskcluster stats <taskcluster.finished-group> --column name
        * taskcluster breakdown <taskcluster.finished-group>
        taskcluster breakdown <taskcluster.finished-group> --by platform --where "tasks>2"
        taskcluster breakdown <taskcluster.finished-group> --timeline --bins 10
        taskcluster breakdown <taskcluster.finished-group> --critical-path
        taskcluster breakdown <taskcluster.finished-group> --by nothing
        """,
    ),
    Scene(
        "taskcluster-contents",
        f"""
        * taskcluster measurements <taskcluster.task>
        taskcluster measurements <taskcluster.finished-group> --filter suite:talos --where "subtest:fcp"
        taskcluster measurements <taskcluster.task> --replicates --where subtest:fcp
        * taskcluster compare <taskcluster.finished-group> <taskcluster.hostile-group>
        taskcluster compare <taskcluster.finished-group> <taskcluster.finished-group> --filter suite:mochitest
        taskcluster compare <taskcluster.finished-group> <taskcluster.finished-group> --measurements --filter suite:tp6
        taskcluster compare <taskcluster.task> <taskcluster.task> --measurements --replicates --where subtest:fcp
        taskcluster log <taskcluster.failed-task> --errors
        taskcluster log <taskcluster.task> --errors
        taskcluster log <taskcluster.run> --to run.log
        taskcluster log "<taskcluster.log>#L100-L130"
        taskcluster log <taskcluster.artifact>
        taskcluster log <taskcluster.retried-empty-task> --to retried.log
        taskcluster log <taskcluster.failed-task> --follow --to followed.log
        taskcluster show <taskcluster.task>
        taskcluster show <taskcluster.retried-task>
        taskcluster show <taskcluster.artifact>
        taskcluster list <taskcluster.namespace>
        taskcluster list taskcluster:namespace/gecko.v2.autoland.latest.firefox
        taskcluster list taskcluster:copies/<id:taskcluster.task>
        taskcluster list taskcluster:dependents/<id:taskcluster.finished-group>
        taskcluster list taskcluster:dependencies/<id:taskcluster.task>
        taskcluster list taskcluster:runs/<id:taskcluster.retried-task>
        taskcluster list taskcluster:measurements/<id:taskcluster.task>
        taskcluster list taskcluster:artifacts/<id:taskcluster.task>,<id:taskcluster.failed-task>
        taskcluster list taskcluster:archive/{UNPACKED}
        taskcluster list taskcluster:breakdown/<id:taskcluster.finished-group>/platform
        taskcluster list taskcluster:timeline/<id:taskcluster.finished-group>
        taskcluster list taskcluster:critical-path/<id:taskcluster.finished-group>
        taskcluster list taskcluster:compare/<id:taskcluster.finished-group>..<id:taskcluster.hostile-group>
        taskcluster list \
            taskcluster:group/<id:taskcluster.finished-group>:<id:taskcluster.task>,<id:taskcluster.failed-task>
        taskcluster list <taskcluster.artifact> --format json
        taskcluster list <taskcluster.run>
        """,
    ),
    Scene(
        "taskcluster-downloads",
        """
        taskcluster download <taskcluster.task> --output task --dry-run
        taskcluster download <taskcluster.task> --output task
        taskcluster download <taskcluster.task> --output task
        taskcluster download <taskcluster.task> --output task --rehash
        verify task
        * verify task --all
        taskcluster download <taskcluster.finished-group> --filter "platform:linux kind:test" --match \
            perfherder-data.json --output perf --dry-run
        taskcluster download <taskcluster.finished-group> --filter "platform:linux kind:test" --match \
            perfherder-data.json --output perf
        taskcluster download <taskcluster.task> --match "*.tgz" --output archives --unpack
        taskcluster download <taskcluster.task> --match "*.tgz" --output archives --unpack
        verify archives --all --extra
        taskcluster download <taskcluster.artifact-kinds-task> --output kinds
        verify kinds --all
        taskcluster download <taskcluster.retried-task> --output retried --jobs 1
        taskcluster download <taskcluster.hostile-group> --output hostile --match "*.json"
        taskcluster download <taskcluster.finished-group> --filter "no such words" --output none
        taskcluster download <taskcluster.task> --match nothing --output none
        taskcluster download <taskcluster.task> --match perfherder-data.json --output .
        taskcluster download <taskcluster.task> --match perfherder-data.json --output . --overwrite
        verify .
        verify missing
        verify tasks.csv
        """,
        ordered=True,
        files={"tasks.csv": "name\n"},
    ),
    Scene(
        "taskcluster-layout",
        f"""
        {LAYOUT} --all-suites --artifact perfherder-data --output all --dry-run
        {LAYOUT} --all-suites --artifact perfherder-data --output all
        {LAYOUT} --all-suites --artifact perfherder-data --output all
        {LAYOUT} --all-suites --artifact perfherder-data --output all --continue
        {LAYOUT} --suite "browsertime-tp6*" --platform linux --artifact browsertime-results --unzip --output tp6
        {LAYOUT} --suite "mochitest*" --artifact errorsummary --artifact perfherder-data --chunks-together \
            --include-failed --separator +-+ --output chunks
        {LAYOUT} --suite /tp6/ --output grcov
        {LAYOUT} --output nothing
        taskcluster download <taskcluster.finished-group> --suite x --output nothing
        verify all --all
        verify tp6 --extra
        """,
        ordered=True,
    ),
    Scene(
        "prow-lists",
        f"""
        * prow jobs gs://test-platform-results/logs/
        prow jobs gs://kubernetes-ci-logs/pr-logs/directory/ --prefix pull-
        prow jobs gs://kubernetes-ci-logs/logs/ --filter e2e
        * prow builds {JOB} --count 12
        prow builds {JOB} --fast
        prow builds {JOB} --since 2026-11-17 --filter state:failure
        prow builds <prow.pull-job> --count 10
        prow builds <prow.job-kubernetes> --count 10
        prow builds <prow.completeness-job> --count 40
        prow builds kubernetes/kubernetes#93718 --bucket kubernetes
        prow builds kubernetes/kubernetes#93718
        prow builds ci-kubernetes-e2e-gci-gce --bucket kubernetes --count 3
        * prow files <prow.build-failed>
        prow files <prow.build-failed> --flat
        prow files <prow.build-pull> --sizes
        prow files {JOB} --count 3 --match "*.xml" --match "!*operator*"
        prow files <prow.build-hostile>
        prow files <prow.build-only-artifacts>
        * prow completeness <prow.completeness-job> --count 140
        prow completeness <prow.completeness-job> --count 140 --by counts --level 1
        prow completeness <prow.completeness-job> --count 140 --by files --where "missing>0"
        * prow events <prow.build-failed>
        prow events {JOB} --count 20 --where type:Warning
        * prow over-time {JOB} --count 40
        prow over-time {JOB} --count 0 --by week
        prow over-time {JOB} --count 0 --by month --where "builds>3"
        * prow reasons {JOB}
        prow reasons <prow.job-kubernetes> --where "builds>1"
        """,
    ),
    Scene(
        "prow-contents",
        f"""
        * prow junit <prow.build-failed>
        prow junit {JOB} --count 5 --where state:failed
        * prow junit {JOB} --count 8 --by matrix
        prow junit {JOB} --count 5 --by files
        prow junit <prow.build-kubernetes>
        prow log <prow.build-failed> --tail 20
        prow log <prow.build-failed> --errors
        prow log <prow.build-pull> --tail 5
        prow log <prow.build-multi-container> --container proxy --tail 5
        prow log <prow.build-multi-container>
        prow log <prow.build-failed> --step openshift-e2e-test --tail 10
        prow log <prow.build-failed>#1:build-log.txt:101-103
        prow log <prow.build-pending>
        prow log <prow.build-aborted> --to aborted.log
        * prow search {JOB} --text "some steps failed" --count 10
        prow search {JOB} --text "Failed\\w+" --match events.json --count 6 --context 0
        * prow stats {JOB} --count 5
        prow stats <prow.build-kubernetes>
        prow download <prow.build-failed> --output tree --dry-run
        prow download <prow.build-failed> --output tree
        prow download <prow.build-failed> --output tree
        verify tree --all
        prow download {JOB} --count 4 --match "*.xml" --output junit
        prow download <prow.build-hostile> --output hostile
        prow junit ./junit
        prow junit ./junit --by matrix
        prow builds ./junit/{FOLDER}
        prow files ./tree
        prow log ./tree/{FOLDER}/2123570075066699778/build-log.txt --tail 3
        prow builds {JOB} --count 5 --offline
        prow builds <prow.pull-job> --offline
        """,
        ordered=True,
    ),
    Scene(
        "perf-lists",
        """
        * perf repositories
        * perf frameworks
        * perf signatures --repository autoland --framework browsertime --filter "amazon linux"
        perf signatures --repository autoland --framework browsertime --filter "amazon linux" --subtests
        perf signatures --repository autoland --framework 1 --platform linux1804-64-shippable-qr
        * perf series autoland:5090000 --since 2026-11-10 --until 2026-11-21
        perf series autoland:5090000 --since 2026-11-18 --until 2026-11-21 --replicates
        perf series <perf.three-series>
        perf series <perf.hostile-series>
        * perf alerts --repository autoland --status untriaged
        perf alerts <perf.alerts>
        perf alerts <perf.alert-summary>
        perf alerts --repository autoland --framework browsertime --text amazon --hide improvements
        perf alerts --repository autoland --monitored
        * perf pushes --repository autoland --count 8
        perf pushes --repository autoland --author hana@example.org --since 2026-11-10 --until 2026-11-20
        perf pushes <perf.pushes> --columns push_time,revision,author
        * perf jobs <revision>
        perf jobs <perf.push> --filter result:testfailed
        perf jobs 533185963 --similar
        perf jobs 533185963 --failures
        * perf compare try:<base> try:<new> --filter verdict:regression
        perf compare <perf.compare>
        perf compare <perf.compare-subtests>
        perf compare try:<base> try:<new> --replicates --framework browsertime --filter amazon
        perf compare try:<base> try:<new> try:<base> --framework 13 --filter amazon
        perf compare autoland:history autoland:<revision> --framework browsertime --filter amazon
        perf alerts --repository autoland --offline --status untriaged
        perf alerts --repository mozilla-central --offline --status fixed
        taskcluster list perf:repositories
        taskcluster list perf:frameworks/autoland
        taskcluster list perf:signatures/autoland/browsertime --filter speedometer
        taskcluster list perf:series/autoland:5090000?start=1795000000&end=1795200000
        taskcluster list perf:alert/46331
        """,
    ),
    Scene(
        "perf-datasets",
        """
        perf dataset update --repository autoland --store data --since 2026-11-20 --frameworks browsertime --dry-run
        perf dataset update --repository autoland --store data --since 2026-11-20 --frameworks browsertime
        perf dataset update --repository autoland --store data --since 2026-11-20 --frameworks browsertime
        * perf dataset show --store data
        perf dataset show alerts --store data
        perf dataset show bugs --store data
        perf dataset show failing --store data
        perf dataset show culprit --store data
        perf dataset show revisions --store data
        perf dataset show commits --store data
        perf dataset show signatures --store data --filter "suite:amazon"
        perf dataset show jobs --store data
        perf dataset show groups --store data
        perf dataset show durations --store data
        perf dataset show durations-by-signature --store data
        perf dataset show waits --store data
        perf dataset show waits-by-push --store data
        perf dataset show waits-by-platform --store data
        perf dataset show waits-by-hour --store data
        perf dataset show rectified --store data
        perf dataset show coverage --store data
        perf dataset show revisions --store data --within any --tolerance 0.5
        perf dataset show revisions --store data --commits commits.jsonl
        perf dataset show nothing --store data
        perf dataset show alerts --store missing
        perf dataset export --store data --compat compat
        perf dataset export --store data --compat compat
        perf dataset export --store data --compat compat --overwrite --lists json
        perf dataset export --store data --view waits --format json
        perf dataset export --store data --view revisions --to revisions.csv
        perf dataset export --store data --compat relabelled --relabel llm.jsonl
        perf dataset repair --store data
        taskcluster list perf:dataset/data
        taskcluster list perf:dataset/data/revisions
        """,
        ordered=True,
        files={
            "commits.jsonl": '{"node": "<revision>", "date": [1795161600.0, 0]}\n',
            "llm.jsonl": '{"revision": "<revision>", "label": 1}\n',
        },
    ),
    Scene(
        "archive",
        """
        archive repositories --offline
        * archive repositories
        * archive revisions integration/autoland
        archive revisions mozilla-central --filter "author:Sato"
        archive revisions nothing/here
        archive get integration/autoland <revision> --subdir testing/mozharness --output zip
        archive get integration/autoland <revision> --subdir testing/mozharness --output zip
        archive get integration/autoland <revision> --subdir testing/mozharness --output zip --overwrite
        archive get integration/autoland <revision> --subdir testing/mozharness --suffix tar.gz --output tar
        archive get mozilla-central default --subdir testing --suffix tar.bz2 --output tar
        archive get <archive.directory> --output by-address --suffix zip
        archive get integration/autoland <revision> --output whole --yes
        archive serve --port 0 -- archive get <archive.directory> --output served
        archive serve --port 0 -- archive status AAAAAAAAAAAAAAAAAAAAAA
        archive get integration/autoland 000000000000 --output none --subdir testing
        archive get integration/autoland <revision> --subdir no/such/folder --output none
        * archive status
        archive status --filter suffix:zip
        taskcluster list <archive.repositories>
        taskcluster list <archive.revision>
        taskcluster list <archive.directory>
        taskcluster list <archive.kept>
        archive remove
        archive remove --filter suffix:tar.gz
        archive remove --all
        archive status
        """,
        ordered=True,
    ),
    Scene(
        "submit",
        """
        * submit lint <examples>/jobs.json
        submit lint <examples>/broken.json
        submit lint <examples>/broken.json --errors-only --format table
        submit lint <examples>/collection.json --generation
        submit lint <examples>/tasks.json --form task
        submit lint <examples>/jobs.yml <examples>/jobs.csv
        submit lint missing.json
        submit lint - < one.json
        * submit preview <examples>/jobs.json
        submit preview <examples>/collection.json
        submit preview <examples>/jobs.yml --form pulse
        submit preview submit:tasks/<id:taskcluster.task>
        submit convert <examples>/jobs.json --to collection
        submit convert <examples>/jobs.json --to pulse-2018
        submit convert <examples>/collection.json --to pulse --lines
        submit convert <examples>/jobs.csv --to pulse -o converted.json
        submit convert <examples>/jobs.csv --to pulse -o converted.json
        * submit routes
        submit registration
        submit registration --user someone --project autoland
        submit status
        submit publish <examples>/jobs.json --via hawk --dry-run
        submit publish <examples>/jobs.json --via hawk --queue-only
        submit status --columns state,symbol,job,project,route,attempts
        submit publish --via hawk
        submit publish <examples>/collection.json --via hawk --skip-invalid
        submit publish <examples>/broken.json --via hawk
        submit publish <examples>/jobs.yml --via pulse --patience 0
        CIEXPLORE_PULSE_USER=someone CIEXPLORE_PULSE_PASSWORD=secret submit publish <examples>/jobs.yml --via pulse \
            --patience 0
        * submit status
        submit status --state queued,failed
        submit status --state queued --cancel
        submit status --state cancelled --retry
        submit status --state acknowledged --forget
        submit status
        taskcluster list <submit.example>
        taskcluster list <submit.example-broken>
        taskcluster list <submit.example-preview>
        taskcluster list <submit.example-collection>
        taskcluster list <submit.example-table>
        taskcluster list <submit.example-yaml>
        taskcluster list <submit.example-tasks>
        taskcluster list <submit.outbox>
        """,
        ordered=True,
        files={"one.json": '[{"taskId": "x"}]'},
    ),
    Scene(
        "other",
        """
        demo --locators
        config
        config --show
        CIEXPLORE_JOBS=3 CIEXPLORE_THEME=nord config
        CIEXPLORE_CONFIG=config.toml config
        CIEXPLORE_CONFIG=broken.toml config
        CIEXPLORE_CONFIG=unknown.toml config
        CIEXPLORE_JOBS=none config
        completion bash
        completion zsh
        completion fish
        cache info
        taskcluster tasks <taskcluster.finished-group> --columns name
        cache info
        cache clear
        cache info
        --version
        """,
        ordered=True,
        files={
            "config.toml": '[download]\njobs = 5\n[prow]\nbucket = "kubernetes"\n[keys]\ndownload = "D"\n',
            "broken.toml": "[download\n",
            "unknown.toml": "[download]\njob = 5\n",
        },
    ),
    Scene(
        "errors",
        """
        taskcluster tasks nonsense
        taskcluster tasks AAAAAAAAAAAAAAAAAAAAAA
        taskcluster tasks <taskcluster.finished-group> --offline
        taskcluster log <taskcluster.unscheduled-task>
        taskcluster log taskcluster:artifact/<id:taskcluster.task>/0/public/none.log
        taskcluster show <taskcluster.finished-group>
        taskcluster tasks <taskcluster.finished-group> --filter "duration>soon"
        taskcluster tasks <taskcluster.finished-group> --filter "nothing:x"
        taskcluster tasks <taskcluster.finished-group> --filter "/[/"
        taskcluster tasks <taskcluster.finished-group> --filter '"open'
        taskcluster tasks <taskcluster.finished-group> --columns name,nothing
        taskcluster tasks <taskcluster.finished-group> --format xml
        taskcluster tasks <taskcluster.finished-group> --to missing/folder/x.csv
        taskcluster tasks
        taskcluster nothing
        taskcluster tasks <id:taskcluster.finished-group> --root-url http://127.0.0.1:9
        taskcluster download <taskcluster.task>
        taskcluster download <taskcluster.task> --output one.json
        taskcluster measurements <taskcluster.unscheduled-task>
        taskcluster compare <taskcluster.finished-group> nonsense
        taskcluster list taskcluster:artifact/<id:taskcluster.task>/9/public/none
        taskcluster list taskcluster:nothing/x
        prow builds no-such-job
        prow builds <prow.job-openshift> --since yesterday
        prow jobs gs://no-such-bucket/logs/
        prow junit <prow.build-pending>
        prow log <prow.build-never-started>
        prow files ./missing
        prow search <prow.job-openshift> --text "["
        prow builds <prow.job-openshift> --offline
        perf signatures
        perf signatures --repository nothing
        perf signatures --repository autoland --framework nothing
        perf series autoland:1
        perf series nonsense
        perf compare try:<base> try:0000000000000000000000000000000000000000
        perf alerts 1
        perf jobs 0000000000000000000000000000000000000000
        perf pushes --repository autoland --since yesterday
        perf dataset update --store data --since never
        archive get integration/autoland
        archive get integration/autoland <revision> --output x --suffix rar
        submit lint one.json --form nothing
        submit lint broken.json
        submit preview <examples>/jobs.json --against http://127.0.0.1:9
        nonsense
        --nonsense
        <taskcluster.finished-group>
        demo
        verify
        """,
        files={"one.json": "{}", "broken.json": '{"taskId": '},
    ),
]
