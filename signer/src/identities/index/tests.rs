use jiff::Timestamp;
use kube::core::DynamicObject;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn entry(namespace: &str, name: &str, created: i64, spec: &Value) -> Entry {
    let created = Timestamp::from_second(created).unwrap().to_string();
    let object = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity",
        "metadata": {"namespace": namespace, "name": name, "uid": name, "creationTimestamp": created},
        "spec": spec,
    });
    Entry::read(&serde_json::from_value::<DynamicObject>(object).unwrap())
}

fn index(entries: impl IntoIterator<Item = Entry>) -> Index {
    let mut index = Index::new("example.org".parse().unwrap());
    for entry in entries {
        index.insert(entry);
    }
    index.listed(|_| true);
    index
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[test]
fn a_workload_gets_what_its_identity_says() {
    let spec = json!({
        "serviceAccountName": "api", "spiffePath": "/ns/shop/team/api", "delivery": ["PodCertificate", "IstioCA"],
        "certificate": {"duration": "6h", "renewAfterPercent": 40, "keyAlgorithm": "ECDSAP384",
                        "dnsNames": ["api.shop.svc"], "usages": ["ServerAuth"]},
    });
    let index = index([entry("shop", "one", 1, &spec)]);
    let grant = index.grant("shop", "api", Path::PodCertificate, None).unwrap();
    assert_eq!(
        grant,
        Grant {
            namespace: "shop".into(),
            service_account: "api".into(),
            service_identity: Some("one".into()),
            spiffe_id: "spiffe://example.org/ns/shop/team/api".parse().unwrap(),
            key_type: Some(KeyType::EcdsaP384),
            dns_names: vec!["api.shop.svc".into()],
            usages: Usages {
                server: true,
                client: false
            },
            lifetime: hours(6),
            renew_after_percent: 40,
        }
    );
    let mesh = index.grant("shop", "api", Path::IstioCa, None).unwrap();
    assert_eq!(mesh.spiffe_id.to_string(), "spiffe://example.org/ns/shop/sa/api");
}

#[rstest]
#[case(Some(1), Ok(1))]
#[case(Some(24), Ok(24))]
#[case(Some(2000), Ok(24))]
#[case(None, Ok(24))]
#[case(Some(0), Err(Reason::InvalidDuration))]
fn a_life_is_no_longer_than_asked_for(#[case] requested: Option<i64>, #[case] expected: Result<i64, Reason>) {
    let index = index([entry("shop", "one", 1, &json!({"serviceAccountName": "api"}))]);
    let granted = index.grant("shop", "api", Path::PodCertificate, requested.map(hours));
    let granted = granted.map(|grant| grant.lifetime.as_hours());
    assert_eq!(granted.map_err(|refusal| refusal.reason), expected);
}

#[test]
fn the_older_of_two_holds() {
    let (old, new) = (
        json!({"serviceAccountName": "api", "certificate": {"duration": "2h"}}),
        json!({"serviceAccountName": "api", "certificate": {"duration": "9h"}}),
    );
    let mut index = index([entry("shop", "a-new", 9, &new), entry("shop", "old", 5, &old)]);
    let grant = |index: &Index| index.grant("shop", "api", Path::PodCertificate, None).unwrap();
    assert_eq!(grant(&index).service_identity.as_deref(), Some("old"));
    let new = index.entries().next().unwrap().clone();
    assert_eq!(index.conflict(&new), Some(&ObjectName::new("shop", "old")));
    index.remove(&ObjectName::new("shop", "old"));
    assert_eq!(grant(&index).lifetime, hours(9));
    assert_eq!(index.conflict(&new), None);
}

#[test]
fn what_is_not_known_for_sure_is_refused() {
    let mut index = Index::new("example.org".parse().unwrap());
    let ask = |index: &Index, path| index.grant("shop", "api", path, None).unwrap_err().reason;
    index.insert(entry("shop", "one", 1, &json!({"serviceAccountName": "api"})));
    assert_eq!(ask(&index, Path::PodCertificate), Reason::NotReady);
    index.listed(|_| true);
    index.grant("shop", "api", Path::PodCertificate, None).unwrap();
    assert_eq!(ask(&index, Path::Secret), Reason::DeliveryNotAllowed);
    assert_eq!(ask(&index, Path::CertificateSigningRequest), Reason::DeliveryNotAllowed);
    assert_eq!(ask(&index, Path::Serving), Reason::DeliveryNotAllowed);
    // One that is wrong goes on holding its service account.
    index.insert(entry(
        "shop",
        "one",
        1,
        &json!({"serviceAccountName": "api", "typo": 1}),
    ));
    index.insert(entry("shop", "two", 2, &json!({"serviceAccountName": "api"})));
    assert_eq!(ask(&index, Path::PodCertificate), Reason::InvalidServiceIdentity);
    index.listed(|_| false);
    assert_eq!(ask(&index, Path::PodCertificate), Reason::NoServiceIdentity);
}

proptest! {
    /// Whatever identities there are and in whatever order they came, a workload gets its own or none.
    #[test]
    fn nobody_gets_anothers_identity(
        objects in prop::collection::vec((0..3u8, 0..4u8, 0..4u8, 0..3i64, prop::option::of(0..6u8)), 0..12),
    ) {
        let index = index(objects.iter().map(|(namespace, name, account, created, path)| {
            let mut spec = json!({"serviceAccountName": format!("sa{account}")});
            match path {
                Some(5) => spec["spiffePath"] = json!("/ns/ns0/team/x"),
                Some(path) => spec["spiffePath"] = json!(format!("/ns/ns{namespace}/sa/sa{path}")),
                None => {}
            }
            entry(&format!("ns{namespace}"), &format!("n{name}"), *created, &spec)
        }));
        for namespace in 0..3 {
            for account in 0..4 {
                let (namespace, account) = (format!("ns{namespace}"), format!("sa{account}"));
                for path in [Path::PodCertificate, Path::IstioCa, Path::WorkloadApi] {
                    let Ok(grant) = index.grant(&namespace, &account, path, None) else { continue };
                    prop_assert_eq!((&grant.namespace, &grant.service_account), (&namespace, &account));
                    let own = format!("/ns/{namespace}/sa/{account}");
                    let within = format!("/ns/{namespace}/team/");
                    let id = grant.spiffe_id.path();
                    prop_assert!(id == own || id.starts_with(&within), "{namespace}/{account} got {id}");
                }
            }
        }
    }
}
