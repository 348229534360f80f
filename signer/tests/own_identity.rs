//! Nobody gets another's identity. For each way to a certificate: whoever asks, for whatever, by whatever claims, what comes out
//! is a certificate with exactly the caller's own identity, or a refusal; and who asks rightly is served.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "test code: a panic is how a test fails; each user of the support takes its part"
)]

#[path = "support/asked.rs"]
mod asked;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use asked::{Asked, asked};
use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use countersign_policy::ObjectName;
use countersign_signer::authority::rotation::{Plan, Seen};
use countersign_signer::authority::{Certificate, Kept};
use countersign_signer::books::Ledger;
use countersign_signer::csr;
use countersign_signer::grant::Grant;
use countersign_signer::identities::{Entry, Index};
use countersign_signer::issue::{Current, IssueMetrics, Issuer, Path};
use countersign_signer::key::PublicKey;
use countersign_signer::pod_certificate::{self, Named, ObjectFact, PodFact, RequestKey};
use countersign_signer::secret::{self, Scope, Step};
use jiff::{SignedDuration, Timestamp};
use kube::core::DynamicObject;
use proptest::prelude::*;
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
    let kept = Kept::new("example.org".parse().unwrap());
    let (kept, _) = kept.advanced(&plan, &Seen::default(), None, now()).unwrap();
    let current = Current::default();
    current.set(Some(Arc::new(kept.authority().unwrap())));
    Issuer::new(current, Arc::new(IssueMetrics::default()), Arc::new(Ledger::default()))
});

fn object(namespace: &str, name: &str, account: &str) -> Entry {
    let object = json!({
        "metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}-{name}")},
        "spec": {
            "serviceAccountName": account,
            "delivery": ["PodCertificate", "CertificateSigningRequest", "Secret"],
            "secretName": format!("{name}-tls"),
            "certificate": {"duration": "6h", "dnsNames": [format!("{account}.{namespace}.svc")]},
        },
    });
    Entry::read(&serde_json::from_value::<DynamicObject>(object).unwrap())
}

/// An identity for each account of each namespace.
fn index() -> Index {
    let mut index = Index::new("example.org".parse().unwrap());
    for namespace in ["shop", "bank"] {
        for account in ["api", "admin"] {
            index.insert(object(namespace, account, account));
        }
    }
    index.listed(|_| true);
    index
}

/// Issues what was granted, and holds the certificate to whose it is to be. Nothing but the key may be the request's.
fn certificate_is_of(grant: &Grant, key: &PublicKey, path: Path, namespace: &str, account: &str) {
    let issued: Certificate = ISSUER.issue(path, "a test", grant, key, now()).unwrap();
    let (rest, leaf) = X509Certificate::from_der(&issued.chain[0]).unwrap();
    assert!(rest.is_empty());
    let id = format!("spiffe://example.org/ns/{namespace}/sa/{account}");
    let host = format!("{account}.{namespace}.svc");
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(names.critical);
    assert_eq!(
        names.value.general_names,
        [GeneralName::URI(&id), GeneralName::DNSName(&host)]
    );
    assert!(leaf.subject().iter_attributes().next().is_none());
    assert!(!leaf.is_ca());
    assert_eq!(
        leaf.key_usage().unwrap().unwrap().value.flags,
        1,
        "digitalSignature alone"
    );
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth);
    assert!(!(extended.any || extended.code_signing || extended.ocsp_signing || extended.email_protection));
    assert!(extended.other.is_empty());
    assert_eq!(leaf.extensions().len(), 6, "names, usages, identifiers and constraints");
    let life = leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp();
    assert!(life <= 6 * 3600, "{life}");
    assert_eq!(leaf.public_key().raw, key.subject_public_key_info());
}

/// A cluster of few names, so that they meet: what the API server would say.
#[derive(Clone, Debug)]
struct Cluster {
    pods: BTreeMap<(String, String), PodFact>,
    accounts: BTreeMap<(String, String), ObjectFact>,
    nodes: BTreeMap<String, ObjectFact>,
}

