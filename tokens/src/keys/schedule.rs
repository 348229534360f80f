//! What is to be done with an issuer's keys now. Nothing here reads a clock.

use countersign_policy::tokens::SigningAlgorithm;

use super::document::{Algorithm, Document, KeptKey};

/// When keys turn, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a key signs.
    pub rotate_every: i64,
    /// How long a key is published before it signs: what verifiers may take to fetch it.
    pub ahead: i64,
    /// How long a key is published after it signed its last token: the longest life of a token, and what clocks are apart.
    pub kept: i64,
}

/// How long verifiers may keep a key set before they fetch it again, in seconds. The answer says so, and the operator fetches
/// every few minutes.
pub const AHEAD: i64 = 15 * 60;
/// What is added to the longest life of a token before its key is forgotten, in seconds.
pub const SKEW: i64 = 5 * 60;

impl Timing {
    /// For tokens that live this long at most.
    pub fn new(rotate_every: i64, longest_token: i64) -> Self {
        Self {
            rotate_every,
            ahead: AHEAD.min(rotate_every / 4),
            kept: longest_token + SKEW,
        }
    }
}

/// What may be needed for the next step, made beforehand: keys come from randomness, which has no place here.
pub trait Maker {
    /// Why it fails.
    type Error;

    /// A private key in PKCS #8, base64.
    fn key(&mut self, algorithm: SigningAlgorithm) -> Result<String, Self::Error>;

    /// 32 random bytes, base64.
    fn nonce_key(&mut self) -> Result<String, Self::Error>;
}

/// The next state, if anything is to be done. `asked` is the value of the annotation that asks for a rotation at once: one
/// that was not seen before makes a new key sign now, whether or not verifiers have it, and forgets all others. What the old
/// ones signed is refused from then on, which is what somebody wants whose key was stolen.
///
/// # Errors
///
/// If a key cannot be made.
pub fn advance<M: Maker>(
    document: &Document,
    algorithm: SigningAlgorithm,
    timing: Timing,
    asked: Option<&str>,
    now: i64,
    maker: &mut M,
) -> Result<Option<Document>, M::Error> {
    let mut next = document.clone();
    if next.nonce_key.is_empty() {
        next.nonce_key = maker.nonce_key()?;
    }
    if asked.is_some() && asked != document.rotated_for.as_deref() {
        next.rotated_for = asked.map(str::to_owned);
        // At the first start there is nothing to be replaced.
        if !document.keys.is_empty() {
            next.keys = vec![made(algorithm, now, now, maker)?];
            next.nonce_key = maker.nonce_key()?;
            return Ok(Some(next));
        }
    }
    if next.keys.is_empty() {
        next.keys.push(made(algorithm, now, now, maker)?);
    }
    let signing = signing(&next.keys, now);
    let waiting = next.keys.iter().any(|key| key.signs_from > now);
    let turns = match signing.map(|at| &next.keys[at]) {
        // A new algorithm turns the key too.
        Some(key) => {
            key.algorithm != Algorithm::from(algorithm) || key.signs_from + timing.rotate_every - timing.ahead <= now
        }
        None => true,
    };
    if turns && !waiting {
        let from = if signing.is_some() { now + timing.ahead } else { now };
        next.keys.push(made(algorithm, now, from, maker)?);
    }
    retire(&mut next.keys, timing, now);
    Ok((next != *document).then_some(next))
}

/// Which key signs: the newest of those whose time has come.
pub fn signing(keys: &[KeptKey], now: i64) -> Option<usize> {
    let due = keys.iter().enumerate().filter(|(_, key)| key.signs_from <= now);
    due.max_by_key(|(at, key)| (key.signs_from, *at)).map(|(at, _)| at)
}

/// When another key takes the place of the one that signs: the time of the next one if it is published, and else when it is due.
pub fn signs_until(keys: &[KeptKey], rotate_every: i64, now: i64) -> Option<i64> {
    let current = &keys[signing(keys, now)?];
    let next = keys.iter().map(|key| key.signs_from).filter(|from| *from > now).min();
    Some(next.unwrap_or(current.signs_from + rotate_every))
}

fn made<M: Maker>(algorithm: SigningAlgorithm, now: i64, signs_from: i64, maker: &mut M) -> Result<KeptKey, M::Error> {
    Ok(KeptKey {
        algorithm: algorithm.into(),
        private: maker.key(algorithm)?,
        made: now,
        signs_from,
        retired: None,
    })
}

/// Marks those that signed and do not any more, and forgets those whose tokens are past.
fn retire(keys: &mut Vec<KeptKey>, timing: Timing, now: i64) {
    let Some(current) = signing(keys, now) else { return };
    let since = keys[current].signs_from;
    for (at, key) in keys.iter_mut().enumerate() {
        if at != current && key.signs_from <= since && key.retired.is_none() {
            // The one that follows may have come into its time a while ago.
            key.retired = Some(since.max(key.signs_from));
        }
    }
    keys.retain(|key| key.retired.is_none_or(|retired| retired + timing.kept > now));
}

#[cfg(test)]
mod tests;
