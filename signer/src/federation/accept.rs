//! Whether what an endpoint answered takes the place of what was fetched before.

use countersign_identity::Bundle;

use super::fetch::Answer;
use super::object::Wanted;
use crate::problem::Problem;

/// The largest bundle that is kept, in bytes: some hundred keys.
const LARGEST_KEPT: usize = 128 * 1024;
/// How many of the keys that were passed over are named.
const NAMED: usize = 3;

/// A bundle that was fetched and taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Where it came from.
    pub url: String,
    /// What the endpoint calls this version of it (RFC 9110 section 8.8.3).
    pub etag: Option<String>,
    /// What it holds.
    pub bundle: Bundle,
}

/// Takes an answer, or says why not. Beside what is taken it tells what of it was passed over. Nothing at all is told if the
/// endpoint says that what is there is current.
///
/// # Errors
///
/// If it is no bundle, or older than what is there.
pub fn accept(
    before: Option<&Stored>,
    wanted: &Wanted,
    answer: Answer,
) -> Result<Option<(Stored, Option<String>)>, Problem> {
    let Answer::Body { text, etag } = answer else {
        return Ok(None);
    };
    let url = &wanted.url;
    let received = Bundle::from_jwks(wanted.domain.clone(), &text)
        .map_err(|error| Problem::new("BundleRefused", format!("{url} answered, but with {error}")))?;
    let bundle = received.bundle;
    let known = before
        .filter(|before| before.url == *url)
        .and_then(|before| before.bundle.sequence);
    if let (Some(known), Some(sequence)) = (known, bundle.sequence)
        && sequence < known
    {
        return Err(Problem::new(
            "SequenceWentBack",
            format!(
                "{url} answered with the bundle number {sequence} (spiffe_sequence), which is older than number {known} that \
                 is in use: an old copy, or a server that was reset; if the owner of {} confirms it, delete this object and \
                 make it again",
                wanted.domain
            ),
        ));
    }
    if bundle.to_jwks().len() > LARGEST_KEPT {
        return Err(Problem::new(
            "BundleRefused",
            format!(
                "{url} answered with a bundle of more than {LARGEST_KEPT} bytes: ask its owner to take old keys out of it"
            ),
        ));
    }
    let stored = Stored {
        url: url.clone(),
        etag,
        bundle,
    };
    Ok(Some((stored, passed_over(&received.passed_over))))
}

fn passed_over(keys: &[String]) -> Option<String> {
    let named: Vec<&str> = keys.iter().take(NAMED).map(String::as_str).collect();
    let more = match keys.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!keys.is_empty()).then(|| format!("passed over: {}{more}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            domain: "example.com".parse().unwrap(),
            url: "https://example.com/bundle".to_owned(),
            ca_bundle: None,
            refresh: None,
        }
    }

    fn answer(sequence: Option<u64>) -> Answer {
        let mut document = json!({"keys": []});
        if let Some(sequence) = sequence {
            document["spiffe_sequence"] = sequence.into();
        }
        Answer::Body {
            text: document.to_string(),
            etag: None,
        }
    }

    #[test]
    fn what_is_older_is_not_taken() {
        let take = |before: Option<&Stored>, sequence| accept(before, &wanted(), answer(sequence));
        let (seven, _) = take(None, Some(7)).unwrap().unwrap();
        for sequence in [Some(7), Some(8), None] {
            assert!(take(Some(&seven), sequence).is_ok(), "{sequence:?}");
        }
        let problem = take(Some(&seven), Some(6)).unwrap_err();
        assert_eq!(problem.reason, "SequenceWentBack");
        assert!(problem.message.contains("number 6") && problem.message.contains("number 7"));
        // Another server counts for itself.
        let moved = Stored {
            url: "https://other.example".to_owned(),
            ..seven.clone()
        };
        assert!(take(Some(&moved), Some(6)).is_ok());
        assert_eq!(accept(Some(&seven), &wanted(), Answer::Unchanged).unwrap(), None);
    }

    #[test]
    fn what_is_no_bundle_is_not_taken() {
        let body = |text: &str| Answer::Body {
            text: text.to_owned(),
            etag: None,
        };
        let private = json!({"keys": [{"kty": "EC", "use": "jwt-svid", "kid": "a", "d": "hunter2"}]}).to_string();
        for text in ["", "<html>", "[]", private.as_str()] {
            let problem = accept(None, &wanted(), body(text)).unwrap_err();
            assert_eq!(problem.reason, "BundleRefused");
            assert!(!problem.message.contains("hunter2"));
        }
        let odd = json!({"keys": [{"kty": "EC"}, {}, {}, {}, {}]}).to_string();
        let (stored, note) = accept(None, &wanted(), body(&odd)).unwrap().unwrap();
        assert_eq!(stored.bundle.roots().count(), 0);
        assert!(note.unwrap().ends_with("and 2 more"));
    }
}
