//! The one `CertificateAuthority`.

use countersign_crds::certificate_authority::CertificateAuthorityStatus;
use countersign_crds::{CertificateAuthority, CertificateAuthoritySpec};
use countersign_runtime::client::CALL_LIMIT;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::timeout;
use tracing::info;

use super::store::FIELD_MANAGER;

/// Its name. Others of its kind have no effect.
pub const NAME: &str = "countersign";

/// Why it cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The API server refused it.
    #[error(transparent)]
    Api(#[from] Box<kube::Error>),
    /// No answer.
    #[error("the API server does not answer")]
    Late,
}

/// Writes it.
pub(super) struct Objects {
    api: Api<CertificateAuthority>,
}

impl Objects {
    pub(super) fn new(client: Client) -> Self {
        Self { api: Api::all(client) }
    }

    /// Makes the one with all defaults.
    pub(super) async fn create(&self) -> Result<(), ObjectError> {
        let object = CertificateAuthority::new(NAME, CertificateAuthoritySpec::default());
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            dry_run: false,
        };
        match timeout(CALL_LIMIT, self.api.create(&params, &object)).await {
            Ok(Ok(_)) => {
                info!(name = NAME, "made the CertificateAuthority");
                Ok(())
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(()),
            Ok(Err(error)) => Err(ObjectError::Api(Box::new(error))),
            Err(_) => Err(ObjectError::Late),
        }
    }

    /// Writes its status.
    pub(super) async fn write_status(&self, status: &CertificateAuthorityStatus) -> Result<(), ObjectError> {
        let patch = json!({
            "apiVersion": "countersign.dev/v1alpha1",
            "kind": "CertificateAuthority",
            "metadata": {"name": NAME},
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match timeout(CALL_LIMIT, self.api.patch_status(NAME, &params, &Patch::Apply(patch))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(ObjectError::Api(Box::new(error))),
            Err(_) => Err(ObjectError::Late),
        }
    }
}
