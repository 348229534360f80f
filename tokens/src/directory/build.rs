//! The directory, from what users wrote: pure, and total. What has a problem is not in it, so that nobody gets anything by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_identity::svid::Withdrawn;
use countersign_identity::{Bundle, TrustDomain};
use countersign_policy::holders::holders;
use countersign_policy::parse::{ParsedIdentity, Problem, token_issuer};
use countersign_policy::tokens::{self, ManagedIssuer, Workload};
use countersign_policy::world::ObjectName;
use serde_json::Value;

use super::{Directory, Issuer, Outside, Place};

/// A `TokenIssuer` as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuerObject {
    /// Its name.
    pub name: String,
    /// What the user wrote.
    pub spec: Value,
    /// What is said of it: the keys of one that is outside.
    pub status: Value,
}

/// A `TokenClient` as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientObject {
    /// Its name.
    pub name: ObjectName,
    /// What the user wrote.
    pub spec: Value,
}

/// All that the directory is made of.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The trust domain of the workloads.
    pub trust_domain: TrustDomain,
    /// All `TokenIssuer`s.
    pub issuers: Vec<IssuerObject>,
    /// All `TokenClient`s.
    pub clients: Vec<ClientObject>,
    /// All `ServiceIdentity`s.
    pub identities: Vec<ParsedIdentity>,
    /// The roots of the trust domain, once they are known.
    pub roots: Option<Arc<Bundle>>,
    /// Intermediates below them that are revoked.
    pub withdrawn: Arc<Withdrawn>,
}

/// What became of each object.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// What requests are judged by.
    pub directory: Directory,
    /// What is wrong with the managed issuers; nothing with those that are in the directory.
    pub issuers: BTreeMap<String, Vec<Problem>>,
    /// The same of clients.
    pub clients: BTreeMap<ObjectName, Vec<Problem>>,
    /// Why `ServiceIdentity`s get fewer tokens than they ask for, or none.
    pub workloads: BTreeMap<ObjectName, Vec<Problem>>,
}

/// Builds the directory. `now` is in seconds since 1970: client secrets end.
pub fn build(sources: &Sources, now: i64) -> Built {
    let mut built = Built::default();
    for object in &sources.issuers {
        if object.spec.get("managed").is_some_and(|managed| !managed.is_null()) {
            let problems = managed(object, &mut built.directory).err().unwrap_or_default();
            built.issuers.insert(object.name.clone(), problems);
        } else if let Ok(outside) = token_issuer(&object.name, &object.spec, &object.status).issuer {
            let outside = Outside {
                issuer: outside.id,
                keys: outside.keys,
                longest: outside.longest_token,
            };
            built.directory.outside.insert(object.name.clone(), outside);
        }
    }
    for object in &sources.clients {
        let problems = client(object, &mut built.directory, now).err().unwrap_or_default();
        built.clients.insert(object.name.clone(), problems);
    }
    workloads(sources, &mut built);
    built.directory.roots.clone_from(&sources.roots);
    built.directory.withdrawn.clone_from(&sources.withdrawn);
    built
}

fn managed(object: &IssuerObject, directory: &mut Directory) -> Result<(), Vec<Problem>> {
    let managed = tokens::managed_issuer(&object.name, &object.spec)?;
    let problem = |message: String| {
        vec![Problem {
            field: "spec.managed.issuer".to_owned(),
            message,
        }]
    };
    let place = Place::of(&managed.issuer, managed.mutual_tls_host.as_deref())
        .ok_or_else(|| problem("must be an https URL".to_owned()))?;
    // Tokens of two issuers with one name could not be told apart.
    if let Some(other) = directory
        .issuers
        .values()
        .find(|other| other.managed.issuer == managed.issuer)
    {
        return Err(problem(format!(
            "the TokenIssuer {} has it already; give each its own",
            other.managed.name
        )));
    }
    let clients = BTreeMap::new();
    directory.issuers.insert(
        object.name.clone(),
        Arc::new(Issuer {
            managed,
            place,
            clients,
        }),
    );
    Ok(())
}

fn client(object: &ClientObject, directory: &mut Directory, now: i64) -> Result<(), Vec<Problem>> {
    let client = tokens::client(object.name.clone(), &object.spec)?;
    let Some(issuer) = directory.issuers.get_mut(&client.issuer) else {
        return Err(vec![Problem {
            field: "spec.issuer".to_owned(),
            message: format!(
                "there is no TokenIssuer {} with `managed` that is in order",
                client.issuer
            ),
        }]);
    };
    let problems = problems(&client, &issuer.managed, now);
    if !problems.is_empty() {
        return Err(problems);
    }
    Arc::make_mut(issuer).clients.insert(client.id(), Arc::new(client));
    Ok(())
}

fn problems(client: &tokens::Client, issuer: &ManagedIssuer, now: i64) -> Vec<Problem> {
    let mut problems = tokens::check(client, issuer);
    problems.extend(tokens::secrets(client, now));
    problems
}

/// The oldest ServiceIdentity holds a service account, as it does for certificates.
fn workloads(sources: &Sources, built: &mut Built) {
    let holders = holders(&sources.identities);
    for parsed in &sources.identities {
        let held = holders.other(parsed).map_or(Ok(()), |holder| {
            Err(vec![Problem {
                field: "spec.serviceAccountName".to_owned(),
                message: format!(
                    "the older ServiceIdentity `{holder}` holds this service account; what that one may have counts"
                ),
            }])
        });
        let read = held.and_then(|()| tokens::workload_of(parsed, &sources.trust_domain));
        let problems = match read {
            Ok(read) => workload(&read, &mut built.directory),
            Err(problems) => problems,
        };
        built.workloads.insert(parsed.name.clone(), problems);
    }
}

/// Takes in a workload with what it can have. What one issuer cannot give does not take from another.
fn workload(read: &Workload, directory: &mut Directory) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut workload = read.clone();
    workload.tokens.retain(|name, _| {
        let found = match directory.issuers.get(name) {
            Some(issuer) => tokens::check_workload(read, &issuer.managed),
            None => vec![Problem {
                field: format!("spec.tokens[{name}].tokenIssuer"),
                message: format!("there is no TokenIssuer {name} with `managed` that is in order"),
            }],
        };
        let whole = found.is_empty();
        problems.extend(found);
        whole
    });
    let account = (workload.object.namespace.clone(), workload.service_account.clone());
    let workload = Arc::new(workload);
    directory
        .called
        .insert(workload.spiffe_id.to_string(), Arc::clone(&workload));
    directory.workloads.insert(account, workload);
    problems
}
