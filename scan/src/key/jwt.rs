//! JSON Web Tokens (RFC 7519), signed (RFC 7515) or encrypted (RFC 7516), and how long they live.

use super::armor;
use crate::finding::{Lifetime, Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};
use crate::rule::Remedy::{ProjectedToken, ShorterLifetime, TokenClient};
use crate::rule::Rule;
use crate::tree::{Node, Number};

pub(super) static SERVICE_ACCOUNT: Rule = Rule {
    id: "service-account-token",
    title: "a token of a Kubernetes service account",
    remedy: ProjectedToken,
};
pub(super) static ARGO_CD: Rule = Rule {
    id: "argocd-token",
    title: "a token of Argo CD",
    remedy: TokenClient,
};
pub(super) static ENDLESS: Rule = Rule {
    id: "jwt-without-expiry",
    title: "a JSON Web Token without expiry",
    remedy: TokenClient,
};
pub(super) static LONG_LIVED: Rule = Rule {
    id: "jwt-long-lived",
    title: "a JSON Web Token that lives too long",
    remedy: ShorterLifetime,
};
pub(super) static EXPIRED: Rule = Rule {
    id: "jwt-expired",
    title: "a JSON Web Token that has ended",
    remedy: TokenClient,
};
/// Anybody can write one. Whoever accepts it accepts anything, so how long it lives does not matter.
pub(super) static UNSIGNED: Rule = Rule {
    id: "jwt-unsigned",
    title: "a JSON Web Token that nothing signs",
    remedy: TokenClient,
};
/// What is in it cannot be read without its key, nor when it ends. To who takes it it is a bearer token all the same.
pub(super) static ENCRYPTED: Rule = Rule {
    id: "jwe",
    title: "an encrypted JSON Web Token, whose end cannot be read",
    remedy: TokenClient,
};

/// The starts of a header in base64url: a brace, then a quote, with or without white space between.
const STARTS: [&str; 8] = ["eyJ", "eyAi", "eyAg", "ewog", "ewoi", "ewoJ", "ew0K", "ewki"];

pub(super) const ANCHORS: [Anchor; STARTS.len()] = {
    let mut anchors = [Anchor { literal: "", find }; STARTS.len()];
    let mut at = 0;
    while at < STARTS.len() {
        anchors[at].literal = STARTS[at];
        at += 1;
    }
    anchors
};

/// Types of tokens that give nobody anything by themselves: proofs, events, statements (RFC 9449, RFC 8417, RFC 7591,
/// `OpenID` Federation).
const NO_BEARER: &[&str] = &[
    "dpop+jwt",
    "secevent+jwt",
    "logout+jwt",
    "entity-statement+jwt",
    "trust-mark+jwt",
    "statuslist+jwt",
    "oauth-authz-req+jwt",
    "token-introspection+jwt",
    "kb+jwt",
];

/// A token at the start of its header.
pub(super) fn find(input: &Input<'_>, at: usize) -> Option<Hit> {
    if !begins_at(input.text.as_bytes(), at) {
        return None;
    }
    let (parts, length) = Parts::of(input.text.get(at..)?)?;
    let span = at..at + length;
    match parts {
        Parts::Signed(parts) => signed(input, parts, span),
        Parts::Encrypted(header) => encrypted(input, header, span),
    }
}

