//! Tests of one process that share something of the cluster, or have it to themselves.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static TURNS: RwLock<()> = RwLock::const_new(());

/// What most tests do beside each other. Whoever takes away what they share is alone.
pub struct Turn {
    _shared: Option<RwLockReadGuard<'static, ()>>,
    _alone: Option<RwLockWriteGuard<'static, ()>>,
}

impl Turn {
    /// Beside other tests.
    pub async fn shared() -> Self {
        Self {
            _shared: Some(TURNS.read().await),
            _alone: None,
        }
    }

    /// With no other test under way.
    pub async fn alone() -> Self {
        Self {
            _shared: None,
            _alone: Some(TURNS.write().await),
        }
    }
}
