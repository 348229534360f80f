//! Which object speaks for a foreign trust domain.

use std::collections::BTreeMap;

use countersign_identity::TrustDomain;

use super::object::{Seen, Wanted};
use super::publish::bundle_name;
use crate::problem::Problem;

/// For each object by its name, what it asks for, or why it has no effect. Of two that ask for one trust domain, the older
/// holds; and so of two whose trust domains could not be told apart by the names of their `ClusterTrustBundles`.
pub fn verdicts<'a>(
    own: &TrustDomain,
    objects: impl IntoIterator<Item = &'a Seen>,
) -> BTreeMap<&'a str, Result<&'a Wanted, Problem>> {
    let mut objects: Vec<&Seen> = objects.into_iter().collect();
    objects.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    let mut holders: BTreeMap<String, (&str, &TrustDomain)> = BTreeMap::new();
    let mut verdicts = BTreeMap::new();
    for seen in objects {
        let verdict = match &seen.wanted {
            Err(why) => Err(Problem::new("Invalid", why.clone())),
            Ok(wanted) if wanted.domain == *own => Err(Problem::new(
                "OwnTrustDomain",
                format!(
                    "{own} is the trust domain of this signer, whose bundle is known: who published another one for it \
                     could make its identities; delete this object"
                ),
            )),
            Ok(wanted) => {
                let name = bundle_name(&wanted.domain);
                if let Some((holder, domain)) = holders.get(&name) {
                    Err(conflicted(holder, domain, wanted))
                } else {
                    holders.insert(name, (&seen.name, &wanted.domain));
                    Ok(wanted)
                }
            }
        };
        verdicts.insert(seen.name.as_str(), verdict);
    }
    verdicts
}

fn conflicted(holder: &str, domain: &TrustDomain, wanted: &Wanted) -> Problem {
    let why = if *domain == wanted.domain {
        format!("{holder}, which is older, is for the trust domain {domain} already: delete one of the two")
    } else {
        format!(
            "{holder}, which is older, is for the trust domain {domain}, and a ClusterTrustBundle could not tell it from \
             {}: delete one of the two",
            wanted.domain
        )
    };
    Problem::new("Conflicted", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, domain: &str, second: i64) -> Seen {
        Seen {
            name: name.to_owned(),
            uid: name.to_owned(),
            generation: Some(1),
            created: jiff::Timestamp::from_second(second).unwrap(),
            status: None,
            wanted: Ok(Wanted {
                domain: domain.parse().unwrap(),
                url: "https://example.com".to_owned(),
                ca_bundle: None,
                refresh: None,
            }),
        }
    }

    #[test]
    fn the_older_holds() {
        let own = "example.org".parse().unwrap();
        let mut bad = seen("bad", "x", 0);
        bad.wanted = Err("spec.trustDomain: no".to_owned());
        let objects = [
            seen("newer", "example.com", 20),
            seen("older", "example.com", 10),
            seen("same-second", "example.com", 10),
            seen("own", "example.org", 1),
            seen("dash", "a-b", 5),
            seen("underscore", "a_b", 6),
            bad,
        ];
        let verdicts = verdicts(&own, &objects);
        let reasons: Vec<_> = verdicts
            .iter()
            .map(|(name, verdict)| {
                (
                    *name,
                    verdict.as_ref().map_or_else(|problem| problem.reason, |_| "holds"),
                )
            })
            .collect();
        assert_eq!(
            reasons,
            [
                ("bad", "Invalid"),
                ("dash", "holds"),
                ("newer", "Conflicted"),
                ("older", "holds"),
                ("own", "OwnTrustDomain"),
                ("same-second", "Conflicted"),
                ("underscore", "Conflicted"),
            ]
        );
        assert!(verdicts["newer"].as_ref().unwrap_err().message.starts_with("older, "));
    }
}
