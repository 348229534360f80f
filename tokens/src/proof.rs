//! Proof of possession: DPoP (RFC 9449), with nonces of this server, and certificates (RFC 8705).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign_identity::dpop::{self, Expected, Htu, Proof};
use countersign_identity::jws::Jws;
use serde_json::Value;

use crate::clients::{self, thumbprint};
use crate::directory::Endpoint;
use crate::keys::Ring;
use crate::mint::Confirmation;
use crate::protocol::Refusal;
use crate::protocol::refusal::ProofError;
use crate::service::{Call, Service, digest};
use crate::store::Once;

/// The header of proofs, and that of nonces (RFC 9449 sections 4 and 8).
pub const DPOP: &str = "dpop";
/// The header of nonces.
pub const DPOP_NONCE: &str = "dpop-nonce";
/// How old a proof may be, in seconds. It has a nonce besides, which says when it was made.
const WINDOW: i64 = 300;
/// How long a nonce is new, in seconds: answers carry another then.
const NEW: i64 = 120;
/// How long a nonce is good, in seconds.
const GOOD: i64 = 300;

/// The key that a request for a token proves to hold, if it does.
///
/// # Errors
///
/// If there is a proof, and it is not good: it is never ignored.
pub async fn confirm(service: &Service, call: &Call) -> Result<Option<Confirmation>, Refusal> {
    confirm_with(service, call, None).await
}

/// The key that a request proves to hold, which comes with this access token (RFC 9449 section 7): a proof must be for it.
///
/// # Errors
///
/// If there is a proof, and it is not good.
pub async fn confirm_with(
    service: &Service,
    call: &Call,
    token: Option<&str>,
) -> Result<Option<Confirmation>, Refusal> {
    match verify(call, token)? {
        Some(proof) => {
            let seen = digest(&["dpop", call.issuer_id(), &proof.thumbprint, &proof.jti]);
            // Beyond its window, and that of its nonce, it is refused anyway.
            if !service
                .store
                .use_once(Once::DpopProof, seen, proof.forget_after + 1)
                .await?
            {
                return Err(ProofError::Replayed.into());
            }
            Ok(Some(Confirmation::Key(proof.thumbprint)))
        }
        None => Ok(thumbprint(call).map(Confirmation::Certificate)),
    }
}

/// Asks for another proof where the one of the request has no nonce that is good, before anything is used up. All else that may be
/// wrong with it is looked at when it is verified.
///
/// # Errors
///
/// If the proof needs another nonce.
pub fn ask_for_nonce(call: &Call) -> Result<(), Refusal> {
    // Elsewhere proofs are not looked at.
    if !matches!(call.endpoint, Endpoint::Token | Endpoint::PushedAuthorization) {
        return Ok(());
    }
    let proof = call.headers.get(DPOP).and_then(|header| header.to_str().ok());
    let Some(claims) = proof.and_then(|proof| Jws::parse(proof).ok()?.claims().ok()) else {
        return Ok(());
    };
    match claims.get("nonce") {
        Some(Value::String(nonce)) if is_good(&call.ring, call.issuer_id(), nonce, call.now) => Ok(()),
        None | Some(Value::String(_)) => Err(Refusal::Nonce),
        Some(_) => Ok(()),
    }
}

fn verify(call: &Call, token: Option<&str>) -> Result<Option<Proof>, Refusal> {
    let mut headers = call.headers.get_all(DPOP).iter();
    let header = match (headers.next(), headers.next()) {
        (None, _) => return Ok(None),
        (Some(header), None) => header,
        _ => return Err(ProofError::Several.into()),
    };
    let proof = header
        .to_str()
        .map_err(|_| Refusal::Malformed("the DPoP header is not ASCII"))?;
    let url = call.url();
    let htu = Htu::parse(&url).map_err(|_| Refusal::Malformed("the issuer has no usable URL"))?;
    let expected = Expected {
        method: call.method.as_str(),
        uri: &htu,
        access_token: token,
        algorithms: &clients::ALGORITHMS,
        window: WINDOW,
    };
    let proof = dpop::verify(proof, &expected, call.now).map_err(ProofError::from)?;
    match proof.nonce.as_deref() {
        Some(nonce) if is_good(&call.ring, call.issuer_id(), nonce, call.now) => Ok(Some(proof)),
        _ => Err(Refusal::Nonce),
    }
}

/// A nonce for proofs that come next: the time, and what only this service can make of it. Every replica makes the same.
pub fn nonce(ring: &Ring, issuer: &str, now: i64) -> String {
    let time = now - now.rem_euclid(NEW);
    let mut bytes = time.to_be_bytes().to_vec();
    bytes.extend_from_slice(&seal(ring, issuer, time));
    BASE64URL.encode(bytes)
}

/// Whether a nonce is one of this issuer's, and good yet.
fn is_good(ring: &Ring, issuer: &str, nonce: &str, now: i64) -> bool {
    let Ok(bytes) = BASE64URL.decode(nonce) else {
        return false;
    };
    let Some((time, seal_given)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    let time = i64::from_be_bytes(*time);
    verify_slices_are_equal(seal_given, &seal(ring, issuer, time)).is_ok()
        && (time..time.saturating_add(GOOD)).contains(&now)
}

fn seal(ring: &Ring, issuer: &str, time: i64) -> [u8; 16] {
    let key = Key::new(HMAC_SHA256, ring.nonce_key());
    let mut message = time.to_be_bytes().to_vec();
    message.extend_from_slice(issuer.as_bytes());
    let tag = sign(&key, &message);
    let mut short = [0; 16];
    short.copy_from_slice(&tag.as_ref()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::keys::Document;

    fn ring(byte: u8) -> Ring {
        let nonce_key = STANDARD.encode([byte; 32]);
        // A ring needs a key.
        let private = STANDARD
            .encode(crate::keys::signing::generate(countersign_policy::tokens::SigningAlgorithm::Es256).unwrap());
        let json = serde_json::json!({
            "nonceKey": nonce_key, "keys": [{"algorithm": "ES256", "private": private, "made": 0, "signsFrom": 0}],
        });
        Ring::read(Document::read(json.to_string().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_nonce_is_good_for_a_while_and_for_one_issuer() {
        let (one, other) = (ring(1), ring(2));
        let now = 1_800_000_000;
        let given = nonce(&one, "https://a.example", now);
        assert_eq!(
            given,
            nonce(&one, "https://a.example", now + 1),
            "it changes every two minutes"
        );
        assert!(is_good(&one, "https://a.example", &given, now + GOOD - NEW));
        assert!(!is_good(&one, "https://a.example", &given, now + GOOD + 1));
        assert!(!is_good(&one, "https://b.example", &given, now));
        assert!(!is_good(&other, "https://a.example", &given, now));
        assert!(
            !is_good(&one, "https://a.example", &given, now - NEW - 1),
            "it is of the future"
        );
        for wrong in ["", "AAAA", "not base64!", &given[1..]] {
            assert!(!is_good(&one, "https://a.example", wrong, now), "{wrong}");
        }
    }
}
