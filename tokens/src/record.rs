//! Every decision, written down: what the authorizer will say of a request, the token service says of a grant in the same words.

use std::collections::BTreeSet;
use std::net::IpAddr;

use countersign_policy::tokens::OPENID;
use data_encoding::HEXLOWER;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use crate::directory::{Endpoint, Party};
use crate::mint::{AccessClaims, Confirmation};
use crate::protocol::Refusal;

/// What is found out about a request while it is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Which issuer was asked.
    pub issuer: String,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// By which grant.
    pub grant: Option<&'static str>,
    /// Who asked, once it proved that.
    pub client: Option<String>,
    /// How it proved that.
    pub method: Option<&'static str>,
    /// On whose behalf.
    pub subject: Option<String>,
    /// For which API.
    pub audience: Option<String>,
    /// For what there.
    pub scopes: Vec<String>,
    /// The thumbprint of the key that the token is bound to.
    pub key: Option<String>,
    /// The token's identifier (`jti`).
    pub token: Option<String>,
    /// The refresh family.
    pub family: Option<String>,
    /// The SHA-256 of the statement that a partner signed, and its claims: whoever keeps the statement can show that it is this.
    pub statement: Option<String>,
}

impl Draft {
    /// Who asked.
    pub fn party(&mut self, party: &Party) {
        self.client = Some(party.id());
        self.method = Some(party.method());
    }

    /// What is asked for: at which API, what may be done there, and whether it is asked besides who the user is.
    pub fn asked(&mut self, audience: &str, scopes: &BTreeSet<String>, openid: bool) {
        self.audience = Some(audience.to_owned());
        let openid = openid.then(|| OPENID.to_owned());
        self.scopes = openid.into_iter().chain(scopes.iter().cloned()).collect();
    }

    /// An access token that was shown, whoever did.
    pub fn shown(&mut self, claims: &AccessClaims) {
        self.subject = Some(claims.sub.clone());
        self.audience = Some(claims.aud.clone());
        self.scopes = claims.scope.split_whitespace().map(str::to_owned).collect();
        self.key = claims.cnf.as_ref().map(Confirmation::text);
        self.token = Some(claims.jti.clone());
        self.family.clone_from(&claims.sid);
    }

    /// What a partner signed. Its payload is no secret and its signature is left out, so that the record cannot be used.
    pub fn statement(&mut self, text: &str) {
        let digest = HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        let signed = text.rsplit_once('.').map_or("", |(signed, _)| signed);
        self.statement = Some(format!("sha256:{digest} {signed}"));
    }
}

/// Whether it was granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    endpoint: &'static str,
    grant: &'static str,
    outcome: &'static str,
    reason: &'static str,
}

/// Writes decisions down, and counts them.
#[derive(Clone, Default)]
pub struct Recorder {
    decisions: Family<Decided, Counter>,
}

impl Recorder {
    /// Counts in this registry.
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        registry.register(
            "countersign_tokens_decisions",
            "Requests that were granted or refused, by endpoint, grant and reason",
            this.decisions.clone(),
        );
        this
    }

    /// Writes a decision down.
    pub fn decided(&self, endpoint: Endpoint, draft: &Draft, refusal: Option<&Refusal>) {
        let outcome = if refusal.is_some() { "refused" } else { "granted" };
        let reason = refusal.map_or("Granted", Refusal::reason);
        let decided = Decided {
            endpoint: endpoint.name(),
            grant: draft.grant.unwrap_or("none"),
            outcome,
            reason,
        };
        self.decisions.get_or_create(&decided).inc();
        let detail = refusal.map(ToString::to_string);
        info!(
            name: "countersign.token.decision",
            target: "countersign_decision",
            event = decided.endpoint,
            outcome,
            reason,
            detail,
            issuer = draft.issuer,
            address = draft.address.map(tracing::field::display),
            caller = draft.client,
            method = draft.method,
            grant = draft.grant,
            subject = draft.subject,
            audience = draft.audience,
            scopes = (!draft.scopes.is_empty()).then(|| draft.scopes.join(" ")),
            key = draft.key,
            jti = draft.token,
            family = draft.family,
            statement = draft.statement,
            "a decision"
        );
        if let Some(event) = refusal.and_then(Refusal::security_event) {
            warn!(
                name: "countersign.security",
                target: "countersign_security",
                event,
                issuer = draft.issuer,
                caller = draft.client,
                family = draft.family,
                "what was used before was used again: somebody else may have it"
            );
        }
    }
}
