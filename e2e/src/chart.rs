//! The kinds that the operator reads and writes, and the rights that its chart gives it, for API servers without a node.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::tools::{self, Scope, Tools};
use crate::{ApiUser, Testbed, shell, wait_for};

/// The namespace that the chart's objects are in.
pub const NAMESPACE: &str = "countersign-system";

/// Installs the chart's CRDs, service account and roles, and Istio's CRDs.
pub async fn install_kinds(testbed: &Testbed) -> Result<()> {
    testbed
        .apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}}}}}"
        ))
        .await?;
    for plural in [
        "apiauthpolicies",
        "certificateauthorities",
        "credentialwaivers",
        "federatedtrustdomains",
        "serviceidentities",
        "tokenclients",
        "tokenissuers",
        "tokenrevocations",
    ] {
        testbed.apply(&template(&format!("crd-{plural}.yaml"))?).await?;
    }
    for name in ["serviceaccount.yaml", "rbac.yaml"] {
        testbed.apply(&template(name)?).await?;
    }
    apply(testbed, &istio_crds()?).await?;
    let established = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=30s"];
    testbed.kubectl(&established).await.map(drop)
}

/// Installs the chart's `ValidatingAdmissionPolicies`, with every one of their checks.
pub async fn install_admission_policies(testbed: &Testbed) -> Result<()> {
    let strict = ["--set=admissionPolicies.certificateRequestsMustEnd=true"];
    testbed.apply(&rendered("admission-policies.yaml", &strict)?).await
}

/// Installs the CRDs of the Gateway API.
pub async fn install_gateway_kinds(testbed: &Testbed) -> Result<()> {
    apply(testbed, &tools()?.share("gateway-api")?).await?;
    let established = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=30s"];
    testbed.kubectl(&established).await.map(drop)
}

/// Waits until the API server asks the webhook of the installed chart, and gets an answer. A Pod that is ready is reached a
/// moment later, when the node has heard of it.
pub async fn until_judged(testbed: &Testbed) -> Result<()> {
    let admin = ApiUser::admin_of(testbed, "default");
    let password =
        serde_json::json!({"metadata": {"name": "judged"}, "data": {"db.password": "correct-horse-battery"}});
    wait_for("the webhook to judge", Duration::from_secs(30), || async {
        let Err(message) = admin.try_create("/api/v1/{ns}/configmaps", &password).await else {
            bail!("a literal password is let in");
        };
        ensure!(message.contains("literal-password"), "{message}");
        Ok(())
    })
    .await
}

/// Installs the CRDs of openreports.io.
pub async fn install_report_kinds(testbed: &Testbed) -> Result<()> {
    apply(testbed, &tools()?.share("openreports")?).await?;
    let established = ["wait", "crd", "--all", "--for=condition=Established", "--timeout=30s"];
    testbed.kubectl(&established).await.map(drop)
}

/// Installs the service account of the chart's webhook, with its rights but for those of the audit.
pub async fn install_webhook_account(testbed: &Testbed) -> Result<()> {
    for name in ["serviceaccount.yaml", "rbac.yaml"] {
        testbed.apply(&template(&format!("webhook/{name}"))?).await?;
    }
    Ok(())
}

/// Lets the chart's webhook audit what the chart lets it by itself: no Secrets. `settings` are Helm's.
pub async fn allow_audit(testbed: &Testbed, settings: &[&str]) -> Result<()> {
    testbed.apply(&rendered("webhook/audit-rbac.yaml", settings)?).await
}

/// Lets it read Secrets too, and every kind.
pub const AUDIT_ALL: &str = "--set=webhook.audit.secrets=true";

/// The user that the chart's signer is to the API server.
pub const SIGNER_USER: &str = "system:serviceaccount:countersign-system:countersign-signer";

/// Installs the service account of the chart's signer, with its rights. `settings` are Helm's.
pub async fn install_signer_account(testbed: &Testbed, settings: &[&str]) -> Result<()> {
    install_account(testbed, "signer", settings).await
}

/// Installs the service account of the chart's token service, with its rights.
pub async fn install_tokens_account(testbed: &Testbed) -> Result<()> {
    install_account(testbed, "tokens", &["--set=tokens.enabled=true"]).await
}

/// Installs the service account of the agents on nodes, with its rights.
pub async fn install_agent_account(testbed: &Testbed) -> Result<()> {
    install_account(testbed, "agent", &["--set=agent.enabled=true"]).await
}

async fn install_account(testbed: &Testbed, of: &str, settings: &[&str]) -> Result<()> {
    for name in ["serviceaccount.yaml", "rbac.yaml"] {
        testbed.apply(&rendered(&format!("{of}/{name}"), settings)?).await?;
    }
    Ok(())
}

/// Lets the chart's signer keep Secrets in all namespaces.
pub async fn allow_secrets(testbed: &Testbed) -> Result<()> {
    let everywhere = ["--set=signer.secretNamespaces={*}"];
    testbed.apply(&rendered("signer/secrets-rbac.yaml", &everywhere)?).await
}

/// Lets it keep Secrets nowhere, as the chart does by itself: another suite on the same API server may have let it.
pub async fn forbid_secrets(testbed: &Testbed) -> Result<()> {
    let gone = ["--ignore-not-found", "--wait"];
    for kind in ["clusterrolebinding", "clusterrole"] {
        let delete = ["delete", kind, "countersign-signer-secrets"];
        testbed.kubectl(&[&delete[..], &gone].concat()).await?;
    }
    Ok(())
}

/// A kubeconfig with a token of the service account of the chart's operator.
pub async fn kubeconfig(testbed: &Testbed) -> Result<PathBuf> {
    kubeconfig_of(testbed, "countersign").await
}

/// A kubeconfig with a token of one of the chart's service accounts.
pub async fn kubeconfig_of(testbed: &Testbed, account: &str) -> Result<PathBuf> {
    let path = testbed.data().join(format!("{account}.kubeconfig"));
    if path.exists() {
        return Ok(path);
    }
    let account = ["create", "token", account, "--namespace", NAMESPACE, "--duration=4h"];
    let token = testbed.kubectl(&account).await?;
    let config = testbed.kubectl(&["config", "view", "--raw", "-o", "json"]).await?;
    let mut config: serde_json::Value = serde_json::from_str(&config)?;
    for user in config["users"].as_array_mut().into_iter().flatten() {
        user["user"] = serde_json::json!({"token": token.trim()});
    }
    std::fs::write(&path, config.to_string())?;
    Ok(path)
}

/// A template of the chart, rendered with the defaults.
fn template(name: &str) -> Result<String> {
    rendered(name, &[])
}

/// A template of the chart, rendered with `settings` of Helm.
pub fn rendered(name: &str, settings: &[&str]) -> Result<String> {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");
    let mut helm = Command::new(tools()?.bin("helm")?);
    helm.args(["template", "countersign", chart, "--namespace", NAMESPACE])
        .args(["--show-only", &format!("templates/{name}")])
        .args(settings);
    shell::run(&mut helm)
}

fn istio_crds() -> Result<PathBuf> {
    let crds = tools()?.share("charts")?.join("base/files/crd-all.gen.yaml");
    ensure!(crds.exists(), "{} is missing", crds.display());
    Ok(crds)
}

/// Also a testbed without a node needs Helm and Istio's chart, of the tools that the larger ones are made of.
fn tools() -> Result<Tools> {
    tools::ensure(Scope::Istio, None)
}

async fn apply(testbed: &Testbed, path: &std::path::Path) -> Result<()> {
    testbed
        .kubectl(&["apply", "--server-side", "-f", &path.display().to_string()])
        .await
        .map(drop)
}
