"""What the synthetic archives call things: buckets, jobs, tests and the words of their logs."""

from __future__ import annotations

OPENSHIFT_BUCKET = "test-platform-results"
KUBERNETES_BUCKET = "kubernetes-ci-logs"
PRIVATE_BUCKET = "origin-ci-private"
BUCKETS = (OPENSHIFT_BUCKET, KUBERNETES_BUCKET)

OPENSHIFT_JOB = "periodic-ci-openshift-release-master-ci-4.8-e2e-gcp"
COMPLETENESS_JOB = "periodic-ci-openshift-release-master-ci-4.6-upgrade-from-stable-4.5-e2e-gcp-upgrade"
KUBERNETES_JOB = "ci-kubernetes-e2e-gci-gce"
PULL_JOB = "pull-kubernetes-e2e-gce"
LONG_JOB = "ci-kubernetes-unit"

AUTHORS = ("mbrandt", "tkowalczyk", "sgupta", "apark", "lfernandez", "jnovak", "k8s-ci-robot")
TITLES = (
    "Bump the base image",
    "kubelet: do not lose the last line of a container log",
    "Fix a data race in the endpoint slice cache",
    "e2e: wait for the webhook before using it",
    "Remove the beta version of the API",
    "Retry a conflict on update",
)

OPENSHIFT_TESTS = tuple(
    f"[sig-{sig}] {what} [Suite:openshift/conformance/{how}]"
    for sig, what, how in (
        ("network", "Services should serve endpoints on same port and different protocols", "parallel"),
        ("network", "NetworkPolicy should deny ingress from pods in other namespaces", "parallel"),
        ("network", "DNS should provide DNS for the cluster", "parallel"),
        ("storage", "CSI Volumes should store data", "parallel"),
        ("storage", "PersistentVolumes-local should be able to write from pod1 and read from pod2", "parallel"),
        ("storage", "In-tree Volumes should fail if subpath directory is outside the volume", "parallel"),
        ("apps", "Deployment should run the lifecycle of a Deployment", "parallel"),
        ("apps", "StatefulSet should perform rolling updates and roll backs", "parallel"),
        ("apps", "Daemon set should rollback without unnecessary restarts", "serial"),
        ("node", "Pods should be submitted and removed", "parallel"),
        ("node", "Probing container should be restarted with a failing exec liveness probe", "parallel"),
        ("auth", "ServiceAccounts should mount projected service account token", "parallel"),
        ("auth", "OAuth server should use http1.1 only to prevent http2 connection reuse", "parallel"),
        ("api-machinery", "Garbage collector should orphan pods created by rc", "parallel"),
        ("api-machinery", "AdmissionWebhook should mutate custom resource", "parallel"),
        ("cli", "oc adm must-gather runs successfully", "parallel"),
        ("cli", "oc debug deployment configs from a build", "parallel"),
        ("imageregistry", "Image registry should redirect on blob pull", "parallel"),
        ("instrumentation", "Prometheus when installed on the cluster shouldn't report any alerts", "parallel"),
        ("arch", "Managed cluster should have no crashlooping pods in core namespaces", "parallel"),
        ("builds", "The Docker build strategy should complete with a long build name", "parallel"),
        ("devex", "Templates should be able to process a template with a multi-line parameter", "parallel"),
        ("etcd", "etcd leader changes are not excessive", "parallel"),
        ("operator", "Operators should report Degraded=False within ten minutes", "serial"),
        ("scheduling", "SchedulerPredicates validates resource limits of pods that are allowed to run", "serial"),
        ("autoscaling", "HPA should scale from 1 pod to 3 pods and from 3 to 5", "serial"),
    )
)
KUBERNETES_TESTS = tuple(
    name.rpartition(" [")[0].replace("[sig-", "Kubernetes e2e suite.[It] [sig-") + " [Conformance]"
    for name in OPENSHIFT_TESTS
)
STEPS = ("ipi-conf", "ipi-conf-gcp", "ipi-install-rbac", "ipi-install-install", "openshift-e2e-test", "gather-extra")
UPGRADE_STEPS = ("ipi-conf", "ipi-install-stableinitial", "openshift-e2e-test", "gather-must-gather")
NODES = ("e2e-master-0", "e2e-minion-group-1xq4", "e2e-minion-group-7bzr")
