use rstest::rstest;
use serde_json::json;

use super::*;

fn parsed(change: impl FnOnce(&mut Value)) -> ParsedIdentity {
    let mut spec = json!({"serviceAccountName": "web"});
    change(&mut spec);
    service_identity(ObjectName::new("shop", "web"), &spec, Timestamp::UNIX_EPOCH)
}

fn domain() -> TrustDomain {
    "example.org".parse().unwrap()
}

#[test]
fn a_service_account_is_enough() {
    let parsed = parsed(|_| ());
    let identity = parsed.identity.clone().unwrap();
    let expected = CertificateProfile {
        duration: SignedDuration::from_hours(24),
        renew_after_percent: 50,
        key_algorithm: KeyAlgorithm::EcdsaP256,
        dns_names: BTreeSet::new(),
        usages: [Usage::ServerAuth, Usage::ClientAuth].into(),
    };
    assert_eq!(identity.certificate, expected);
    let ways = [Delivery::PodCertificate, Delivery::IstioCa, Delivery::WorkloadApi];
    assert_eq!(identity.delivery, BTreeSet::from(ways));
    assert_eq!(parsed.svid_id(&domain()), parsed.spiffe_id(&domain()));
    assert_eq!(
        parsed.spiffe_id(&domain()).unwrap().to_string(),
        "spiffe://example.org/ns/shop/sa/web"
    );
}

#[test]
fn meshes_know_a_workload_by_its_service_account_and_consul_by_the_name_that_it_is_given() {
    let principals = |parsed: &ParsedIdentity, held| parsed.mesh_principals(&domain(), held).unwrap();
    let istio = || "example.org/ns/shop/sa/web".to_owned();
    let [none, some] = [None, Some("checkout".to_owned())].map(|consul| MeshPrincipals { istio: istio(), consul });
    assert_eq!(principals(&parsed(|_| ()), true), none);
    let in_consul = parsed(|spec| {
        spec["spiffePath"] = json!("/ns/shop/api");
        spec["mesh"] = json!({"consulService": "checkout"});
    });
    assert_eq!(principals(&in_consul, true), some);
    assert_eq!(principals(&in_consul, false), none, "another holds the name");
}

#[rstest]
#[case::everybody("*")]
#[case::no_label("checkout.shop")]
#[case::upper_case("Checkout")]
#[case::empty("")]
#[case::long(&"a".repeat(64))]
fn what_names_no_service_in_consul_is_refused_and_goes_on_claiming_the_name(#[case] name: &str) {
    let parsed = parsed(|spec| spec["mesh"] = json!({"consulService": name}));
    let problems = parsed.identity.unwrap_err();
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["spec.mesh.consulService"]);
    assert_eq!(parsed.consul_service.as_deref(), Some(name));
}

#[test]
fn everything_is_read() {
    let parsed = parsed(|spec| {
        spec["spiffePath"] = json!("/ns/shop/api/v1");
        spec["certificate"] = json!({
            "duration": "1h30m", "renewAfterPercent": 66, "keyAlgorithm": "ED25519", "dnsNames": ["web.shop.svc.cluster.local", "web.shop.svc"],
            "usages": ["ServerAuth"],
        });
        spec["delivery"] = json!(["Secret", "CertificateSigningRequest"]);
        spec["secretName"] = json!("web-tls");
    });
    let identity = parsed.identity.clone().unwrap();
    let expected = CertificateProfile {
        duration: SignedDuration::from_mins(90),
        renew_after_percent: 66,
        key_algorithm: KeyAlgorithm::Ed25519,
        dns_names: ["web.shop.svc".to_owned(), "web.shop.svc.cluster.local".to_owned()].into(),
        usages: [Usage::ServerAuth].into(),
    };
    assert_eq!(identity.certificate, expected);
    assert_eq!(
        identity.delivery,
        [Delivery::CertificateSigningRequest, Delivery::Secret].into()
    );
    assert_eq!(identity.secret_name.as_deref(), Some("web-tls"));
    let id = |id: Result<SpiffeId, _>| id.unwrap().to_string();
    assert_eq!(id(parsed.svid_id(&domain())), "spiffe://example.org/ns/shop/api/v1");
    let mesh = id(parsed.spiffe_id(&domain()));
    assert_eq!(
        mesh, "spiffe://example.org/ns/shop/sa/web",
        "a mesh knows the service account"
    );
}

