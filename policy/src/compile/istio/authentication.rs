//! `RequestAuthentication`: which tokens are verified, and how.

use serde_json::{Value, json};

use super::attach;
use crate::resolve::{Point, Resolved};

/// `None` if the policy reads no tokens.
///
/// The keys are written out, not named by address: what verifies a token is then what the policy was resolved against, and
/// the mesh fetches nothing. Tokens are passed on, so that the next hop can ask for them too.
pub(super) fn spec(resolved: &Resolved, point: &Point) -> Option<Value> {
    let rules: Vec<Value> = resolved
        .sources
        .iter()
        .map(|source| {
            let headers: Vec<Value> = source
                .headers
                .iter()
                .map(|header| json!({ "name": header.name, "prefix": header.prefix }))
                .collect();
            json!({
                "issuer": source.issuer,
                "audiences": source.audiences,
                "jwks": source.keys.to_json(),
                "fromHeaders": headers,
                "forwardOriginalToken": true,
            })
        })
        .collect();
    (!rules.is_empty()).then(|| attach(point, json!({ "jwtRules": rules })))
}
