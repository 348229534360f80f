use rstest::rstest;

use super::*;
use crate::model::Sensitivity;

fn both(change: impl FnOnce(&mut Value)) -> Vec<Problem> {
    check(&partner(change).unwrap(), &issuer(|_| ()).unwrap())
}

#[test]
fn what_the_issuer_gives_may_be_asked_for() {
    assert_eq!(both(|_| ()), []);
    let user = both(|spec| {
        spec["grants"] = json!(["AuthorizationCode", "RefreshToken"]);
        spec["redirectUris"] = json!(["https://app.example/cb"]);
        spec["tokenLifetime"] = json!("15m");
    });
    assert_eq!(user, []);
}

#[rstest]
#[case::unknown_audience(
    json!({"audiences": [{"audience": "orders", "scopes": ["orders:read"]}]}), "spec.audiences[orders]", "https://api.example/orders"
)]
#[case::unknown_scope(
    json!({"audiences": [{"audience": "payments", "scopes": ["pay", "refund"]}]}), "spec.audiences[payments].scopes", "no scope refund"
)]
#[case::scope_of_another(
    json!({"audiences": [{"audience": "stock", "scopes": ["pay"]}]}), "spec.audiences[stock].scopes", "it has stock:read"
)]
#[case::no_scope(json!({"audiences": [{"audience": "payments"}]}), "spec.audiences[payments].scopes", "name those that are needed")]
#[case::longer_than_critical(
    json!({"audiences": [{"audience": "payments", "scopes": ["pay"]}], "tokenLifetime": "6m"}), "spec.tokenLifetime", "allows 300 s"
)]
#[case::longer_than_the_issuer_says(
    json!({"audiences": [{"audience": "stock"}], "tokenLifetime": "31m"}), "spec.tokenLifetime", "allows 1800 s"
)]
fn what_it_does_not_give_is_named(#[case] change: Value, #[case] field: &str, #[case] says: &str) {
    let found = both(|spec| {
        for (name, value) in change.as_object().unwrap() {
            spec[name] = value.clone();
        }
    });
    one(&found, field, says);
}

#[rstest]
#[case::public("open", json!([]), None)]
#[case::internal("stock", json!([]), None)]
#[case::sensitive("https://api.example/orders", json!(["orders:read"]), Some("Sensitive"))]
#[case::critical("payments", json!(["pay"]), Some("Critical"))]
fn a_shared_secret_is_for_internal_and_below(
    #[case] audience: &str,
    #[case] scopes: Value,
    #[case] refused: Option<&str>,
) {
    let found = both(|spec| {
        spec["authentication"] =
            json!({"clientSecret": {"hashes": [{"hash": HASH, "notAfter": "2026-01-01T00:00:00Z"}]}});
        spec["audiences"] = json!([{"audience": audience, "scopes": scopes}]);
    });
    match refused {
        None => assert_eq!(found, []),
        Some(tier) => one(&found, "spec.authentication.clientSecret", tier),
    }
}

#[rstest]
#[case::named(json!(["shop", "partners"]), None)]
#[case::others(json!(["shop"]), Some("not for namespace `partners`"))]
fn an_audience_may_be_for_some_namespaces_alone(#[case] namespaces: Value, #[case] says: Option<&str>) {
    let issuer = issuer(|spec| spec["managed"]["audiences"][2]["namespaces"] = namespaces).unwrap();
    let found = check(&partner(|_| ()).unwrap(), &issuer);
    match says {
        None => assert_eq!(found, []),
        Some(says) => one(&found, "spec.audiences[https://api.example/orders]", says),
    }
}

#[test]
fn users_need_a_place_to_sign_in() {
    let nowhere = issuer(|spec| drop(spec["managed"].as_object_mut().unwrap().remove("upstream"))).unwrap();
    let client = partner(|spec| {
        spec["grants"] = json!(["AuthorizationCode"]);
        spec["redirectUris"] = json!(["https://app.example/cb"]);
    });
    one(
        &check(&client.unwrap(), &nowhere),
        "spec.grants",
        "spec.managed.upstream",
    );
}

#[rstest]
#[case(Sensitivity::Public, Binding::Optional, Binding::Optional)]
#[case(Sensitivity::Sensitive, Binding::Optional, Binding::Optional)]
#[case(Sensitivity::Public, Binding::Required, Binding::Required)]
#[case(Sensitivity::Critical, Binding::Optional, Binding::Required)]
#[case(Sensitivity::Critical, Binding::Dpop, Binding::Dpop)]
#[case(Sensitivity::Internal, Binding::Dpop, Binding::Dpop)]
fn critical_tokens_are_bound_whatever_the_client_says(
    #[case] sensitivity: Sensitivity,
    #[case] asked: Binding,
    #[case] effective: Binding,
) {
    let audience = Audience {
        sensitivity,
        scopes: [].into(),
        namespaces: None,
        format: Format::Jwt,
        lifetime: 300,
        introspected_by: [].into(),
    };
    assert_eq!(audience.binding(asked), effective);
    assert_eq!(audience.lifetime_within(None), 300);
    assert_eq!(audience.lifetime_within(Some(60)), 60);
    assert_eq!(audience.lifetime_within(Some(600)), 300);
}

#[rstest]
#[case::one_left(&[0, 100], 50, None)]
#[case::all_past(&[0, 50], 50, Some("every secret has ended"))]
#[case::a_year(&[366 * 86_400], 0, None)]
#[case::longer(&[366 * 86_400 + 1], 0, Some("more than a year"))]
fn secrets_end(#[case] ends: &[i64], #[case] now: i64, #[case] says: Option<&str>) {
    let client = partner(|spec| {
        let hashes = ends.iter().enumerate().map(|(at, end)| {
            let time = jiff::Timestamp::from_second(*end).unwrap().to_string();
            json!({"hash": HASH.replace("p=1", &format!("p={}", at + 1)), "notAfter": time})
        });
        spec["authentication"] = json!({"clientSecret": {"hashes": hashes.collect::<Vec<_>>()}});
    });
    let client = client.unwrap();
    assert_eq!(client.key_expiry(), ends.last().copied());
    let found = secrets(&client, now);
    match says {
        None => assert_eq!(found, []),
        Some(says) => {
            assert_eq!(found.len(), 1);
            assert!(found[0].message.contains(says), "{found:?}");
        }
    }
}

#[test]
fn whoever_has_no_secret_has_none_that_ends() {
    assert_eq!(secrets(&partner(|_| ()).unwrap(), i64::MAX / 2), []);
}
