//! Who asks for a token, and what it may get.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_policy::tokens::{Audience, Authentication, Binding, Client, Format, Grant, ManagedIssuer, Workload};

use crate::mint::Confirmation;
use crate::protocol::refusal::ProofError;
use crate::protocol::{Form, Refusal};

/// Who asks for a token.
#[derive(Clone, Debug)]
pub enum Party {
    /// A registered client.
    Client(Arc<Client>),
    /// A workload of the cluster, by what its ServiceIdentity says.
    Workload(Arc<Workload>),
}

/// What one token may be: decided from the objects alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Which API it is for.
    pub audience: String,
    /// What may be done there.
    pub scopes: BTreeSet<String>,
    /// How long it lives, in seconds.
    pub lifetime: i64,
    /// What it is.
    pub format: Format,
    /// Whether it must be bound to a key, and to which.
    pub binding: Binding,
}

impl Permit {
    /// Checks that the request proved the key that the token must be bound to.
    ///
    /// # Errors
    ///
    /// If it did not.
    pub fn check_binding(&self, confirmation: Option<&Confirmation>) -> Result<(), Refusal> {
        match (self.binding, confirmation) {
            (Binding::Optional, _) | (Binding::Required, Some(_)) | (Binding::Dpop, Some(Confirmation::Key(_))) => {
                Ok(())
            }
            (Binding::Required, None) => Err(Refusal::Unbound),
            (Binding::Dpop, Some(Confirmation::Certificate(_)) | None) => Err(ProofError::None.into()),
        }
    }
}

impl Party {
    /// Its `client_id`.
    pub fn id(&self) -> String {
        match self {
            Self::Client(client) => client.id(),
            Self::Workload(workload) => workload.spiffe_id.to_string(),
        }
    }

    /// Checks that it may use a grant.
    ///
    /// # Errors
    ///
    /// If it may not.
    pub fn may(&self, grant: Grant) -> Result<(), Refusal> {
        let may = match self {
            Self::Client(client) => client.grants.contains(&grant),
            Self::Workload(_) => matches!(grant, Grant::ClientCredentials | Grant::TokenExchange),
        };
        if may { Ok(()) } else { Err(Refusal::GrantNotAllowed) }
    }

    fn audiences(&self, issuer: &str) -> Option<&BTreeMap<String, BTreeSet<String>>> {
        match self {
            Self::Client(client) => (client.issuer == issuer).then_some(&client.audiences),
            Self::Workload(workload) => workload.tokens.get(issuer),
        }
    }

    /// What a token may be that is asked for with these parameters: for one audience of the party's, with scopes that are
    /// its own there. Without `scope` it is all of them.
    ///
    /// # Errors
    ///
    /// If it is not to have that audience, or one of the scopes (RFC 6749 section 3.3, RFC 8707 section 2).
    pub fn permit(&self, issuer: &ManagedIssuer, form: &Form) -> Result<Permit, Refusal> {
        let (audience, _) = self.audience(issuer, form)?;
        self.permit_for(issuer, audience, form.one("scope")?)
    }

    /// The same for an audience that is known.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn permit_for(&self, issuer: &ManagedIssuer, audience: &str, scope: Option<&str>) -> Result<Permit, Refusal> {
        let own = self
            .audiences(&issuer.name)
            .and_then(|own| own.get(audience))
            .ok_or(NOT_YOURS)?;
        let at = issuer.audiences.get(audience).ok_or(NOT_YOURS)?;
        let scopes = match scope {
            None => own.clone(),
            Some(text) => subset(text, own)?,
        };
        Ok(Permit {
            audience: audience.to_owned(),
            scopes: scopes.intersection(&at.scopes).cloned().collect(),
            lifetime: self.lifetime(at),
            format: at.format,
            binding: self.binding(at),
        })
    }

    /// Whether it proved who it is by more than its name.
    pub fn is_proven(&self) -> bool {
        match self {
            Self::Client(client) => !matches!(
                client.authentication,
                Authentication::Public | Authentication::Federated(_)
            ),
            Self::Workload(_) => true,
        }
    }

    fn audience<'a>(
        &'a self,
        issuer: &ManagedIssuer,
        form: &'a Form,
    ) -> Result<(&'a str, &'a BTreeSet<String>), Refusal> {
        let own = self.audiences(&issuer.name).ok_or(NOT_YOURS)?;
        let mut asked = form.all("resource").chain(form.all("audience"));
        match (asked.next(), asked.next()) {
            (Some(_), Some(_)) => Err(Refusal::Target(
                "a token is for one API: name one `resource` in each request",
            )),
            (Some(name), None) => own
                .get_key_value(name)
                .map(|(name, scopes)| (name.as_str(), scopes))
                .ok_or(NOT_YOURS),
            (None, _) => match own.iter().next() {
                Some((name, scopes)) if own.len() == 1 => Ok((name, scopes)),
                _ => Err(Refusal::Target(
                    "name the API that the token is for, by `resource` (RFC 8707)",
                )),
            },
        }
    }

    fn lifetime(&self, at: &Audience) -> i64 {
        match self {
            Self::Client(client) => at.lifetime_within(client.lifetime),
            Self::Workload(_) => at.lifetime_within(None),
        }
    }

    /// A workload in the mesh is known by its certificate beside the token, so that only its audience asks for more.
    fn binding(&self, at: &Audience) -> Binding {
        let asked = match self {
            Self::Client(client) => client.binding,
            Self::Workload(_) => Binding::Optional,
        };
        at.binding(asked)
    }

    /// What the record calls its way of authentication.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Client(client) => match client.authentication {
                Authentication::PrivateKeyJwt { .. } => "private_key_jwt",
                Authentication::TlsSpiffe(_) | Authentication::TlsDns(_) => "tls_client_auth",
                Authentication::SelfSignedTls(_) => "self_signed_tls_client_auth",
                Authentication::Secret(_) => "client_secret",
                Authentication::Public => "none",
                Authentication::Federated(_) => "federated",
            },
            Self::Workload(_) => "workload",
        }
    }
}

const NOT_YOURS: Refusal = Refusal::Target("the API is unknown, or is none that the client may have tokens for");

/// The scopes in a text, all of which must be among `own`.
///
/// # Errors
///
/// If one is not.
pub fn subset(text: &str, own: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
    let mut scopes = BTreeSet::new();
    for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
        if !own.contains(scope) {
            return Err(Refusal::Scope(scope.chars().take(128).collect()));
        }
        scopes.insert(scope.to_owned());
    }
    if scopes.is_empty() {
        return Err(Refusal::Scope(String::new()));
    }
    Ok(scopes)
}
