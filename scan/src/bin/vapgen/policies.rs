//! What the policies say.

use countersign_scan::Remedy;
use serde_json::{Value, json};

use crate::cel;

/// A `ValidatingAdmissionPolicy`.
pub struct Policy {
    /// Its name, after that of the release.
    pub name: &'static str,
    /// What it is about, for a comment.
    pub about: &'static str,
    /// Whether it is about kinds that are in no namespace.
    pub cluster_scoped: bool,
    /// Its `spec`. A text such as `@serviceAccountToken@` stands for that limit, in seconds.
    pub spec: Value,
}

/// Every policy of the bundle.
pub fn all() -> Vec<Policy> {
    let mut policies = vec![
        secrets(),
        token_requests(),
        certificate_requests(),
        service_accounts(),
        csi_drivers(),
    ];
    policies.extend(TEMPLATES.iter().map(pod_template));
    policies
}

/// Where a kind has its Pod template.
struct Template {
    name: &'static str,
    about: &'static str,
    resources: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// From the object to the template, in CEL.
    path: &'static str,
    /// The same as a JSON Pointer.
    pointer: &'static str,
}

const TEMPLATES: &[Template] = &[
    Template {
        name: "pods",
        about: "Pods: projected service-account tokens and annotations that live too long.",
        resources: &[("", "v1", &["pods"])],
        path: "",
        pointer: "",
    },
    Template {
        name: "workloads",
        about: "Workloads with a Pod template: the same.",
        resources: &[
            ("", "v1", &["replicationcontrollers"]),
            (
                "apps",
                "v1",
                &["daemonsets", "deployments", "replicasets", "statefulsets"],
            ),
            ("batch", "v1", &["jobs"]),
        ],
        path: ".spec.template",
        pointer: "/spec/template",
    },
    Template {
        name: "cronjobs",
        about: "CronJobs: the same.",
        resources: &[("batch", "v1", &["cronjobs"])],
        path: ".spec.jobTemplate.spec.template",
        pointer: "/spec/jobTemplate/spec/template",
    },
    Template {
        name: "podtemplates",
        about: "PodTemplates: the same.",
        resources: &[("", "v1", &["podtemplates"])],
        path: ".template",
        pointer: "/template",
    },
];

fn pod_template(template: &Template) -> Policy {
    let Template { path, pointer, .. } = template;
    let rules: Vec<Value> = template
        .resources
        .iter()
        .map(|(group, version, resources)| rule(group, version, resources, &["CREATE", "UPDATE"]))
        .collect();
    let spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [
            {"name": "not-a-copy-of-a-template", "expression": cel::not_a_copy()},
            {"name": "not-waived", "expression": cel::not_waived()},
        ],
        "variables": [
            {"name": "limit", "expression": "@serviceAccountToken@"},
            {"name": "volumes", "expression": format!("object{path}.spec.?volumes.orValue([])")},
            {"name": "before", "expression": earlier(&format!("oldObject{path}.spec.?volumes.orValue([])"), "[]")},
            {"name": "long", "expression": cel::long_projections(pointer)},
            {"name": "annotations", "expression": format!("object{path}.?metadata.?annotations.orValue({{}})")},
            {"name": "annotationsBefore", "expression":
                earlier(&format!("oldObject{path}.?metadata.?annotations.orValue({{}})"), "{}")},
            {"name": "longAnnotations", "expression": cel::long_annotations()},
        ],
        "validations": [
            {
                "expression": "variables.long.size() == 0",
                "messageExpression": over_limit("variables.long[0][0]", Remedy::ProjectedToken),
                "reason": "Forbidden",
            },
            annotation_validation(pointer),
        ],
    });
    Policy {
        name: template.name,
        about: template.about,
        cluster_scoped: false,
        spec,
    }
}

fn service_accounts() -> Policy {
    let spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule("", "v1", &["serviceaccounts"], &["CREATE", "UPDATE"])]},
        "matchConditions": [{"name": "not-waived", "expression": cel::not_waived()}],
        "variables": [
            {"name": "limit", "expression": "@serviceAccountToken@"},
            {"name": "annotations", "expression": "object.metadata.?annotations.orValue({})"},
            {"name": "annotationsBefore", "expression": earlier("oldObject.metadata.?annotations.orValue({})", "{}")},
            {"name": "longAnnotations", "expression": cel::long_annotations()},
        ],
        "validations": [annotation_validation("")],
    });
    Policy {
        name: "service-accounts",
        about: "Annotations of ServiceAccounts that set how long their Pods' tokens live.",
        cluster_scoped: false,
        spec,
    }
}

fn annotation_validation(pointer: &str) -> Value {
    json!({
        "expression": "variables.longAnnotations.size() == 0",
        "messageExpression": over_limit(
            &format!("'{pointer}/metadata/annotations/' + variables.longAnnotations[0].replace('/', '~1')"),
            Remedy::ShorterLifetime,
        ),
        "reason": "Forbidden",
    })
}

