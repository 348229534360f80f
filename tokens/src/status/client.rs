//! The status of a `TokenClient`.

use countersign_crds::token_client::TokenClientStatus;
use countersign_policy::conditions::Finding;
use countersign_policy::parse::Problem;
use countersign_policy::tokens::{Authentication, Client};
use countersign_policy::world::ObjectName;
use jiff::Timestamp;

use super::{summary, time};
use crate::remote::RemoteError;

/// How long before its end a secret is warned of, in seconds.
const SOON: i64 = 14 * 86_400;

/// What is said of a client. `client` is what it is, unless it has problems; `last_used` is in seconds since 1970; `keys`
/// is why the keys that it publishes could not be fetched last.
#[expect(
    clippy::too_many_arguments,
    reason = "each is another thing that the status is made of"
)]
pub fn client_status(
    name: &ObjectName,
    client: Option<&Client>,
    problems: &[Problem],
    last_used: Option<i64>,
    keys: Option<&RemoteError>,
    generation: i64,
    previous: &TokenClientStatus,
    now: Timestamp,
) -> TokenClientStatus {
    let expiry = client.and_then(Client::key_expiry);
    let mut conditions = vec![ready(problems, expiry, keys, now)];
    if let Some(client) = client
        && let Authentication::Secret(_) = client.authentication
    {
        conditions.push(Finding::new(
            "SharedSecret",
            Some(true),
            "ClientSecret",
            "it proves itself with a secret that both sides know and that travels with each request: give it a key of its own \
             by spec.authentication.privateKeyJwt, and then take the secret away",
        ));
    }
    TokenClientStatus {
        observed_generation: Some(generation),
        client_id: Some(format!("{}/{}", name.namespace, name.name)),
        authentication: client.map(|client| client.authentication.name().to_owned()),
        last_used: last_used.and_then(time).or_else(|| previous.last_used.clone()),
        key_expiry: expiry.and_then(time),
        conditions: conditions
            .into_iter()
            .map(|finding| finding.dated(&previous.conditions, generation, now))
            .collect(),
    }
}

fn ready(problems: &[Problem], expiry: Option<i64>, keys: Option<&RemoteError>, now: Timestamp) -> Finding {
    if !problems.is_empty() {
        return Finding::new(
            "Ready",
            Some(false),
            "Invalid",
            format!("it gets no token: {}", summary(problems)),
        );
    }
    if let Some(error) = keys {
        let message = format!("it gets no token: the keys at spec.authentication.privateKeyJwt.jwksUri: {error}");
        return Finding::new("Ready", Some(false), "NoKeys", message);
    }
    match expiry {
        Some(end) if end - now.as_second() < SOON => {
            let end = Timestamp::from_second(end).unwrap_or(now);
            Finding::new(
                "Ready",
                Some(true),
                "SecretEnds",
                format!("it can get tokens, but its last secret ends at {end}: add the next one"),
            )
        }
        _ => Finding::new("Ready", Some(true), "Ready", "it can get tokens"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn status(problems: &[Problem]) -> TokenClientStatus {
        let now = Timestamp::from_second(NOW).unwrap();
        client_status(
            &ObjectName::new("shop", "partner"),
            None,
            problems,
            Some(NOW),
            None,
            3,
            &TokenClientStatus::default(),
            now,
        )
    }

    #[test]
    fn a_client_that_is_wrong_gets_no_token_and_is_told_why() {
        let problem = Problem {
            field: "spec.audiences[0].audience".to_owned(),
            message: "is unknown".to_owned(),
        };
        let told = status(&[problem]);
        assert_eq!(told.client_id.as_deref(), Some("shop/partner"));
        let ready = &told.conditions[0];
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Invalid"));
        assert!(ready.message.contains("spec.audiences[0].audience: is unknown"));
        assert_eq!(status(&[]).conditions[0].status, "True");
    }
}
