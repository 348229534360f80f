//! Helm's ordinary work with the webhook on: its releases are looked into, and pass when nothing is in them.

use std::fs;
use std::path::Path;

use crate::release::{Release, helm, istio_charts};

/// A small chart, as people have them.
fn chart(folder: &Path) {
    fs::create_dir(folder.join("templates")).unwrap();
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        (
            "values.yaml",
            "image: localhost/echo:1\nreplicas: 1\ndb: {host: db.example.com, passwordSecret: shop-db}\nextra: {}\n",
        ),
        (
            "templates/all.yaml",
            r"apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  app.yaml: |
    db:
      host: {{ .Values.db.host }}
      passwordFile: /run/db/password
  {{- range $key, $value := .Values.extra }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: shop}}
  template:
    metadata:
      labels: {app: shop}
      annotations: {checksum/config: {{ .Values | toJson | sha256sum }}}
    spec:
      serviceAccountName: {{ .Release.Name }}
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: {{ .Values.image }}
        imagePullPolicy: Never
        env:
        - {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: {{ .Values.db.passwordSecret }}, key: password, optional: true}}}
",
        ),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn an_ordinary_chart_is_installed_upgraded_and_removed() {
    let release = Release::shared().await;
    let namespace = release.namespace(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    chart(folder.path());
    let path = folder.path().to_str().unwrap();
    let place = ["--namespace", namespace.name()];
    let run = |arguments: &[&str]| helm(&[arguments, &place].concat());
    run(&["install", "shop", path, "--wait", "--timeout=60s"]).unwrap();
    run(&["upgrade", "shop", path, "--set=replicas=2", "--wait", "--timeout=60s"]).unwrap();
    let refused = run(&["upgrade", "shop", path, "--set=extra.apiPassword=correct-horse-battery"]);
    let message = format!("{:#}", refused.unwrap_err());
    assert!(
        message.contains("countersign.dev") && message.contains("literal-password"),
        "{message}"
    );
    assert!(!message.contains("correct-horse"), "{message}");
    run(&["rollback", "shop", "1", "--wait", "--timeout=60s"]).unwrap();
    run(&["uninstall", "shop", "--wait"]).unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn istio_is_upgraded_from_its_own_charts() {
    let _release = Release::shared().await;
    let charts = istio_charts();
    for (name, chart) in [("istio-base", "base"), ("istiod", "istio-control/istio-discovery")] {
        let chart = charts.join(chart);
        let upgrade = [
            "upgrade",
            name,
            chart.to_str().unwrap(),
            "--namespace=istio-system",
            "--reuse-values",
        ];
        let more = [
            "--set-string=podAnnotations.upgraded=yes",
            "--force-conflicts",
            "--wait",
            "--timeout=90s",
        ];
        helm(&[&upgrade[..], &more].concat()).unwrap();
    }
}
