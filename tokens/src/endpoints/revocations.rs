//! What was revoked before its end: a signed list, and what is added to it, for authorizers that follow. It names nobody: whoever
//! holds a token can see whether it is meant, and whoever reads the list learns of no user or client.

use std::time::Duration;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::answer;
use crate::protocol::Refusal;
use crate::service::{Call, Service};
use crate::store::{Revocation, RevocationKind};

/// How long a list is good, in seconds. Whoever has none that is good must deny.
const GOOD: i64 = 120;
/// How long a follower waits for news.
const WAIT: Duration = Duration::from_secs(25);
/// How often is looked for news. Replicas write at any time.
const LOOK: Duration = Duration::from_millis(500);
/// How many entries an answer has at most: few enough that whoever asks on and on costs little.
const MOST: u32 = 1_000;

pub(super) async fn answer(service: &Service, call: &Call) -> Response {
    match list(service, call).await {
        Ok(token) => answer::public("application/revocation-list+jwt", token, 0),
        Err(refusal) => answer::refused(&refusal, None),
    }
}

async fn list(service: &Service, call: &Call) -> Result<String, Refusal> {
    let since: Option<u64> = match call.form.one("since")? {
        None => None,
        Some(since) => Some(
            since
                .parse()
                .map_err(|_| Refusal::Malformed("since is the `sequence` of the list before"))?,
        ),
    };
    let after = since.unwrap_or(0);
    // Only who waits takes a place.
    let _place = since.map(|_| service.limits.following(call.peer)).transpose()?;
    // Who begins is told at once that there is nothing.
    let rounds = since.map_or(1, |_| WAIT.as_millis() / LOOK.as_millis());
    for round in 0..rounds {
        if round > 0 {
            sleep(LOOK).await;
        }
        let issuer = call.issuer_id().to_owned();
        let now = (service.clock)();
        let news = service.store.revocations_since(issuer, after, now, MOST).await?;
        if !news.is_empty() {
            return sign(call, now, after, &news);
        }
    }
    sign(call, (service.clock)(), after, &[])
}

/// `since` and `sequence` say which entries these are: all after the one, up to the other. Nobody can leave some out unseen.
fn sign(call: &Call, now: i64, since: u64, entries: &[(u64, Revocation)]) -> Result<String, Refusal> {
    let last = entries.iter().map(|(sequence, _)| *sequence).max().unwrap_or(since);
    let claims = json!({
        "iss": call.issuer_id(),
        "iat": now,
        "exp": now + GOOD,
        "since": since,
        "sequence": last,
        "more": entries.len() == MOST as usize,
        "revocations": entries.iter().map(|(_, revocation)| entry(revocation)).collect::<Vec<_>>(),
    });
    let key = call
        .ring
        .signing(now)
        .ok_or(Refusal::Unavailable("the issuer's signing key"))?;
    Ok(key.sign("revocation-list+jwt", &claims.to_string())?)
}

fn entry(revocation: &Revocation) -> Value {
    let name = match revocation.kind {
        RevocationKind::Jti => "jti",
        RevocationKind::Subject => "sub",
        RevocationKind::Client => "client_id",
        RevocationKind::Family => "sid",
        RevocationKind::IssuedBefore => "iss",
    };
    let value = if revocation.kind == RevocationKind::IssuedBefore {
        &revocation.issuer
    } else {
        &revocation.value
    };
    let sha256 = BASE64URL.encode(Sha256::digest(value));
    let mut entry = json!({"claim": name, "sha256": sha256, "until": revocation.until});
    if let Some(before) = revocation.issued_before {
        entry["issued_before"] = before.into();
    }
    entry
}
