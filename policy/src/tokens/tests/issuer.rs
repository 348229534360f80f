use rstest::rstest;

use super::*;
use crate::model::Sensitivity;

#[test]
fn what_is_left_out_has_a_default() {
    let issuer = issuer(|_| ()).unwrap();
    assert_eq!(issuer.name, "shop");
    assert_eq!(issuer.algorithm, SigningAlgorithm::Es256);
    assert_eq!(issuer.rotate_every, 720 * 3600);
    let refresh = Refresh {
        absolute: 720 * 3600,
        idle: 168 * 3600,
        grace: 60,
    };
    assert_eq!(issuer.refresh, refresh);
    assert_eq!(issuer.longest_token(), 24 * 3600);
    let orders = &issuer.audiences["https://api.example/orders"];
    let expected = Audience {
        sensitivity: Sensitivity::Sensitive,
        scopes: ["orders:read".to_owned(), "orders:write".to_owned()].into(),
        namespaces: None,
        format: Format::Jwt,
        lifetime: 15 * 60,
        introspected_by: [].into(),
    };
    assert_eq!(orders, &expected);
    assert_eq!(issuer.audiences["stock"].lifetime, 30 * 60);
    assert_eq!(issuer.audiences["open"].format, Format::Opaque);
    assert_eq!(issuer.audiences["payments"].lifetime, 5 * 60);
    let upstream = issuer.upstream.unwrap();
    assert_eq!(upstream.issuer, "https://idp.example/", "as the provider writes it");
    assert_eq!(upstream.secret_name, None);
}

#[test]
fn everything_is_read() {
    let issuer = issuer(|spec| {
        let managed = &mut spec["managed"];
        managed["signing"] = json!({"algorithm": "EdDSA", "rotateEvery": "24h"});
        managed["mutualTlsHost"] = json!("mtls.tokens.example:8443");
        managed["refresh"] = json!({"absoluteLifetime": "8h", "idleLifetime": "1h", "grace": "0s"});
        managed["upstream"] = json!({
            "issuer": "https://idp.example/realms/a", "clientId": "c", "clientSecretName": "idp", "caBundle": "PEM",
            "scopes": ["email"],
        });
    });
    let issuer = issuer.unwrap();
    assert_eq!(issuer.algorithm.name(), "EdDSA");
    assert_eq!(issuer.mutual_tls_host.as_deref(), Some("mtls.tokens.example:8443"));
    assert_eq!(issuer.rotate_every, 24 * 3600);
    let refresh = Refresh {
        absolute: 8 * 3600,
        idle: 3600,
        grace: 0,
    };
    assert_eq!(issuer.refresh, refresh);
    let upstream = Upstream {
        issuer: "https://idp.example/realms/a".to_owned(),
        client_id: "c".to_owned(),
        secret_name: Some("idp".to_owned()),
        ca_bundle: Some("PEM".to_owned()),
        scopes: ["email".to_owned()].into(),
    };
    assert_eq!(issuer.upstream, Some(upstream));
}

