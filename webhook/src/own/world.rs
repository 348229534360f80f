//! Reads what a change of a policy, an identity, an issuer, a client or a revocation has to be seen with.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::{ApiAuthPolicy, ServiceIdentity, TokenClient, TokenIssuer};
use countersign_policy::admission::{Change, Kind};
use countersign_policy::model::{Caller, Callers};
use countersign_policy::parse::{self, ParsedPolicy};
use countersign_policy::tokens;
use countersign_policy::world::{GatewayFacts, HttpRouteFacts, NamespaceFacts, ServiceFacts};
use countersign_policy::{MapWorld, ObjectName};
use futures::future::try_join_all;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta};
use kube::{Api, Client};

/// In how many namespaces policies are looked at that name an identity or an issuer. That is for warnings alone.
const MOST_NAMESPACES: usize = 16;

/// What was read.
#[derive(Debug, Default)]
pub struct Gathered {
    /// It.
    pub(super) map: MapWorld,
    /// Namespaces with policies that name the object, and that were not looked at.
    more: usize,
}

impl Gathered {
    /// What whoever asks should know of what was not looked at.
    pub(super) fn left_out(&self) -> Option<String> {
        (self.more > 0).then(|| {
            format!(
                "policies of {} more namespaces name it, which were not looked at",
                self.more
            )
        })
    }
}

/// What cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{plural}: {source}")]
pub(super) struct GatherError {
    plural: String,
    source: kube::Error,
}

/// Reads what a change has to be seen with. The object itself is left out: the change has it.
pub(super) async fn gather(client: &Client, change: &Change<'_>) -> Result<Gathered, GatherError> {
    let reader = Reader { client };
    let mut gathered = Gathered::default();
    let namespaces = match change.kind {
        Kind::ApiAuthPolicy => BTreeSet::from([change.name.namespace.clone()]),
        // A new one breaks nothing.
        Kind::ServiceIdentity | Kind::TokenIssuer if change.old.is_none() => BTreeSet::new(),
        Kind::ServiceIdentity | Kind::TokenIssuer => {
            let policies = reader.list(policies(), None).await?;
            let naming = policies.iter().map(policy).filter(|policy| names(policy, change));
            naming.map(|policy| policy.name.namespace).collect()
        }
        // No policy names them.
        Kind::TokenClient | Kind::TokenRevocation => BTreeSet::new(),
    };
    gathered.more = namespaces.len().saturating_sub(MOST_NAMESPACES);
    let parts = namespaces
        .iter()
        .take(MOST_NAMESPACES)
        .map(|namespace| reader.namespace(namespace));
    let (parts, issuers, clients) = tokio::try_join!(
        try_join_all(parts),
        reader.list_if(!namespaces.is_empty() || needs_issuers(change), issuers()),
        reader.list_if(change.kind == Kind::TokenIssuer && change.old.is_some(), clients()),
    )?;
    let map = &mut gathered.map;
    for client in clients {
        let name = name(&client.metadata);
        map.token_clients
            .insert(name.clone(), tokens::client(name, &client.data["spec"]));
    }
    for part in parts {
        map.namespaces.extend(part.namespaces);
        map.services.extend(part.services);
        map.gateways.extend(part.gateways);
        map.http_routes.extend(part.http_routes);
        map.policies.extend(part.policies);
    }
    for issuer in issuers {
        let name = name(&issuer.metadata).name;
        let parsed = parse::token_issuer(&name, &issuer.data["spec"], &issuer.data["status"]);
        map.token_issuers.insert(name, parsed);
    }
    let mut homes: BTreeSet<String> = map
        .policies
        .values()
        .flat_map(identities)
        .map(|name| name.namespace)
        .collect();
    if let (Kind::ApiAuthPolicy, Some(new)) = (change.kind, change.new) {
        let parsed = parse::policy(change.name.clone(), &new["spec"]);
        homes.extend(identities(&parsed).into_iter().map(|name| name.namespace));
    }
    if change.kind == Kind::ServiceIdentity {
        // One of them may hold the same service account.
        homes.insert(change.name.namespace.clone());
    }
    let found = try_join_all(homes.iter().map(|home| reader.identities(home))).await?;
    map.service_identities.extend(found.into_iter().flatten());
    Ok(gathered)
}

struct Reader<'a> {
    client: &'a Client,
}

fn policies() -> ApiResource {
    ApiResource::erase::<ApiAuthPolicy>(&())
}

fn issuers() -> ApiResource {
    ApiResource::erase::<TokenIssuer>(&())
}

fn clients() -> ApiResource {
    ApiResource::erase::<TokenClient>(&())
}