fn secrets() -> Policy {
    let value = |object: &str| {
        // The schema says that the value is bytes; a policy gets the text in base64 all the same.
        format!("has({object}.data) && 'expiration' in {object}.data ? dyn({object}).data['expiration'] : ''")
    };
    let kept = "request.operation == 'UPDATE' && variables.encoded == variables.encodedBefore";
    let bootstrap = "object.type != 'bootstrap.kubernetes.io/token'";
    let spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule("", "v1", &["secrets"], &["CREATE", "UPDATE"])]},
        "matchConditions": [
            {"name": "of-a-type-that-is-judged", "expression":
                "object.?type.orValue('') in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token']"},
            {"name": "not-waived", "expression": cel::not_waived()},
        ],
        "variables": [
            {"name": "limit", "expression": "@bootstrapToken@"},
            {"name": "encoded", "expression": value("object")},
            {"name": "encodedBefore", "expression": earlier(&format!("({})", value("oldObject")), "''")},
            {"name": "expiration", "expression": cel::decoded("variables.encoded")},
        ],
        "validations": [
            {
                // The type of a Secret cannot be changed.
                "expression": "request.operation == 'UPDATE' || object.type != 'kubernetes.io/service-account-token'",
                "message": format!("/type makes this a service-account token that never ends: {}", Remedy::ProjectedToken),
                "reason": "Forbidden",
            },
            {
                "expression": format!("{bootstrap} || ({kept}) || variables.expiration.matches('{}')", cel::TIME),
                "message": format!(
                    "/data/expiration is missing, or no time as in RFC 3339, so that the bootstrap token never ends: {}",
                    Remedy::ShorterLifetime),
                "reason": "Forbidden",
            },
            {
                // The API server sets the time of creation before it asks policies.
                "expression": format!(
                    "{bootstrap} || ({kept}) || !variables.expiration.matches('{}') || timestamp(variables.expiration) - \
                     timestamp(object.metadata.creationTimestamp) <= duration(string(variables.limit) + 's')", cel::TIME),
                "messageExpression": over_limit(
                    "'/data/expiration, from when the bootstrap token was made,'", Remedy::ShorterLifetime),
                "reason": "Forbidden",
            },
        ],
    });
    Policy {
        name: "secrets",
        about: "Secrets: tokens of service accounts, which never end, and bootstrap tokens that live too long.",
        cluster_scoped: false,
        spec,
    }
}

fn token_requests() -> Policy {
    let spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule("", "v1", &["serviceaccounts/token"], &["CREATE"])]},
        // A kubelet asks for what a Pod says, which was judged with the Pod.
        "matchConditions": [{"name": "not-by-a-kubelet", "expression": "!('system:nodes' in request.userInfo.groups)"}],
        "variables": [
            {"name": "limit", "expression": "@serviceAccountToken@"},
            {"name": "seconds", "expression": "object.spec.?expirationSeconds.orValue(0)"},
        ],
        "validations": [{
            "expression": format!("!({})", cel::too_long("variables.seconds")),
            "messageExpression": over_limit("'/spec/expirationSeconds'", Remedy::ShorterLifetime),
            "reason": "Forbidden",
        }],
    });
    Policy {
        name: "token-requests",
        about: "Tokens that are asked for, as by `kubectl create token`.",
        cluster_scoped: false,
        spec,
    }
}

fn certificate_requests() -> Policy {
    let spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [
            rule("certificates.k8s.io", "v1", &["certificatesigningrequests"], &["CREATE"])]},
        "matchConditions": [{"name": "not-waived", "expression": cel::not_waived()}],
        "variables": [
            {"name": "limit", "expression": "@certificate@"},
            {"name": "mustEnd", "expression": "@mustEnd@"},
            // Kubelets do not say how long; the control plane's settings do.
            {"name": "ofKubelet", "expression":
                "object.spec.signerName in ['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet']"},
        ],
        "validations": [
            {
                "expression": "has(object.spec.expirationSeconds) || variables.ofKubelet || !variables.mustEnd",
                "message": format!(
                    "/spec/expirationSeconds is missing, so that the signer decides, often for a year: {}",
                    Remedy::ShorterLifetime),
                "reason": "Forbidden",
            },
            {
                "expression": "object.spec.?expirationSeconds.orValue(0) <= variables.limit",
                "messageExpression": over_limit("'/spec/expirationSeconds'", Remedy::ShorterLifetime),
                "reason": "Forbidden",
            },
        ],
    });
    Policy {
        name: "certificate-requests",
        about: "Certificates that are asked of a signer in the cluster.",
        cluster_scoped: true,
        spec,
    }
}

fn csi_drivers() -> Policy {
    let spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule("storage.k8s.io", "v1", &["csidrivers"], &["CREATE", "UPDATE"])]},
        "matchConditions": [{"name": "not-waived", "expression": cel::not_waived()}],
        "variables": [
            {"name": "limit", "expression": "@serviceAccountToken@"},
            {"name": "requests", "expression": "object.spec.?tokenRequests.orValue([])"},
            {"name": "before", "expression": earlier("oldObject.spec.?tokenRequests.orValue([])", "[]")},
            {"name": "long", "expression": cel::long_token_requests()},
        ],
        "validations": [{
            "expression": "variables.long.size() == 0",
            "messageExpression": over_limit("variables.long[0]", Remedy::ShorterLifetime),
            "reason": "Forbidden",
        }],
    });
    Policy {
        name: "csi-drivers",
        about: "Tokens that kubelets ask for on behalf of a CSI driver.",
        cluster_scoped: true,
        spec,
    }
}

fn rule(group: &str, version: &str, resources: &[&str], operations: &[&str]) -> Value {
    json!({"apiGroups": [group], "apiVersions": [version], "operations": operations, "resources": resources})
}

/// A message for what lives too long. `what` is its place, in CEL.
fn over_limit(what: &str, remedy: Remedy) -> String {
    let end = cel::quoted(&format!(" seconds: {remedy}"));
    format!("{what} + ' is over ' + string(variables.limit) + {end}")
}

/// What was there before an update; `nothing` on creation.
fn earlier(expression: &str, nothing: &str) -> String {
    format!("request.operation == 'UPDATE' ? {expression} : {nothing}")
}