#[rstest]
#[case::plain("/issuer", json!("http://tokens.example"), "issuer", "https")]
#[case::query("/issuer", json!("https://tokens.example?a=b"), "issuer", "query")]
#[case::fragment("/issuer", json!("https://tokens.example#a"), "issuer", "fragment")]
#[case::slash("/issuer", json!("https://tokens.example/"), "issuer", "slash")]
#[case::slash_after_path("/issuer", json!("https://tokens.example/a/"), "issuer", "slash")]
#[case::user("/issuer", json!("https://me@tokens.example"), "issuer", "user")]
#[case::capitals("/issuer", json!("https://Tokens.example"), "issuer", "`https://tokens.example`")]
#[case::default_port("/issuer", json!("https://tokens.example:443/a"), "issuer", "`https://tokens.example/a`")]
#[case::dots("/issuer", json!("https://tokens.example/a/../b"), "issuer", "`https://tokens.example/b`")]
#[case::no_host("/issuer", json!("https://"), "issuer", "not a URL")]
#[case::same_host("/mutualTlsHost", json!("tokens.example:8443"), "mutualTlsHost", "another name")]
#[case::host_with_a_path("/mutualTlsHost", json!("mtls.tokens.example/a"), "mutualTlsHost", "`mtls.tokens.example`")]
#[case::host_with_its_port("/mutualTlsHost", json!("mtls.tokens.example:443"), "mutualTlsHost", "`mtls.tokens.example`")]
#[case::host_with_a_user("/mutualTlsHost", json!("me@mtls.tokens.example"), "mutualTlsHost", "user")]
#[case::no_audience("/audiences", json!([]), "audiences", "at least one")]
#[case::empty_audience("/audiences/0/audience", json!(""), "audiences[0].audience", "empty")]
#[case::wildcard_audience("/audiences/0/audience", json!("https://*.example"), "audiences[0].audience", "wildcard")]
#[case::spaced_audience("/audiences/0/audience", json!("a b"), "audiences[0].audience", "white space")]
#[case::twice("/audiences/0/audience", json!("payments"), "audiences[3].audience", "twice")]
#[case::wildcard_scope("/audiences/1/scopes/0", json!("stock:*"), "audiences[1].scopes[0]", "wildcard")]
#[case::two_scopes("/audiences/1/scopes/0", json!("a b"), "audiences[1].scopes[0]", "an entry of its own")]
#[case::openid("/audiences/1/scopes/0", json!("openid"), "audiences[1].scopes", "OpenID Connect")]
#[case::offline_access("/audiences/1/scopes/0", json!("offline_access"), "audiences[1].scopes", "OpenID Connect")]
#[case::too_long_for_internal("/audiences/1/tokenLifetime", json!("61m"), "audiences[1].tokenLifetime", "60 minutes")]
#[case::too_long_for_critical("/audiences/3/tokenLifetime", json!("5m1s"), "audiences[3].tokenLifetime", "5 minutes")]
#[case::no_lifetime("/audiences/3/tokenLifetime", json!("0s"), "audiences[3].tokenLifetime", "zero")]
#[case::no_namespace("/audiences/3/namespaces", json!([]), "audiences[3].namespaces", "leave the list out")]
#[case::all_namespaces("/audiences/3/namespaces", json!(["*"]), "audiences[3].namespaces[0]", "`*`")]
#[case::unknown_format("/audiences/3/tokenFormat", json!("SAML"), "audiences[3].tokenFormat", "Opaque")]
#[case::unknown_tier("/audiences/3/sensitivity", json!("Secret"), "audiences[3].sensitivity", "Sensitive")]
#[case::no_algorithm("/signing", json!({"algorithm": "none"}), "signing.algorithm", "ES256")]
#[case::symmetric("/signing", json!({"algorithm": "HS256"}), "signing.algorithm", "ES256")]
#[case::restless("/signing", json!({"rotateEvery": "59m"}), "signing.rotateEvery", "1h")]
#[case::never("/signing", json!({"rotateEvery": "9000h"}), "signing.rotateEvery", "8760h")]
#[case::idle_past_the_end("/refresh", json!({"absoluteLifetime": "1h", "idleLifetime": "2h"}), "refresh.idleLifetime", "absoluteLifetime")]
#[case::endless("/refresh", json!({"absoluteLifetime": "9000h"}), "refresh.absoluteLifetime", "8760h")]
#[case::grace("/refresh", json!({"grace": "61s"}), "refresh.grace", "60s")]
#[case::plain_upstream("/upstream/issuer", json!("http://idp.example"), "upstream.issuer", "https")]
#[case::upstream_query("/upstream/issuer", json!("https://idp.example?a"), "upstream.issuer", "query")]
#[case::upstream_scope("/upstream/scopes", json!(["a b"]), "upstream.scopes[0]", "entry")]
#[case::no_client("/upstream/clientId", json!(""), "upstream.clientId", "client_id")]
#[case::no_secret_name("/upstream/clientSecretName", json!("a/b"), "upstream.clientSecretName", "`a/b`")]
#[case::typo("/lifetime", json!("1h"), "lifetime", "lifetime")]
fn each_mistake_is_named_with_its_field(
    #[case] at: &str,
    #[case] value: Value,
    #[case] field: &str,
    #[case] says: &str,
) {
    let (parent, member) = at.rsplit_once('/').unwrap();
    let read = issuer(|spec| {
        let place = spec["managed"].pointer_mut(parent).unwrap();
        match member.parse::<usize>() {
            Ok(index) => place[index] = value,
            Err(_) => place[member] = value,
        }
    });
    one(&read.unwrap_err(), &format!("spec.managed.{field}"), says);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let read = issuer(|spec| {
        spec["managed"] = json!({
            "issuer": "http://a/", "audiences": [{"audience": "a*", "scopes": ["*"], "tokenLifetime": "1h"}],
            "signing": {"rotateEvery": "1s"}, "refresh": {"grace": "1h"},
        });
    });
    assert_eq!(read.unwrap_err().len(), 6);
}

#[test]
fn an_issuer_is_managed_or_external_and_not_both() {
    let external = json!({"issuer": "https://a", "jwks": jwks(), "maxTokenLifetime": "5m"});
    let both = issuer(|spec| spec["external"] = external.clone());
    one(&both.unwrap_err(), "spec", "exactly one");
    one(&issuer(|spec| *spec = json!({})).unwrap_err(), "spec", "exactly one");
    let other = issuer(|spec| *spec = json!({"external": external}));
    one(&other.unwrap_err(), "spec.managed", "external");
}
