//! A cluster in one set of namespaces: everything ends when its first process does.
//!
//! Outside is [`sandbox`]: it makes the data folder, the cgroups and the namespaces, and a janitor that removes them
//! whatever happens to us. Inside is [`harness`]: it starts the components and then the command.

pub mod background;
mod cgroups;
mod components;
mod control_plane;
mod diagnosis;
pub mod harness;
pub mod images;
mod istio;
pub mod janitor;
mod kubeconfig;
mod mesh_ca;
mod network;
mod node;
mod pki;
pub mod sandbox;
mod stage;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::tools::{Scope, Tools};

/// Who signs the certificates of the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeshAuthority {
    /// istiod, with an authority made for the testbed, which tests can sign with too.
    Istiod,
    /// Countersign's signer, of the chart in this checkout, which is installed first.
    Countersign,
}

/// What to bring up and what to run in it: the message from outside to inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// How much of a cluster.
    pub scope: Scope,
    /// Who signs the certificates of the mesh, if there is one.
    pub mesh_authority: MeshAuthority,
    /// The programs.
    pub tools: Tools,
    /// Image archives to import on the node.
    pub images: Vec<PathBuf>,
    /// The testbed's data folder.
    pub data: PathBuf,
    /// The name of the testbed's cgroup in every hierarchy.
    pub cgroup: String,
    /// The command and its arguments.
    pub command: Vec<String>,
}