fn fact() -> impl Strategy<Value = ObjectFact> {
    ("u1|u2", prop::bool::weighted(0.05)).prop_map(|(uid, deleting)| ObjectFact { uid, deleting })
}

fn pod() -> impl Strategy<Value = PodFact> {
    let node = prop_oneof![10 => "n1|n2", 1 => Just(String::new())];
    (fact(), "api|admin", node, prop::bool::weighted(0.05)).prop_map(|(object, service_account, node, ended)| PodFact {
        object,
        service_account,
        node,
        ended,
    })
}

fn cluster() -> impl Strategy<Value = Cluster> {
    (
        prop::collection::btree_map(("shop|bank", "p1|p2"), pod(), 1..8),
        prop::collection::btree_map(("shop|bank", "api|admin"), fact(), 3..12),
        prop::collection::btree_map("n1|n2", fact(), 1..8),
    )
        .prop_map(|(pods, accounts, nodes)| Cluster { pods, accounts, nodes })
}

/// What a request says that is not so.
#[derive(Clone, Copy, Debug)]
enum Lie {
    None,
    Namespace,
    Pod,
    PodUid,
    NoPodUid,
    Account,
    AccountUid,
    Node,
    NodeUid,
}

/// What a request claims: what is so of one of the Pods, but for a lie.
#[derive(Clone, Debug)]
struct Claims {
    namespace: String,
    pod: (String, String),
    account: (String, String),
    node: (String, String),
}

/// A cluster, what is claimed of it, and what is asked for with that.
fn request() -> impl Strategy<Value = (Cluster, Claims, Asked)> {
    let lie = prop_oneof![
        8 => Just(Lie::None),
        1 => Just(Lie::Namespace),
        1 => Just(Lie::Pod),
        2 => Just(Lie::PodUid),
        1 => Just(Lie::NoPodUid),
        2 => Just(Lie::Account),
        2 => Just(Lie::AccountUid),
        2 => Just(Lie::Node),
        2 => Just(Lie::NodeUid),
    ];
    (cluster(), lie, any::<prop::sample::Index>()).prop_flat_map(|(cluster, lie, chosen)| {
        let claims = Claims::of(&cluster, chosen, lie);
        let asked = asked(&claims.namespace, &claims.account.0);
        (Just(cluster), Just(claims), asked)
    })
}

impl Claims {
    fn of(cluster: &Cluster, chosen: prop::sample::Index, lie: Lie) -> Self {
        let ((namespace, name), pod) = cluster.pods.iter().nth(chosen.index(cluster.pods.len())).unwrap();
        let uid = |fact: Option<&ObjectFact>| fact.map(|fact| fact.uid.clone()).unwrap_or_default();
        let account = cluster.accounts.get(&(namespace.clone(), pod.service_account.clone()));
        let mut claims = Self {
            namespace: namespace.clone(),
            pod: (name.clone(), pod.object.uid.clone()),
            account: (pod.service_account.clone(), uid(account)),
            node: (pod.node.clone(), uid(cluster.nodes.get(&pod.node))),
        };
        let other = |text: &mut String, one: &str, two: &str| (if text == one { two } else { one }).clone_into(text);
        match lie {
            Lie::None => {}
            Lie::Namespace => other(&mut claims.namespace, "shop", "bank"),
            Lie::Pod => other(&mut claims.pod.0, "p1", "p2"),
            Lie::PodUid => other(&mut claims.pod.1, "u1", "u2"),
            Lie::NoPodUid => claims.pod.1.clear(),
            Lie::AccountUid => other(&mut claims.account.1, "u1", "u2"),
            Lie::NodeUid => other(&mut claims.node.1, "u1", "u2"),
            // With the uid that is right for it.
            Lie::Account => {
                other(&mut claims.account.0, "api", "admin");
                claims.account.1 = uid(claims.account_fact(cluster));
            }
            Lie::Node => {
                other(&mut claims.node.0, "n1", "n2");
                claims.node.1 = uid(cluster.nodes.get(&claims.node.0));
            }
        }
        claims
    }

