//! The token of a request.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::refusal::Refusal;

/// The longest token that is looked at, in bytes. Those of service accounts have one to two thousand.
const LONGEST: usize = 16 << 10;

/// A bearer token (RFC 6750). It is never shown.
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token in `authorization`. Only what has the form of a service account's token is one: it costs no call to see
    /// that anything else is not.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one, or it cannot be a service account's.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (all.next(), all.next()) else {
            return Err(Refusal::NoToken);
        };
        let value = value.to_str().map_err(|_| Refusal::NoToken)?;
        let (scheme, token) = value.split_once(' ').ok_or(Refusal::NoToken)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::NoToken);
        }
        Self::new(token.trim()).ok_or(Refusal::NotAToken)
    }

    /// Takes what has three parts of base64url, as a JWS in compact form (RFC 7515, section 7.1).
    pub fn new(text: &str) -> Option<Self> {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let jws = text.len() <= LONGEST && text.split('.').count() == 3 && text.split('.').all(part);
        jws.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The token, for the API server.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(values: &[&str]) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Token::of(&headers).map(|token| assert_eq!(token.reveal(), "aA0.b-_.c"))
    }

    #[rstest]
    #[case::plain(&["Bearer aA0.b-_.c"], Ok(()))]
    #[case::lower_case(&["bearer aA0.b-_.c"], Ok(()))]
    #[case::none(&[], Err(Refusal::NoToken))]
    #[case::two(&["Bearer a.b.c", "Bearer a.b.c"], Err(Refusal::NoToken))]
    #[case::basic(&["Basic aA0.b-_.c"], Err(Refusal::NoToken))]
    #[case::no_scheme(&["aA0.b-_.c"], Err(Refusal::NoToken))]
    #[case::opaque(&["Bearer abc"], Err(Refusal::NotAToken))]
    #[case::four_parts(&["Bearer a.b.c.d"], Err(Refusal::NotAToken))]
    #[case::empty_part(&["Bearer a..c"], Err(Refusal::NotAToken))]
    #[case::foreign(&["Bearer a.b c.d"], Err(Refusal::NotAToken))]
    fn only_what_can_be_a_token_is_one(#[case] values: &[&str], #[case] expected: Result<(), Refusal>) {
        assert_eq!(of(values), expected);
    }

    #[test]
    fn a_long_token_is_none() {
        let value = format!("Bearer {}.b.c", "a".repeat(LONGEST));
        assert_eq!(of(&[&value]), Err(Refusal::NotAToken));
    }
}
