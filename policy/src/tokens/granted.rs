//! Audiences and scopes that somebody may ask for.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::token_client::GrantedAudience;

use crate::parse::{Field, fields};

/// The scope by which an application asks who signed in (OpenID Connect Core 1.0 section 3.1.2.1).
pub const OPENID: &str = "openid";
/// The scopes of OpenID Connect (Core 1.0 sections 3.1.2.1 and 11) that ask something of the token service, and are no API's.
pub const OPENID_SCOPES: [&str; 2] = [OPENID, "offline_access"];
/// The scopes of OpenID Connect that ask for claims about a user (Core 1.0 section 5.4). An API may have others of these names.
pub const CLAIM_SCOPES: [&str; 4] = ["address", "email", "phone", "profile"];

/// An audience: a URL or a name, without wildcards or white space.
pub(super) fn audience(text: &str) -> Result<(), String> {
    fields::literal(text)?;
    if text.chars().any(char::is_whitespace) {
        return Err(format!(
            "`{text}` holds white space; write each audience as an entry of its own"
        ));
    }
    Ok(())
}

/// Reads scopes of the field's `.scopes`.
pub(super) fn scopes(wire: &[String], field: &mut Field<'_>) -> BTreeSet<String> {
    for (at, scope) in wire.iter().enumerate() {
        field.check(&format!(".scopes[{at}]"), fields::scope(scope));
    }
    wire.iter().cloned().collect()
}

/// Reads the audiences that somebody may ask for, from the field's `.audiences`.
pub(super) fn audiences(wire: Vec<GrantedAudience>, field: &mut Field<'_>) -> BTreeMap<String, BTreeSet<String>> {
    if wire.is_empty() {
        field.problem(".audiences", "name at least one API that tokens are for");
    }
    let mut read = BTreeMap::new();
    for (at, granted) in wire.into_iter().enumerate() {
        let mut field = field.below(&format!(".audiences[{at}]"));
        let GrantedAudience {
            audience: name,
            scopes: wire,
        } = granted;
        field.check(".audience", audience(&name));
        let scopes = scopes(&wire, &mut field);
        if read.contains_key(&name) {
            field.problem(
                ".audience",
                format!("`{name}` stands here twice; put its scopes into one entry"),
            );
        }
        read.insert(name, scopes);
    }
    read
}
