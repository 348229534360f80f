//! Who asks: a Pod, as the API server says of its token, and as it is now.

use k8s_openapi::api::authentication::v1::TokenReviewStatus;

use super::account::Account;
use super::cluster::PodView;
use super::refusal::Refusal;

/// The user name of a service account begins with this.
const ACCOUNT: &str = "system:serviceaccount:";
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";

/// A Pod, by the token that it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The service account.
    pub account: Account,
    /// The Pod's name; it is in the account's namespace.
    pub pod: String,
    /// The Pod's UID: names are used again, this is not.
    pub pod_uid: String,
}

impl Caller {
    /// Who a token is of.
    ///
    /// # Errors
    ///
    /// If the API server did not accept it for the audience, or it is not bound to a Pod.
    pub fn of(review: &TokenReviewStatus, audience: &str) -> Result<Self, Refusal> {
        // An API server that does not know of audiences names none, and then the token may be for anyone.
        let meant = review.audiences.iter().flatten().any(|named| named == audience);
        if review.authenticated != Some(true) || !meant {
            return Err(Refusal::NotAccepted(audience.to_owned()));
        }
        let user = review.user.as_ref().ok_or(Refusal::NotAnAccount)?;
        let name = user.username.as_deref().and_then(|name| name.strip_prefix(ACCOUNT));
        let (namespace, name) = name
            .and_then(|name| name.split_once(':'))
            .ok_or(Refusal::NotAnAccount)?;
        if namespace.is_empty() || name.is_empty() {
            return Err(Refusal::NotAnAccount);
        }
        let extra = |key| {
            let values = user.extra.as_ref().and_then(|extra| extra.get(key));
            match values.map(Vec::as_slice) {
                Some([value]) if !value.is_empty() => Ok(value.clone()),
                _ => Err(Refusal::Unbound),
            }
        };
        Ok(Self {
            account: Account {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
            pod: extra(POD_NAME)?,
            pod_uid: extra(POD_UID)?,
        })
    }

    /// Compares with the Pod of that name as it is now.
    ///
    /// # Errors
    ///
    /// If it is another, of another account, or not alive.
    pub fn check(&self, now: Option<&PodView>) -> Result<(), Refusal> {
        let pod = now.ok_or(Refusal::Gone)?;
        if pod.uid != self.pod_uid || pod.name != self.pod {
            return Err(Refusal::Gone);
        }
        if pod.account != self.account {
            return Err(Refusal::OtherAccount);
        }
        if pod.live { Ok(()) } else { Err(Refusal::Ended) }
    }
}
