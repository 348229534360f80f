//! Reading a `TokenRevocation`.

use countersign_crds::TokenRevocationSpec;
use serde_json::Value;

use crate::parse::{Field, Problem, fields, wire};

/// Tokens of a managed issuer that count no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The name of the `TokenRevocation`.
    pub name: String,
    /// The name of the `TokenIssuer`.
    pub issuer: String,
    /// Which tokens.
    pub revoked: Revoked,
    /// Until when, in seconds since 1970.
    pub until: i64,
    /// Why.
    pub reason: String,
}

/// Which tokens count no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revoked {
    /// The one with this identifier (`jti`).
    Token(String),
    /// All that came of one sign-in.
    Family(String),
    /// Those of a subject (`sub`).
    Subject {
        /// The subject.
        subject: String,
        /// Those issued before this second since 1970. All, also those yet to come, without it.
        issued_before: Option<i64>,
    },
    /// Those that were issued to a client.
    Client {
        /// Its `client_id`.
        client: String,
        /// Those issued before this second since 1970. All, also those yet to come, without it.
        issued_before: Option<i64>,
    },
    /// All of the issuer that were issued before this second since 1970.
    IssuedBefore(i64),
}

/// Reads the `TokenRevocation` of this name.
///
/// # Errors
///
/// All that is wrong with it, field by field.
pub fn revocation(name: &str, spec: &Value) -> Result<Revocation, Vec<Problem>> {
    let spec: TokenRevocationSpec = wire(spec).map_err(|problem| vec![problem])?;
    let TokenRevocationSpec {
        issuer,
        jti,
        subject,
        client,
        family,
        issued_before,
        until,
        reason,
    } = spec;
    let mut problems = Vec::new();
    let mut field = Field::new("spec", &mut problems);
    field.check(".issuer", fields::object_name(&issuer));
    if reason.trim().is_empty() {
        field.problem(".reason", "say why, for whoever reads it later");
    }
    let named = [
        ("jti", &jti),
        ("subject", &subject),
        ("client", &client),
        ("family", &family),
    ];
    for (name, value) in named {
        if value.as_deref() == Some("") {
            field.problem(&format!(".{name}"), "must not be empty");
        }
    }
    if let Some(client) = &client {
        field.check(".client", client_id(client));
    }
    let issued_before = issued_before.map(|time| time.0.as_second());
    let revoked = match (jti, subject, client, family, issued_before) {
        (Some(jti), None, None, None, None) => Some(Revoked::Token(jti)),
        (None, None, None, Some(family), None) => Some(Revoked::Family(family)),
        (None, Some(subject), None, None, issued_before) => Some(Revoked::Subject { subject, issued_before }),
        (None, None, Some(client), None, issued_before) => Some(Revoked::Client { client, issued_before }),
        (None, None, None, None, Some(issued_before)) => Some(Revoked::IssuedBefore(issued_before)),
        (Some(_), None, None, None, Some(_)) | (None, None, None, Some(_), Some(_)) => {
            field.problem(
                ".issuedBefore",
                "goes with subject or client, or stands alone: one token or one family is revoked whenever it was issued",
            );
            None
        }
        _ => {
            field.problem(
                "",
                "give one of jti, subject, client and family, or issuedBefore alone for all tokens of the issuer",
            );
            None
        }
    };
    match revoked {
        Some(revoked) if problems.is_empty() => Ok(Revocation {
            name: name.to_owned(),
            issuer,
            revoked,
            until: until.0.as_second(),
            reason,
        }),
        _ => Err(problems),
    }
}

fn client_id(text: &str) -> Result<(), String> {
    match text.split_once('/') {
        Some((namespace, name)) if fields::is_label(namespace) && fields::object_name(name).is_ok() => Ok(()),
        _ => Err(format!(
            "`{text}` is not a client_id, which is <namespace>/<name> of a TokenClient"
        )),
    }
}
