//! Kinds of Kubernetes whose structure alone is a credential, or asks for one.

use jiff::Timestamp;

use super::decode;
use super::engine::{Context, Engine};
use super::place::Place;
use super::{helm, rules, text};
use crate::carrier;
use crate::finding::{Lifetime, Mitigation, Tier};
use crate::hit::Hit;
use crate::kubernetes::{DEFAULT_TOKEN_SECONDS, TOKEN_LIFE_ANNOTATIONS};
use crate::rule::Rule;
use crate::tree::Node;

/// The type of Secrets that let nodes join.
const BOOTSTRAP_TYPE: &str = "bootstrap.kubernetes.io/token";
/// Annotations that hold the object itself as it was applied.
const COPIES: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "kapp.k14s.io/original",
    "banzaicloud.com/last-applied",
];
/// Kinds in which a name like `password` is a name in a schema, a role or a reference, and never that of a value.
const NAMELESS: &[&str] = &[
    "CustomResourceDefinition",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "SealedSecret",
    "ExternalSecret",
    "ClusterExternalSecret",
    "PushSecret",
    "SecretProviderClass",
    "ValidatingAdmissionPolicy",
    "MutatingAdmissionPolicy",
];
/// Keys of a Secret that say nothing: then the Secret's own name tells what its value is.
const PLAIN_KEYS: &[&str] = &[
    "value", "key", "data", "content", "contents", "default", "text", "secret",
];

/// Where a `TokenClient` of Countersign holds hashes of its secrets.
const CLIENT_HASH: &[&str] = &["authentication", "clientSecret", "hashes", "*", "hash"];

/// Whether a key begins a schema, in which names are names of fields.
pub(super) fn is_schema(key: &str) -> bool {
    matches!(key, "openAPIV3Schema" | "jsonSchema" | "x-kubernetes-validations")
}

/// Whether an object is of one of Countersign's own kinds.
fn is_own(node: &Node<'_>) -> bool {
    let version = node.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
    version.starts_with("countersign.dev/")
}