/// Whether a text is a token: its header says how it is signed or encrypted.
pub(super) fn is_token(text: &str) -> bool {
    let Some((parts, length)) = Parts::of(text) else {
        return false;
    };
    let (Parts::Signed([header, ..]) | Parts::Encrypted(header)) = parts;
    let header = object(header);
    let header = header
        .as_deref()
        .and_then(|header| serde_json::from_slice::<Node<'_>>(header).ok());
    length == text.len() && header.is_some_and(|header| header.get("alg").is_some())
}

/// What a token is made of: header, claims and signature, or, of five parts, the header.
enum Parts<'a> {
    Signed([&'a str; 3]),
    Encrypted(&'a str),
}

impl<'a> Parts<'a> {
    /// Reads the parts at the start of a text, and how long they are together.
    fn of(text: &'a str) -> Option<(Self, usize)> {
        let mut parts = [""; 5];
        let (mut count, mut end) = (0, 0);
        for part in &mut parts {
            let length = text[end..]
                .bytes()
                .take_while(|byte| armor::is_base64url(*byte))
                .count();
            *part = &text[end..end + length];
            end += length;
            count += 1;
            if count == 5 || !text[end..].starts_with('.') {
                break;
            }
            end += 1;
        }
        match (count, parts) {
            (3, [header, claims, signature, ..]) => Some((Self::Signed([header, claims, signature]), end)),
            // What follows may be the end of a sentence.
            (4, [header, claims, signature, "", _]) => Some((Self::Signed([header, claims, signature]), end - 1)),
            (5, [header, _, vector, sealed, tag]) if [vector, sealed, tag].iter().all(|part| !part.is_empty()) => {
                Some((Self::Encrypted(header), end))
            }
            _ => None,
        }
    }
}

/// Whether a token can begin there: not in the middle of a word, unless it is an escape that ends there.
fn begins_at(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at)).copied();
    match before(1) {
        Some(byte) if armor::is_base64url(byte) => {
            let escape = before(2) == Some(b'\\') && matches!(byte, b'n' | b'r' | b't');
            let percent = before(3) == Some(b'%') && byte.is_ascii_hexdigit();
            escape || percent
        }
        // In the middle of another token.
        Some(b'.') => before(2).is_none_or(|byte| !armor::is_base64url(byte)),
        _ => true,
    }
}

fn object(part: &str) -> Option<Vec<u8>> {
    armor::base64url(part).filter(|bytes| bytes.trim_ascii_start().first() == Some(&b'{'))
}

fn signed(input: &Input<'_>, [header, claims, signature]: [&str; 3], span: std::ops::Range<usize>) -> Option<Hit> {
    let (header, claims) = (object(header)?, object(claims)?);
    let header: Node<'_> = serde_json::from_slice(&header).ok()?;
    let claims: Node<'_> = serde_json::from_slice(&claims).ok()?;
    let algorithm = header.get("alg")?.as_str()?;
    if header
        .get("typ")
        .and_then(Node::as_str)
        .is_some_and(|kind| NO_BEARER.contains(&kind))
        || is_public(algorithm, &claims)
    {
        return None;
    }
    let unsigned = algorithm.eq_ignore_ascii_case("none");
    let life = Life::of(&claims, input.now);
    let (rule, limit) = match issued_by(&claims) {
        _ if unsigned => (Some(&UNSIGNED), 0),
        Some(rule) if *rule == SERVICE_ACCOUNT => (Some(rule), input.limits.service_account_token),
        rule => (rule, input.limits.token),
    };
    let (rule, lifetime) = match life {
        Life::Endless => (rule.unwrap_or(&ENDLESS), Lifetime::Endless),
        Life::Seconds { length, .. } if length > limit => (rule.unwrap_or(&LONG_LIVED), Lifetime::Seconds(length)),
        Life::Seconds { over: true, length } => (&EXPIRED, Lifetime::Seconds(length)),
        Life::Seconds { .. } => return None,
    };
    let hit = |tier| Hit::new(rule, tier, span.clone()).living(lifetime);
    let proven = unsigned && signature.is_empty() || fits(algorithm, signature);
    Some(match life {
        _ if !proven && signature.len() < SHORTEST_SIGNATURE => return None,
        _ if !proven => hit(Tier::Shaped).mitigated(Mitigation::Unproven),
        _ if is_example(&claims) => hit(Tier::Proven).mitigated(Mitigation::Test),
        Life::Seconds { over: true, .. } => hit(Tier::Proven).mitigated(Mitigation::Expired),
        _ => hit(Tier::Proven),
    })
}

/// A signature of fewer characters is a word that stands for one.
const SHORTEST_SIGNATURE: usize = 20;

/// Whether a signature has the length that the algorithm's have (RFC 7518 section 3.1, RFC 8037 section 3.1).
fn fits(algorithm: &str, signature: &str) -> bool {
    let Some(length) = armor::base64url(signature).map(|bytes| bytes.len()) else {
        return false;
    };
    match algorithm {
        "HS256" => length == 32,
        "HS384" => length == 48,
        "HS512" => length == 64,
        "ES256" | "ES256K" | "Ed25519" => length == 64,
        "ES384" => length == 96,
        "ES512" => length == 132,
        "EdDSA" | "ed25519-nkey" => matches!(length, 64 | 114),
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => length >= 128,
        _ => length >= 16,
    }
}

/// How long a token lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Endless,
    Seconds { length: i64, over: bool },
}