/// Whether a change is judged with issuers, whatever policies there are.
fn needs_issuers(change: &Change<'_>) -> bool {
    match change.kind {
        Kind::TokenClient | Kind::TokenIssuer | Kind::TokenRevocation => change.new.is_some(),
        Kind::ServiceIdentity => change.new.is_some_and(|new| !new["spec"]["tokens"].is_null()),
        Kind::ApiAuthPolicy => false,
    }
}

impl Reader<'_> {
    /// What is in a namespace, but for its identities.
    async fn namespace(&self, name: &str) -> Result<MapWorld, GatherError> {
        let route = |kind, plural| resource("gateway.networking.k8s.io", "v1", kind, plural);
        let (meta, services, gateways, routes, policies) = tokio::try_join!(
            self.metadata(name),
            self.list(resource("", "v1", "Service", "services"), Some(name)),
            self.list(route("Gateway", "gateways"), Some(name)),
            self.list(route("HTTPRoute", "httproutes"), Some(name)),
            self.list(policies(), Some(name)),
        )?;
        let mut world = MapWorld::default();
        if let Some(meta) = meta {
            let facts = NamespaceFacts::read(&meta.labels.unwrap_or_default());
            world.namespaces.insert(name.to_owned(), facts);
        }
        let nothing = BTreeMap::new();
        for object in &services {
            let labels = object.metadata.labels.as_ref().unwrap_or(&nothing);
            let facts = ServiceFacts::read(labels, &object.data["spec"]);
            world.services.insert(self::name(&object.metadata), facts);
        }
        for object in &gateways {
            let facts = GatewayFacts::read(&object.data["spec"]);
            world.gateways.insert(self::name(&object.metadata), facts);
        }
        for object in &routes {
            let facts = HttpRouteFacts::read(name, &object.data["spec"]);
            world.http_routes.insert(self::name(&object.metadata), facts);
        }
        world.policies = policies
            .iter()
            .map(|object| (self::name(&object.metadata), policy(object)))
            .collect();
        Ok(world)
    }

    async fn metadata(&self, namespace: &str) -> Result<Option<ObjectMeta>, GatherError> {
        let api: Api<DynamicObject> =
            Api::all_with(self.client.clone(), &resource("", "v1", "Namespace", "namespaces"));
        let found = api.get_metadata_opt(namespace).await;
        found
            .map(|found| found.map(|found| found.metadata))
            .map_err(|source| GatherError {
                plural: "namespaces".to_owned(),
                source,
            })
    }

    async fn identities(&self, namespace: &str) -> Result<Vec<(ObjectName, parse::ParsedIdentity)>, GatherError> {
        let found = self
            .list(ApiResource::erase::<ServiceIdentity>(&()), Some(namespace))
            .await?;
        let read = found.iter().map(|object| {
            let name = name(&object.metadata);
            let created = object.metadata.creation_timestamp.as_ref();
            let created = created.map_or(Timestamp::MAX, |time| time.0);
            (
                name.clone(),
                parse::service_identity(name, &object.data["spec"], created),
            )
        });
        Ok(read.collect())
    }

    /// All objects of a kind, if they are needed.
    async fn list_if(&self, needed: bool, resource: ApiResource) -> Result<Vec<DynamicObject>, GatherError> {
        if needed {
            self.list(resource, None).await
        } else {
            Ok(Vec::new())
        }
    }

    /// All objects of a kind, in a namespace or everywhere. None, if the cluster does not serve the kind.
    async fn list(&self, resource: ApiResource, namespace: Option<&str>) -> Result<Vec<DynamicObject>, GatherError> {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        match api.list(&ListParams::default()).await {
            Ok(list) => Ok(list.items),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
            Err(source) => Err(GatherError {
                plural: resource.plural,
                source,
            }),
        }
    }
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

fn name(meta: &ObjectMeta) -> ObjectName {
    ObjectName::new(
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

fn policy(object: &DynamicObject) -> ParsedPolicy {
    parse::policy(name(&object.metadata), &object.data["spec"])
}

/// The identities that a policy names.
fn identities(policy: &ParsedPolicy) -> Vec<ObjectName> {
    let rules = policy.policy.as_ref().map_or(&[][..], |policy| policy.rules.as_slice());
    let callers = rules.iter().flat_map(|rule| match &rule.callers {
        Callers::AnyOf { callers, .. } => callers.as_slice(),
        Callers::Unauthenticated => &[],
    });
    callers
        .filter_map(|caller| match caller {
            Caller::Workload { identity, .. } => Some(identity.clone()),
            _ => None,
        })
        .collect()
}

/// Whether a policy names the object that changes.
fn names(policy: &ParsedPolicy, change: &Change<'_>) -> bool {
    match change.kind {
        Kind::ServiceIdentity => identities(policy).contains(&change.name),
        _ => policy.policy.as_ref().is_ok_and(|understood| {
            let mut sources = understood.jwt.iter();
            sources.any(|source| source.issuer == change.name.name)
        }),
    }
}