impl Engine<'_> {
    /// An object of Kubernetes.
    pub fn kubernetes(&mut self, place: &Place<'_>, node: &Node<'_>, kind: &str, context: Context) {
        if kind.ends_with("List")
            && let Some(Node::Array(items)) = node.get("items")
        {
            return self.documents(&place.key("items"), items, context);
        }
        let context = if NAMELESS.contains(&kind) {
            context.nameless()
        } else {
            context
        };
        self.structure(place, node, kind, context);
        let (guarded, context) = (context.guarded, context.within());
        for (key, value) in node.members() {
            let here = place.key(key);
            match (kind, key.as_ref()) {
                (_, "metadata") => self.metadata(&here, value, guarded, context),
                (_, "status") if guarded => {}
                (_, "kind" | "apiVersion") => {}
                ("Secret", "data" | "stringData") => self.secret_data(&here, node, key, value, context),
                ("ConfigMap", "data") if helm::is_release(node) => self.release(&here, value, context),
                ("ConfigMap", "binaryData") => self.binary_data(&here, value, context),
                ("ConfigMap", "data") => self.node(&here, value, None, context.of_values()),
                ("TokenClient", "spec") if is_own(node) => self.but_for(CLIENT_HASH, &here, value, Some(key), context),
                _ => self.node(&here, value, Some(key), context),
            }
        }
    }

    /// All of a value, but for hashes by argon2id at the end of this way: such a one is meant to stand there. It has an end,
    /// its strength is judged when it is admitted, and it opens nothing that is sensitive. In any other place a hash of a
    /// password is told of.
    fn but_for(&mut self, way: &[&str], place: &Place<'_>, node: &Node<'_>, name: Option<&str>, context: Context) {
        match (way, node) {
            ([], Node::String(text)) if carrier::is_argon2id(text) => self.pass(text),
            (["*", rest @ ..], Node::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.but_for(rest, &place.index(index), item, name, context);
                }
            }
            ([step, rest @ ..], Node::Object(members)) => {
                for (key, value) in members {
                    let here = place.key(key);
                    if key == step {
                        self.but_for(rest, &here, value, Some(key), context);
                    } else {
                        self.node(&here, value, Some(key), context);
                    }
                }
            }
            _ => self.node(place, node, name, context),
        }
    }

    fn metadata(&mut self, place: &Place<'_>, metadata: &Node<'_>, guarded: bool, context: Context) {
        for (key, value) in metadata.members() {
            let here = place.key(key);
            match key.as_ref() {
                "labels" => self.node(&here, value, None, context.nameless()),
                "annotations" => self.annotations(&here, value, context),
                // Names, times and counts, as the API server made sure.
                _ if guarded => {}
                _ => self.node(&here, value, Some(key), context),
            }
        }
    }

    fn annotations(&mut self, place: &Place<'_>, annotations: &Node<'_>, context: Context) {
        for (key, value) in annotations.members() {
            let here = place.key(key);
            if TOKEN_LIFE_ANNOTATIONS.contains(&key.as_ref()) {
                let seconds = value.as_str().and_then(|text| text.parse().ok()).or(value.as_i64());
                self.limited(
                    &here,
                    &rules::TOKEN_ANNOTATION,
                    seconds,
                    self.limits().service_account_token,
                    context,
                );
            }
            let context = if COPIES.contains(&key.as_ref()) {
                context.in_copy()
            } else {
                context
            };
            self.node(&here, value, Some(key), context);
        }
    }

    /// What the kind itself says.
    fn structure(&mut self, place: &Place<'_>, node: &Node<'_>, kind: &str, context: Context) {
        let spec = |name: &str| node.at(&["spec", name]).and_then(Node::as_i64);
        match kind {
            "Secret" => self.secret_type(place, node, context),
            "ServiceAccount" => self.service_account(place, node, context),
            "TokenRequest" => {
                let (spec_place, limit) = (place.key("spec"), self.limits().service_account_token);
                let here = spec_place.key("expirationSeconds");
                self.limited(&here, &rules::TOKEN_REQUEST, spec("expirationSeconds"), limit, context);
            }
            "CertificateSigningRequest" => {
                let (spec_place, limit) = (place.key("spec"), self.limits().certificate);
                let here = spec_place.key("expirationSeconds");
                let signer = node
                    .at(&["spec", "signerName"])
                    .and_then(Node::as_str)
                    .unwrap_or_default();
                match spec("expirationSeconds") {
                    // The signer decides, often for a year. Kubelets never ask for less.
                    None if !signer.contains("kubelet") => {
                        let hit = Hit::new(&rules::CERTIFICATE_REQUEST, Tier::Statistical, 0..0);
                        self.report_bytes(&here, b"absent", &hit, context);
                    }
                    seconds => self.limited(&here, &rules::CERTIFICATE_REQUEST, seconds, limit, context),
                }
            }
            _ => {}
        }
    }

    fn secret_type(&mut self, place: &Place<'_>, node: &Node<'_>, context: Context) {
        match node.get("type").and_then(Node::as_str) {
            Some("kubernetes.io/service-account-token") => {
                let account = node.at(&["metadata", "annotations", "kubernetes.io/service-account.name"]);
                let value = account.and_then(Node::as_str).unwrap_or_default();
                let hit = Hit::new(&rules::SERVICE_ACCOUNT_TOKEN_SECRET, Tier::Proven, 0..0).living(Lifetime::Endless);
                self.report_bytes(&place.key("type"), value.as_bytes(), &hit, context);
            }
            Some(BOOTSTRAP_TYPE) => self.bootstrap_token(place, node, context),
            _ => {}
        }
    }

    fn bootstrap_token(&mut self, place: &Place<'_>, node: &Node<'_>, context: Context) {
        let entry = |name: &str| {
            let plain = node.at(&["stringData", name]).and_then(Node::as_str).map(str::to_owned);
            plain.or_else(|| {
                let bytes = decode::base64(node.at(&["data", name])?.as_str()?)?;
                decode::as_text(&bytes).map(str::to_owned)
            })
        };
        let end = entry("expiration").and_then(|text| text.parse::<Timestamp>().ok());
        let id = entry("token-id").unwrap_or_default();
        let hit = Hit::new(&rules::BOOTSTRAP_TOKEN, Tier::Proven, 0..0);
        let hit = match end.map(|end| end.as_second() - self.now) {
            None => hit.living(Lifetime::Endless),
            Some(left) if left <= 0 => hit.mitigated(Mitigation::Expired),
            Some(left) if left <= self.limits().bootstrap_token => return,
            Some(left) => hit.living(Lifetime::Seconds(left)),
        };
        self.report_bytes(&place.key("type"), id.as_bytes(), &hit, context);
    }

    fn service_account(&mut self, place: &Place<'_>, node: &Node<'_>, context: Context) {
        let place = place.key("secrets");
        for (index, item) in node.get("secrets").map_or(&[][..], Node::items).iter().enumerate() {
            let Some(name) = item.get("name").and_then(Node::as_str) else {
                continue;
            };
            if name.contains("-token") {
                let hit = Hit::new(&rules::SERVICE_ACCOUNT_SECRETS, Tier::Statistical, 0..0);
                let here = place.index(index);
                self.report_bytes(&here.key("name"), name.as_bytes(), &hit, context);
            }
        }
    }

    /// `serviceAccountToken` of a projected volume.
    pub fn projected_token(&mut self, place: &Place<'_>, source: &Node<'_>, context: Context) {
        let seconds = source.get("expirationSeconds").and_then(Node::as_i64);
        let here = place.key("expirationSeconds");
        self.limited(
            &here,
            &rules::PROJECTED_TOKEN,
            seconds,
            self.limits().service_account_token,
            context,
        );
    }

    /// `tokenRequests` of a CSI driver.
    pub fn token_requests(&mut self, place: &Place<'_>, items: &[Node<'_>], context: Context) {
        for (index, item) in items.iter().enumerate() {
            self.projected_token(&place.index(index), item, context);
        }
    }

    /// Reports a life that is longer than its limit.
    fn limited(&mut self, place: &Place<'_>, rule: &'static Rule, seconds: Option<i64>, limit: i64, context: Context) {
        let Some(seconds) = seconds.filter(|seconds| *seconds > limit && *seconds != DEFAULT_TOKEN_SECONDS) else {
            return;
        };
        let hit = Hit::new(rule, Tier::Proven, 0..0).living(Lifetime::Seconds(seconds));
        self.report_bytes(place, seconds.to_string().as_bytes(), &hit, context);
    }

    fn secret_data(&mut self, place: &Place<'_>, secret: &Node<'_>, field: &str, data: &Node<'_>, context: Context) {
        if helm::is_release(secret) {
            return self.release(place, data, context);
        }
        if secret.get("type").and_then(Node::as_str) == Some(BOOTSTRAP_TYPE) {
            // Judged as a whole, by its end.
            return;
        }
        let secret_name = secret
            .at(&["metadata", "name"])
            .and_then(Node::as_str)
            .unwrap_or_default();
        for (key, value) in data.members() {
            let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
                continue;
            };
            let here = place.key(key);
            let joined = PLAIN_KEYS
                .contains(&key.as_ref())
                .then(|| format!("{secret_name}.{key}"));
            let joined = joined.filter(|_| carrier::may_name_secret(secret_name));
            let name = joined.as_ref().map_or(key.as_ref(), |_| secret_name);
            let mark = self.mark();
            let context = context.of_values();
            match decode::base64(text).filter(|_| field == "data") {
                Some(bytes) => self.bytes(&here.read("base64"), Some(name), &bytes, context.after_decoding()),
                None => self.text(&here, Some(name), text, context),
            }
            if self.scanner.settings.forbid_literal_secrets && !self.found_since(mark) {
                let hit = Hit::new(&rules::LITERAL_SECRET_VALUE, Tier::Named, 0..0);
                self.report_bytes(&here, text.as_bytes(), &hit, context);
            }
        }
    }

    fn binary_data(&mut self, place: &Place<'_>, data: &Node<'_>, context: Context) {
        for (key, value) in data.members() {
            let here = place.key(key);
            if let Some(bytes) = value.as_str().and_then(decode::base64) {
                self.bytes(&here.read("base64"), Some(key), &bytes, context.after_decoding());
            }
        }
    }

    /// `auth` of a registry in a Docker configuration: base64 of `user:password`. Whether it is that.
    pub fn registry(&mut self, place: &Place<'_>, auth: &str, context: Context) -> bool {
        let bytes = decode::base64(auth).filter(|_| auth.len() >= 8).unwrap_or_default();
        let Some((user, password)) = decode::as_text(&bytes).and_then(|text| text.split_once(':')) else {
            return false;
        };
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !(plain(user) && plain(password)) {
            return false;
        }
        if carrier::is_literal(password) && !text::ends_in_time(password) {
            let hit = Hit::new(&rules::REGISTRY_CREDENTIAL, Tier::Proven, 0..0);
            self.report_bytes(place, password.as_bytes(), &hit, context);
        }
        true
    }

    fn limits(&self) -> &crate::limits::Limits {
        &self.scanner.settings.limits
    }
}
