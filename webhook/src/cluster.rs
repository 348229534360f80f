//! What the webhook knows of the cluster: waivers, and the labels of namespaces.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use countersign_scan::{Action, Waivers};
use tracing::warn;

/// The namespace label with the most that is done about findings in it: `deny`, `warn` or `audit`.
pub const ADMISSION_LABEL: &str = "countersign.dev/admission";
/// The namespace label with the most that is done about literal values in its Secrets.
pub const LITERAL_SECRETS_LABEL: &str = "countersign.dev/literal-secrets";

/// The most that is done about findings in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// In any object.
    pub all: Action,
    /// In the values of Secrets.
    pub literal_secrets: Action,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            all: Action::Deny,
            literal_secrets: Action::Deny,
        }
    }
}

impl Caps {
    /// Reads a namespace's labels. A value that is none of the three changes nothing.
    pub fn of<'a>(name: &str, label: impl Fn(&str) -> Option<&'a str>) -> Self {
        let read = |key: &str| {
            let value = label(key)?;
            let action = action(value);
            if action.is_none() {
                warn!(
                    namespace = name,
                    label = key,
                    "not deny, warn or audit: the label is ignored"
                );
            }
            action
        };
        Self {
            all: read(ADMISSION_LABEL).unwrap_or(Action::Deny),
            literal_secrets: read(LITERAL_SECRETS_LABEL).unwrap_or(Action::Deny),
        }
    }
}

fn action(text: &str) -> Option<Action> {
    let named = [("deny", Action::Deny), ("warn", Action::Warn), ("audit", Action::Audit)];
    named
        .into_iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name))
        .map(|(_, action)| action)
}

/// What the webhook knows of the cluster. Reading it takes no time worth mentioning.
#[derive(Debug, Default)]
pub struct Cluster {
    /// Only of namespaces that say something.
    caps: RwLock<HashMap<String, Caps>>,
    waivers: ArcSwap<Waivers>,
}

impl Cluster {
    /// The most that is done about findings in a namespace.
    pub fn caps(&self, namespace: &str) -> Caps {
        let caps = self.caps.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        caps.get(namespace).copied().unwrap_or_default()
    }

    /// Takes in what a namespace says; what it no longer exists, or says nothing, is the default.
    pub fn set_caps(&self, namespace: &str, new: Caps) {
        let mut caps = self.caps.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if new == Caps::default() {
            caps.remove(namespace);
        } else {
            caps.insert(namespace.to_owned(), new);
        }
    }

    /// Takes in what all namespaces say.
    pub fn set_all_caps(&self, all: HashMap<String, Caps>) {
        let mut caps = self.caps.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *caps = all;
    }

    /// All waivers.
    pub fn waivers(&self) -> Arc<Waivers> {
        self.waivers.load_full()
    }

    /// Takes in all waivers.
    pub fn set_waivers(&self, waivers: Waivers) {
        self.waivers.store(Arc::new(waivers));
    }
}
