//! `testbed`: builds a Kubernetes cluster from packages, runs commands in it, and leaves nothing behind.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use e2e::cluster::sandbox::Sandbox;
use e2e::cluster::{MeshAuthority, Plan, background, harness, images, janitor};
use e2e::tools::{self, Scope};

/// A real cluster, from packages, in one set of namespaces.
#[derive(Parser)]
#[command(version)]
enum Cli {
    /// Checks prerequisites and builds every program into the cache.
    Tools {
        #[command(flatten)]
        size: Size,
        /// The minor version of the API server.
        #[arg(long, value_name = "1.36")]
        kubernetes: Option<String>,
    },
    /// Brings a cluster up, runs a command in it, and ends it.
    Run(Run),
    /// Brings a cluster up in the background.
    Up(Cluster),
    /// Runs a command, or a shell, in the cluster in the background.
    Shell {
        /// The command and its arguments.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Ends the cluster in the background.
    Down,
    /// Builds an image with buildah.
    Image(Image),
    #[command(flatten)]
    Hidden(Hidden),
}

#[derive(Subcommand)]
#[command(hide = true)]
enum Hidden {
    /// The first process inside.
    #[command(hide = true)]
    Init { plan: PathBuf },
    /// What the first process starts.
    #[command(hide = true)]
    Harness { plan: PathBuf },
    /// Cleans up when its standard input is closed.
    #[command(hide = true)]
    Janitor {
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        cgroup: String,
    },
}

#[derive(Args, Clone, Copy)]
struct Size {
    /// etcd and the API server only.
    #[arg(long, conflicts_with = "istio")]
    light: bool,
    /// With Istio.
    #[arg(long)]
    istio: bool,
    /// Have Countersign's signer be Istio's certificate authority: its chart is installed before Istio. Its image must be given.
    #[arg(long, requires = "istio")]
    countersign: bool,
}

impl Size {
    fn mesh_authority(self) -> MeshAuthority {
        if self.countersign {
            MeshAuthority::Countersign
        } else {
            MeshAuthority::Istiod
        }
    }

    fn scope(self) -> Scope {
        match self {
            Self { light: true, .. } => Scope::Light,
            Self { istio: true, .. } => Scope::Istio,
            Self { .. } => Scope::Full,
        }
    }
}

#[derive(Args)]
struct Cluster {
    #[command(flatten)]
    size: Size,
    /// An image archive for the node, as `testbed image` makes it. May be given several times.
    #[arg(long = "image", value_name = "FILE.tar")]
    images: Vec<PathBuf>,
    /// The minor version of the API server.
    #[arg(long, value_name = "1.36")]
    kubernetes: Option<String>,
}

impl Cluster {
    fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        arguments.extend(self.size.light.then(|| "--light".to_owned()));
        arguments.extend(self.size.istio.then(|| "--istio".to_owned()));
        arguments.extend(self.size.countersign.then(|| "--countersign".to_owned()));
        arguments.extend(self.images.iter().map(|image| format!("--image={}", image.display())));
        arguments.extend(self.kubernetes.iter().map(|version| format!("--kubernetes={version}")));
        arguments
    }
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    cluster: Cluster,
    /// Where to write down the whereabouts of the testbed.
    #[arg(long, hide = true)]
    state: Option<PathBuf>,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[derive(Args)]
struct Image {
    /// The folder that the Containerfile copies from.
    #[arg(long)]
    context: PathBuf,
    /// The Containerfile.
    #[arg(long)]
    file: PathBuf,
    /// The image's name.
    #[arg(long)]
    tag: String,
    /// The archive to write.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> ExitCode {
    match cli(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::from(125)
        }
    }
}

fn cli(command: Cli) -> Result<u8> {
    match command {
        Cli::Tools { size, kubernetes } => {
            let tools = tools::ensure(size.scope(), kubernetes.as_deref())?;
            images::own(size.scope(), &tools)?;
        }
        Cli::Run(arguments) => return run(arguments),
        Cli::Up(cluster) => background::up(&cluster.arguments())?,
        Cli::Shell { command } => return background::enter(&command),
        Cli::Down => background::down()?,
        Cli::Image(image) => images::build(&image.context, &image.file, &image.tag, &image.out)?,
        Cli::Hidden(Hidden::Init { plan }) => return harness::init(&plan),
        Cli::Hidden(Hidden::Harness { plan }) => return harness::run(&plan),
        Cli::Hidden(Hidden::Janitor { data, cgroup }) => janitor::run(&data, &cgroup)?,
    }
    Ok(0)
}

fn run(arguments: Run) -> Result<u8> {
    let scope = arguments.cluster.size.scope();
    let tools = tools::ensure(scope, arguments.cluster.kubernetes.as_deref())?;
    let mut images = images::own(scope, &tools)?;
    for image in arguments.cluster.images {
        images.push(std::fs::canonicalize(&image).map_err(|error| anyhow::anyhow!("{}: {error}", image.display()))?);
    }
    let sandbox = Sandbox::create()?;
    let plan = Plan {
        scope,
        mesh_authority: arguments.cluster.size.mesh_authority(),
        tools,
        images,
        data: sandbox.data(),
        cgroup: sandbox.cgroup(),
        command: arguments.command,
    };
    sandbox.run(&plan, |whereabouts| {
        if let Some(state) = &arguments.state {
            std::fs::write(state, serde_json::to_vec_pretty(whereabouts)?)?;
        }
        Ok(())
    })
}
