//! Which version of a young kind of `certificates.k8s.io` the API server has.

use countersign_runtime::client::CALL_LIMIT;
use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use tokio::time::timeout;

const GROUP: &str = "certificates.k8s.io";
/// The newest first.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// The API server did not say what it has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoveryError {
    /// It answered something else, or could not be reached.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// It did not answer.
    #[error("the API server does not answer")]
    NoAnswer,
}

/// The kind in the newest version that the API server has; none if it has none.
///
/// # Errors
///
/// If it does not say. An older version must not be taken because the newer one could not be asked for.
pub(crate) async fn newest(client: &Client, kind: &str, plural: &str) -> Result<Option<ApiResource>, DiscoveryError> {
    for version in VERSIONS {
        let group_version = format!("{GROUP}/{version}");
        let asked = timeout(CALL_LIMIT, client.list_api_group_resources(&group_version));
        match asked.await.map_err(|_| DiscoveryError::NoAnswer)? {
            Ok(listed) if listed.resources.iter().any(|resource| resource.name == plural) => {
                let kind = GroupVersionKind::gvk(GROUP, version, kind);
                return Ok(Some(ApiResource::from_gvk_with_plural(&kind, plural)));
            }
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
