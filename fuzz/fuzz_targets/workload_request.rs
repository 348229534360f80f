//! What workloads send to the agent of their node, over the Workload API and as an Envoy: any bytes as a message; any lines as
//! its names and audiences; any metadata; and tokens, signed so that each member is looked at.
#![no_main]

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use countersign_fuzz::chain::{CHAIN, key};
use countersign_fuzz::choice;
use countersign_fuzz::signed::{KEY, signed};
use countersign_fuzz::workload::ID;
use countersign_identity::bundle::Root;
use countersign_identity::{Bundle, Bundles};
use countersign_signer::agent::View;
use countersign_signer::agent::proto::{JwtsvidRequest, ValidateJwtsvidRequest};
use countersign_signer::agent::refusal::Refusal;
use countersign_signer::agent::request::{
    audiences, check_header, check_id, check_validation, is_late, names, validate,
};
use countersign_signer::agent::secrets::{secrets, want_svid};
use countersign_signer::agent::svids::Svid;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use prost_types::value::Kind;
use serde_json::json;
use tonic::Code;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// What the workload has, and whom it trusts.
static VIEW: LazyLock<View> = LazyLock::new(|| {
    let mut bundles = Bundles::new(bundle("example.com"));
    bundles
        .federate(bundle("partner.example"))
        .expect("another trust domain");
    let [leaf, intermediate, _] = &*CHAIN;
    View {
        svid: Some(Arc::new(Svid {
            spiffe_id: ID.to_owned(),
            chain: vec![leaf.clone().into(), intermediate.clone().into()],
            key_der: key(3).serialize_der().into(),
            key_pem: key(3).serialize_pem().into(),
            refresh_at: now(),
            not_after: now(),
        })),
        bundles: Arc::new(bundles),
    }
});

fn now() -> Timestamp {
    Timestamp::from_second(countersign_fuzz::NOW).expect("a time")
}

/// The same root and key for each trust domain: whose they are is all that differs.
fn bundle(trust_domain: &str) -> Bundle {
    let mut key = KEY.jwk();
    key["use"] = "jwt-svid".into();
    let keys = json!({ "keys": [key] }).to_string();
    let received = Bundle::from_jwks(trust_domain.parse().expect("a trust domain"), &keys);
    let mut bundle = received.expect("a bundle").bundle;
    bundle.add_root(Root::read(CHAIN[2].clone().into()).expect("a root"));
    assert_eq!(bundle.jwt_keys().count(), 1, "tokens can be verified");
    bundle
}

fn bounded(refusal: &Refusal) {
    assert!(refusal.message.len() < 4096, "a refusal quotes little of a request");
    assert_ne!(
        refusal.code(),
        Code::Unavailable,
        "a caller is to blame, and trying again is no help"
    );
}

fn asks_for_token(request: &JwtsvidRequest) {
    match audiences(request) {
        Ok(audiences) => {
            assert!(!audiences.is_empty() && audiences.iter().all(|audience| !audience.is_empty()));
            assert_eq!(audiences, request.audience.iter().cloned().collect::<BTreeSet<_>>());
        }
        Err(refusal) => bounded(&refusal),
    }
    let id = &request.spiffe_id;
    assert_eq!(check_id(request, ID).is_ok(), id.is_empty() || id == ID, "{id:?}");
}

/// Whether a token is held to be valid.
fn asks_for_validation(request: &ValidateJwtsvidRequest) -> bool {
    if let Err(refusal) = check_validation(request) {
        bounded(&refusal);
        return false;
    }
    match validate(request, &VIEW.bundles, now()) {
        Ok(told) => {
            let claims = told.claims.expect("claims");
            let subject = Kind::StringValue(told.spiffe_id.clone());
            assert_eq!(claims.fields["sub"].kind, Some(subject), "what it says is what it is");
            let trust_domains = ["spiffe://example.com/", "spiffe://partner.example/"];
            assert!(trust_domains.iter().any(|own| told.spiffe_id.starts_with(own)));
            true
        }
        Err(refusal) => {
            bounded(&refusal);
            false
        }
    }
}