    fn pod_fact<'a>(&self, cluster: &'a Cluster) -> Option<&'a PodFact> {
        cluster.pods.get(&(self.namespace.clone(), self.pod.0.clone()))
    }

    fn account_fact<'a>(&self, cluster: &'a Cluster) -> Option<&'a ObjectFact> {
        cluster.accounts.get(&(self.namespace.clone(), self.account.0.clone()))
    }

    /// Whether all that is claimed is so, and lives.
    fn are_true(&self, cluster: &Cluster, with_node: bool) -> bool {
        let lives = |fact: Option<&ObjectFact>, uid: &str| {
            fact.is_some_and(|fact| fact.uid == uid && !uid.is_empty() && !fact.deleting)
        };
        let pod = self.pod_fact(cluster);
        let node = cluster.nodes.get(&self.node.0);
        lives(pod.map(|pod| &pod.object), &self.pod.1)
            && pod.is_some_and(|pod| !pod.ended && pod.service_account == self.account.0)
            && lives(self.account_fact(cluster), &self.account.1)
            && (!with_node || pod.is_some_and(|pod| pod.node == self.node.0) && lives(node, &self.node.1))
    }
}

fn named((name, uid): &(String, String)) -> Named {
    Named {
        name: name.clone(),
        uid: uid.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 768, ..ProptestConfig::default() })]

    /// A kubelet's request, or one that somebody wrote by hand: only the key of its PKCS#10 counts.
    #[test]
    fn by_pod_certificate_request((cluster, claims, asked) in request()) {
        let request = pod_certificate::Request {
            name: "request".into(),
            namespace: claims.namespace.clone(),
            uid: "request".into(),
            created: None,
            pod: named(&claims.pod),
            service_account: named(&claims.account),
            node: named(&claims.node),
            longest: SignedDuration::from_hours(24),
            annotations: [].into(),
            key: RequestKey::Pkcs10(asked.der.clone()),
        };
        let facts = pod_certificate::Facts {
            pod: claims.pod_fact(&cluster).cloned(),
            service_account: claims.account_fact(&cluster).cloned(),
            node: cluster.nodes.get(&claims.node.0).cloned(),
        };
        let checked = pod_certificate::check(&request, &facts, &index());
        let true_claims = claims.are_true(&cluster, true);
        if let Ok((grant, key)) = &checked {
            prop_assert!(true_claims);
            prop_assert_eq!(&key.subject_public_key_info(), &asked.key);
            certificate_is_of(grant, key, Path::PodCertificate, &claims.namespace, &claims.account.0);
        }
        if true_claims && asked.has_good_key() {
            prop_assert!(checked.is_ok(), "{:?}", checked.err());
        }
    }

    /// Whoever has a token: what is asked for must be exactly what the token's Pod is.
    #[test]
    fn by_certificate_signing_request(
        (cluster, claims, asked) in request(),
        (person, bound) in (prop::bool::weighted(0.05), prop::bool::weighted(0.95)),
        usages in prop::collection::vec("digital signature|client auth|server auth|cert sign|any|key encipherment", 0..4),
        plain_usages in prop::bool::weighted(0.8),
        hours in prop_oneof![4 => 1..7i64, 1 => 7..9i64],
    ) {
        let username = if person { "ann".to_owned() } else { format!("system:serviceaccount:{}:{}", claims.namespace, claims.account.0) };
        let extra = |key: &str, value: &str| (format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]);
        let extra = if bound { [extra("pod-name", &claims.pod.0), extra("pod-uid", &claims.pod.1)].into() } else { BTreeMap::new() };
        let usages = if plain_usages { vec!["digital signature".to_owned(), "client auth".to_owned()] } else { usages };
        let request = csr::Request {
            name: "request".into(),
            uid: "request".into(),
            created: None,
            username,
            user_uid: claims.account.1.clone(),
            extra,
            pem: asked.pem(),
            usages: usages.clone(),
            duration: Some(SignedDuration::from_hours(hours)),
        };
        let facts = csr::Facts {
            pod: claims.pod_fact(&cluster).cloned(),
            service_account: claims.account_fact(&cluster).cloned(),
        };
        let checked = csr::check(&request, &facts, &index());
        let is_workload = claims.are_true(&cluster, false) && !person && bound;
        if let Ok((grant, key)) = &checked {
            prop_assert!(is_workload);
            prop_assert!(asked.is_exactly(&claims.namespace, &claims.account.0), "{:?}", asked);
            prop_assert!(!usages.iter().any(|usage| usage == "cert sign" || usage == "any"));
            prop_assert!(hours <= 6);
            prop_assert_eq!(&key.subject_public_key_info(), &asked.key);
            certificate_is_of(grant, key, Path::CertificateSigningRequest, &claims.namespace, &claims.account.0);
        }
        let is_good = asked.has_good_key() && asked.is_exactly(&claims.namespace, &claims.account.0);
        if is_workload && is_good && plain_usages && hours <= 6 {
            prop_assert!(checked.is_ok(), "{:?}", checked.err());
        }
    }

    /// Secrets: whoever writes a ServiceIdentity gets the identity of an account of that namespace, in a Secret of that
    /// namespace, and nobody's Secret is taken over.
    #[test]
    fn by_secret(
        identities in prop::collection::btree_map(("shop|bank", "i1|i2|i3"), "api|admin", 1..6),
        seen in prop::collection::btree_map(("shop|bank", "i1-tls|i2-tls|other"), ("shop-i1|bank-i1|shop-i2|", any::<bool>()), 0..5),
        scope in prop_oneof![Just("*"), Just("shop"), Just("bank,shop"), Just("")],
    ) {
        let scope: Scope = scope.parse().unwrap();
        let mut index = Index::new("example.org".parse().unwrap());
        for ((namespace, name), account) in &identities {
            index.insert(object(namespace, name, account));
        }
        index.listed(|_| true);
        let seen: BTreeMap<ObjectName, secret::Seen> = seen
            .into_iter()
            .map(|((namespace, name), (owner, due))| {
                let refresh_at = if due { Timestamp::MIN } else { Timestamp::MAX };
                (ObjectName::new(namespace, name), secret::Seen { uid: "s".into(), owner, digest: String::new(), refresh_at })
            })
            .collect();
        let roots = [CertificateDer::from(vec![1])];
        let steps = secret::plan(&index, &scope, &seen, &roots, now());
        let mut holders = BTreeSet::new();
        for step in &steps {
            let Step::Make(wanted, there) = step else { continue };
            let identity = &wanted.identity;
            let account = &identities[&(identity.namespace.clone(), identity.name.clone())];
            prop_assert_eq!(&wanted.secret.namespace, &identity.namespace);
            prop_assert!(scope.admits(&identity.namespace).is_ok());
            prop_assert!(holders.insert((identity.namespace.clone(), account.clone())), "one holder of an account");
            if let Some(there) = there {
                prop_assert_eq!(&there.owner, &wanted.uid);
            } else {
                prop_assert!(!seen.contains_key(&wanted.secret));
            }
            let key = KeyPair::generate().unwrap();
            let public = PublicKey::from_info(&key.subject_public_key_info()).unwrap();
            certificate_is_of(&wanted.grant, &public, Path::Secret, &identity.namespace, account);
        }
        for step in &steps {
            if let Step::Delete(_, seen) = step {
                prop_assert!(!seen.owner.is_empty(), "somebody else's");
            }
        }
    }
}

/// So that the properties are about something: the strategy makes good requests, and each kind of bad one.
#[test]
fn good_and_bad_requests_are_asked() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = asked("shop", "api");
    let all: Vec<Asked> = (0..2000)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect();
    let share = |what: &dyn Fn(&Asked) -> bool| all.iter().filter(|asked| what(asked)).count();
    assert!(share(&|asked| asked.has_good_key() && asked.is_exactly("shop", "api")) > 100);
    assert!(share(&|asked| !asked.has_good_key()) > 100);
    assert!(share(&|asked| asked.has_good_key() && !asked.is_exactly("shop", "api")) > 100);
    assert!(share(&|asked| asked.der.len() > 1 << 20) > 5);
    let read = |asked: &Asked| PublicKey::from_request(&asked.der).is_ok();
    assert!(all.iter().all(|asked| !asked.has_good_key() || read(asked)));
}