impl Life {
    /// From when it was issued to when it ends (RFC 7519 section 4.1). A time of issue that is yet to come proves nothing.
    fn of(claims: &Node<'_>, now: i64) -> Self {
        let Some(end) = claims.get("exp").and_then(date) else {
            return Self::Endless;
        };
        let begin = claims
            .get("iat")
            .or_else(|| claims.get("nbf"))
            .and_then(date)
            .unwrap_or(now)
            .min(now);
        Self::Seconds {
            length: end.saturating_sub(begin),
            over: end <= now,
        }
    }
}

/// Numbers above this are milliseconds: in seconds they are after the year 5000.
const MILLISECONDS: i64 = 100_000_000_000;

/// A time in seconds, also of issuers that write it as milliseconds or as text.
fn date(node: &Node<'_>) -> Option<i64> {
    let number = match node {
        Node::Number(Number::Integer(number)) => *number,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a number that is too large becomes the largest"
        )]
        Node::Number(Number::Float(number)) => *number as i64,
        Node::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Some(if number > MILLISECONDS { number / 1000 } else { number })
}

/// The rule of tokens of a known issuer.
fn issued_by(claims: &Node<'_>) -> Option<&'static Rule> {
    let issuer = claims.get("iss").and_then(Node::as_str).unwrap_or_default();
    let subject = claims.get("sub").and_then(Node::as_str).unwrap_or_default();
    let kubernetes = issuer == "kubernetes/serviceaccount"
        || subject.starts_with("system:serviceaccount:")
        || claims
            .members()
            .iter()
            .any(|(name, _)| name.starts_with("kubernetes.io"));
    match issuer {
        _ if kubernetes => Some(&SERVICE_ACCOUNT),
        "argocd" => Some(&ARGO_CD),
        _ => None,
    }
}

/// Whether a token is made to be given out: what describes operators, accounts and users of NATS, where only the seed
/// proves who it is; and the key of Supabase that browsers have.
fn is_public(algorithm: &str, claims: &Node<'_>) -> bool {
    let issuer = claims.get("iss").and_then(Node::as_str).unwrap_or_default();
    let anonymous = claims.get("role").and_then(Node::as_str) == Some("anon");
    let bearer = claims.at(&["nats", "bearer_token"]) == Some(&Node::Bool(true));
    algorithm.starts_with("ed25519") && claims.get("nats").is_some() && !bearer
        || issuer.starts_with("supabase") && anonymous
}

/// Whether it is the token that documentation and tools show as an example.
fn is_example(claims: &Node<'_>) -> bool {
    let text = |name| claims.get(name).and_then(Node::as_str).unwrap_or_default();
    text("sub") == "1234567890" && text("name").starts_with("John Doe")
}

fn encrypted(input: &Input<'_>, header: &str, span: std::ops::Range<usize>) -> Option<Hit> {
    let header = object(header)?;
    let header: Node<'_> = serde_json::from_slice(&header).ok()?;
    let algorithm = header.get("alg")?.as_str()?;
    header.get("enc")?.as_str()?;
    // Clevis seals data to a server or a TPM.
    if header.get("clevis").is_some() {
        return None;
    }
    let hit = Hit::new(&ENCRYPTED, Tier::Shaped, span);
    // With a password, or a key in it, it is a thing that is kept encrypted, and no token.
    let kept = algorithm.starts_with("PBES2")
        || header
            .get("cty")
            .and_then(Node::as_str)
            .is_some_and(|kind| kind.contains("jwk"));
    if kept {
        return Some(hit.mitigated(Mitigation::Encrypted));
    }
    // Claims may be repeated in the header (RFC 7519 section 5.3).
    match Life::of(&header, input.now) {
        Life::Endless => Some(hit),
        Life::Seconds { over: true, length } => {
            Some(hit.living(Lifetime::Seconds(length)).mitigated(Mitigation::Expired))
        }
        Life::Seconds { length, .. } if length > input.limits.token => Some(hit.living(Lifetime::Seconds(length))),
        Life::Seconds { .. } => None,
    }
}