#[test]
fn no_way_at_all_can_be_asked_for() {
    let none = parsed(|spec| spec["delivery"] = json!([]));
    assert_eq!(none.identity.unwrap().delivery, BTreeSet::new());
}

#[rstest]
#[case::foreign_prefix("spiffePath", json!("/ns/bank/sa/web"), "spec.spiffePath", "`/ns/shop/`")]
#[case::prefix_of_a_name("spiffePath", json!("/ns/shopping/api"), "spec.spiffePath", "`/ns/shop/`")]
#[case::prefix_alone("spiffePath", json!("/ns/shop"), "spec.spiffePath", "`/ns/shop/`")]
#[case::empty_rest("spiffePath", json!("/ns/shop/"), "spec.spiffePath", "segment")]
#[case::dots("spiffePath", json!("/ns/shop/../bank/sa/web"), "spec.spiffePath", "segment")]
#[case::no_slash("spiffePath", json!(".evil/ns/shop/a"), "spec.spiffePath", "slash")]
#[case::escape("spiffePath", json!("/ns/shop/a%2Fb"), "spec.spiffePath", "letters")]
#[case::another_account("spiffePath", json!("/ns/shop/sa/payments"), "spec.spiffePath", "another service account")]
#[case::no_account("spiffePath", json!("/ns/shop/sa"), "spec.spiffePath", "another service account")]
#[case::account_as_a_path("serviceAccountName", json!("a/sa/b"), "spec.serviceAccountName", "`a/sa/b`")]
#[case::too_short("certificate", json!({"duration": "59m"}), "spec.certificate.duration", "1h")]
#[case::too_long("certificate", json!({"duration": "2160h1s"}), "spec.certificate.duration", "2160h")]
#[case::no_duration("certificate", json!({"duration": "1d"}), "spec.certificate.duration", "`1d`")]
#[case::never("certificate", json!({"renewAfterPercent": 0}), "spec.certificate.renewAfterPercent", "95")]
#[case::too_late("certificate", json!({"renewAfterPercent": 96}), "spec.certificate.renewAfterPercent", "95")]
#[case::overflow("certificate", json!({"renewAfterPercent": 257}), "spec.certificate.renewAfterPercent", "95")]
#[case::weak_key("certificate", json!({"keyAlgorithm": "RSA2048"}), "spec.certificate.keyAlgorithm", "RSA3072")]
#[case::foreign_name("certificate", json!({"dnsNames": ["web.shop.svc", "a.bank.svc"]}), "spec.certificate.dnsNames[1]", "`shop`")]
#[case::no_usage("certificate", json!({"usages": []}), "spec.certificate.usages", "ServerAuth")]
#[case::other_usage("certificate", json!({"usages": ["CodeSigning"]}), "spec.certificate.usages[0]", "ClientAuth")]
#[case::typo("certificate", json!({"lifetime": "1h"}), "spec.certificate.lifetime", "lifetime")]
#[case::unknown_way("delivery", json!(["Vault"]), "spec.delivery[0]", "Vault")]
#[case::secret_without_name("delivery", json!(["Secret"]), "spec.secretName", "required")]
#[case::name_without_secret("secretName", json!("web-tls"), "spec.secretName", "spec.delivery")]
fn each_mistake_is_named_with_its_field(
    #[case] member: &str,
    #[case] value: Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let parsed = parsed(|spec| spec[member] = value);
    let problems = parsed.identity.clone().unwrap_err();
    let [problem] = problems.as_slice() else {
        panic!("{problems:?} is not one problem");
    };
    assert_eq!(problem.field, field);
    assert!(problem.message.contains(says), "{problem}");
    assert_eq!(parsed.svid_id(&domain()), Err(problems.clone()));
    assert_eq!(parsed.spiffe_id(&domain()), Err(problems));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let parsed = parsed(|spec| {
        spec["spiffePath"] = json!("/ns/bank/a");
        spec["secretName"] = json!("web-tls");
        spec["certificate"] = json!({"duration": "1m", "renewAfterPercent": 99, "dnsNames": ["a.bank"], "usages": []});
    });
    assert_eq!(parsed.identity.unwrap_err().len(), 6);
    assert_eq!(
        parsed.service_account.as_deref(),
        Some("web"),
        "it holds it all the same"
    );
}
