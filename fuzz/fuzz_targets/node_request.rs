//! What agents of nodes send to the signer: any bytes as a message, any lines as the name of a Pod and as audiences, and a
//! good certification request with bytes changed.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use countersign_fuzz::chain::key;
use countersign_fuzz::choice;
use countersign_fuzz::workload::{ID, INDEX};
use countersign_identity::jwt_svid::{JwtSigner, verify};
use countersign_identity::{Bundle, Bundles};
use countersign_signer::grant::Grant;
use countersign_signer::issue::Path;
use countersign_signer::istio::Account;
use countersign_signer::istio::cluster::PodView;
use countersign_signer::key::PublicKey;
use countersign_signer::node::proto::{IssueJwtSvidRequest, IssueX509SvidRequest, Workload};
use countersign_signer::node::{Refusal, check};
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use tonic::Code;

/// The node of the agent that asks.
const NODE: &str = "node-1";

/// One Pod on that node, and one that is not, whose account has an identity too.
static PODS: LazyLock<[PodView; 2]> = LazyLock::new(|| {
    [("cart", NODE), ("admin", "node-2")].map(|(account, node)| PodView {
        name: format!("{account}-1"),
        uid: format!("{account}-uid"),
        account: Account {
            namespace: "shop".to_owned(),
            name: account.to_owned(),
        },
        node: node.to_owned(),
        live: true,
    })
});

/// A certification request in DER that is taken.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let request = CertificateParams::default().serialize_request(&key(3));
    request.expect("a request").der().to_vec()
});

/// What signs tokens, and what verifies them.
static TOKENS: LazyLock<(JwtSigner, Bundles)> = LazyLock::new(|| {
    let key = KeyPair::generate().expect("a key");
    let signer = JwtSigner::from_pkcs8("k", &key.serialize_der()).expect("a signer");
    let mut bundle = Bundle::new("example.com".parse().expect("a trust domain"));
    bundle.add_jwt_key(signer.verification_key().expect("a key"));
    (signer, Bundles::new(bundle))
});

fn cart() -> Workload {
    Workload {
        namespace: "shop".to_owned(),
        name: "cart-1".to_owned(),
        uid: "cart-uid".to_owned(),
    }
}

fn bounded(refusal: &Refusal) {
    let codes = [Code::InvalidArgument, Code::NotFound, Code::PermissionDenied];
    assert!(codes.contains(&refusal.code()), "{refusal}");
    assert!(refusal.to_string().len() < 400, "a refusal quotes nothing of a request");
}

/// Whatever an agent asks for, what is granted is of the one Pod that runs on its node.
fn granted(workload: Option<&Workload>) -> Result<Grant, Refusal> {
    let named = check::named(workload)?;
    for part in [&named.namespace, &named.name, &named.uid] {
        let odd = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.');
        assert!(
            !part.contains(odd) && part.trim_matches('.') == part,
            "{part:?} is one part of a path"
        );
    }
    let mut pods = PODS.iter();
    let pod = pods.find(|pod| pod.account.namespace == named.namespace && pod.name == named.name);
    let account = check::workload(named, NODE, pod)?;
    let grant = INDEX.grant(&account.namespace, &account.name, Path::WorkloadApi, None)?;
    assert_eq!((named, grant.spiffe_id.to_string().as_str()), (&cart(), ID));
    Ok(grant)
}

/// Whether a certificate would be issued.
fn asks_for_certificate(request: &IssueX509SvidRequest) -> bool {
    let taken =
        granted(request.workload.as_ref()).and_then(|grant| Ok((grant, PublicKey::from_request(&request.request)?)));
    match taken {
        Ok((grant, key)) => {
            assert!(!key.der_bytes().is_empty(), "a key that is taken is one");
            grant.key_type == Some(key.key_type())
        }
        Err(refusal) => {
            bounded(&refusal);
            false
        }
    }
}

/// A token is for those that were asked for, and for nobody else.
fn asks_for_token(request: &IssueJwtSvidRequest) {
    let grant = match granted(request.workload.as_ref()) {
        Ok(grant) => grant,
        Err(refusal) => return bounded(&refusal),
    };
    let (signer, bundles) = &*TOKENS;
    let audiences: Vec<&str> = request.audiences.iter().map(String::as_str).collect();
    let now = Timestamp::from_second(countersign_fuzz::NOW).expect("a time");
    let life = SignedDuration::from_mins(5);
    let signed = signer.sign(&grant.spiffe_id, &audiences, life, now, "id", &SystemRandom::new());
    let nobody = audiences.is_empty() || audiences.contains(&"");
    assert_eq!(signed.is_err(), nobody, "{signed:?}");
    // What nobody would read is not looked at.
    let Some(token) = signed.ok().filter(|token| token.len() <= 16 << 10) else {
        return;
    };
    for audience in &audiences {
        let verified = verify(&token, audience, bundles, now).expect("a token for whom it was asked");
        assert_eq!(verified.id(), &grant.spiffe_id);
    }
    let another = format!("{}x", audiences.concat());
    assert!(verify(&token, &another, bundles, now).is_err(), "it is for others");
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, rest)) = choice(data) else {
        let request = IssueX509SvidRequest {
            workload: Some(cart()),
            request: GOOD.clone(),
        };
        assert!(asks_for_certificate(&request), "the good one is granted");
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let mut lines = text.lines().map(str::to_owned);
    match chosen % 5 {
        0 => {
            if let Ok(request) = IssueX509SvidRequest::decode(rest) {
                asks_for_certificate(&request);
            }
            if let Ok(request) = IssueJwtSvidRequest::decode(rest) {
                asks_for_token(&request);
            }
        }
        1 => {
            let mut part = || lines.next().unwrap_or_default();
            asks_for_token(&IssueJwtSvidRequest {
                workload: Some(Workload {
                    namespace: part(),
                    name: part(),
                    uid: part(),
                }),
                audiences: vec!["a".to_owned()],
            });
        }
        2 => asks_for_token(&IssueJwtSvidRequest {
            workload: Some(cart()),
            audiences: lines.collect(),
        }),
        3 => drop(asks_for_certificate(&IssueX509SvidRequest {
            workload: Some(cart()),
            request: rest.to_vec(),
        })),
        _ => {
            let mut der = GOOD.clone();
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % der.len();
                der[at] = change[2];
            }
            asks_for_certificate(&IssueX509SvidRequest {
                workload: Some(cart()),
                request: der,
            });
        }
    }
});