/// What is sent is what was asked for, and the key is sent under the workload's own names only.
fn asks_for_secrets(request: &DiscoveryRequest) {
    let nonce = &request.response_nonce;
    assert_eq!(is_late(request, 7), !nonce.is_empty() && nonce != "7");
    let names = match names(request) {
        Ok(names) => names,
        Err(refusal) => return bounded(&refusal),
    };
    assert!(names.len() <= 64 && names.is_sorted());
    let resources = match secrets(&names, &VIEW) {
        Ok(resources) => resources,
        Err(refusal) => return bounded(&refusal),
    };
    assert!(names.is_empty() || resources.len() == names.len());
    for resource in resources {
        let secret = Secret::decode(resource.value.as_slice()).expect("a secret");
        let name = secret.name.as_str();
        assert!(names.is_empty() || names.iter().any(|asked| asked == name));
        match secret.r#type {
            Some(Type::TlsCertificate(_)) => {
                assert!(name == "default" || name == ID, "{name:?}");
                assert!(want_svid(&names), "it was waited for");
            }
            Some(Type::ValidationContext(_)) => {
                let trust_domains = ["ROOTCA", "ALL", "spiffe://example.com", "spiffe://partner.example"];
                assert!(trust_domains.contains(&name), "{name:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A header of the Workload API is good if it is exactly that.
fn sends_header(value: &[u8]) {
    let Ok(header) = MetadataValue::<Ascii>::try_from(value) else {
        return;
    };
    let mut metadata = MetadataMap::new();
    metadata.append("workload.spiffe.io", header.clone());
    assert_eq!(check_header(&metadata).is_ok(), value == b"true");
    let mut another = MetadataMap::new();
    another.append("workload-spiffe-io", header);
    assert!(check_header(&another).is_err());
}

/// Tokens with the header and the claims of a good one, and what a text has with a line between.
fn tokens(text: &str) -> Vec<String> {
    let claims = format!(r#""sub":"{ID}","aud":"a","exp":{},"#, countersign_fuzz::NOW + 60);
    signed(text, r#""alg":"ES256","kid":"k","#, &claims)
}

fn sends_token(text: &str) {
    let (audience, svid) = text.split_once('\n').unwrap_or_default();
    let token = |audience: &str, svid: String| ValidateJwtsvidRequest {
        audience: audience.to_owned(),
        svid,
    };
    assert!(
        !asks_for_validation(&token(audience, svid.to_owned())),
        "it was not signed"
    );
    for svid in tokens(text) {
        asks_for_validation(&token("a", svid));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, rest)) = choice(data) else {
        let request = ValidateJwtsvidRequest {
            audience: "a".to_owned(),
            svid: tokens("\n").pop().expect("a token"),
        };
        assert!(asks_for_validation(&request), "the good one is valid");
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let lines = || text.lines().map(str::to_owned);
    match chosen % 6 {
        0 => {
            if let Ok(request) = JwtsvidRequest::decode(rest) {
                asks_for_token(&request);
            }
            if let Ok(request) = ValidateJwtsvidRequest::decode(rest) {
                assert!(!asks_for_validation(&request), "it was not signed");
            }
        }
        1 => {
            if let Ok(request) = DiscoveryRequest::decode(rest) {
                asks_for_secrets(&request);
            }
        }
        2 => asks_for_token(&JwtsvidRequest {
            spiffe_id: lines().next().unwrap_or_default(),
            audience: lines().skip(1).collect(),
        }),
        3 => asks_for_secrets(&DiscoveryRequest {
            response_nonce: lines().next().unwrap_or_default(),
            resource_names: lines().skip(1).collect(),
            ..DiscoveryRequest::default()
        }),
        4 => sends_header(rest),
        _ => sends_token(&text),
    }
});
