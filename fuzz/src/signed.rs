//! A key, and what it signs.

use std::sync::LazyLock;

use countersign_identity::KeySet;
use countersign_identity::testing::SigningKey;
use jsonwebtoken::Algorithm;

/// The key.
pub static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate("k", Algorithm::ES256));

/// It, as it is published.
pub static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(&SigningKey::jwks(&[&KEY])).expect("a key set"));

/// Signs a header and claims that a text has, with a line between: as they are; and as members that are added to good ones.
pub fn signed(text: &str, header: &str, claims: &str) -> Vec<String> {
    let Some((more_header, more_claims)) = text.split_once('\n') else {
        return Vec::new();
    };
    let object = |good: &str, more: &str| match more {
        "" => format!("{{{}}}", good.trim_end_matches(',')),
        more => format!("{{{good}{more}}}"),
    };
    vec![
        KEY.sign(more_header, more_claims.as_bytes()),
        KEY.sign(&object(header, more_header), object(claims, more_claims).as_bytes()),
    ]
}
