//! What the token service does in a second on one processor, over TLS, beside how often that processor signs and verifies at
//! all. `make bench-tokens`.
//!
//! The server is a process of its own on the first processor; the load comes from the second, where PostgreSQL runs too. What
//! clients sign is signed before anything is measured. A wrong answer ends it. With `--hydra PROGRAM` Ory Hydra stands in the
//! server's place for one of the grants.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measurement tells what it measured, and ends if it cannot"
)]

mod client;
mod hydra;
mod many;
mod measured;
mod orders;
mod process;
mod requests;
#[path = "../../tests/rig/mod.rs"]
mod rig;
mod server;
mod table;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::client::Load;
use crate::hydra::Place;
use crate::many::Many;
use crate::measured::Measured;
use crate::orders::Beginning;
use crate::process::Server;
use crate::requests::{Kind, Partner};
use crate::rig::store::postgres;

/// The processor of the server, and that of the load.
const SERVER: usize = 0;
const LOAD: usize = 1;

#[derive(Parser)]
struct Arguments {
    /// How many requests of each kind are measured. A tenth as many go before them.
    #[arg(long, default_value_t = 10_000)]
    number: usize,
    /// How many requests are under way at a time, each on a connection of its own.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    /// What is measured, by the first letters of its name; everything by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Remember things in a PostgreSQL server instead of SQLite.
    #[arg(long)]
    postgres: bool,
    /// How many connections to the store there are at most.
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Measure again beside so many live refresh tokens: needs PostgreSQL.
    #[arg(long, default_value_t = 0, requires = "postgres")]
    families: u64,
    /// Measure again beside so many revocations: needs PostgreSQL.
    #[arg(long, default_value_t = 0, requires = "postgres")]
    revocations: u64,
    /// This program of Ory's Hydra for comparison: `scripts/peers hydra` builds it.
    #[arg(long)]
    hydra: Option<PathBuf>,
    /// Be the server.
    #[arg(long, hide = true)]
    serve: bool,
}

impl Arguments {
    /// Whether a kind is asked for.
    fn wants(&self, kind: Kind) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| kind.name().starts_with(only.as_str()))
    }

    /// Says what is measured.
    fn print(&self) {
        let store = if self.postgres { "PostgreSQL" } else { "SQLite on disk" };
        let at_once = self.at_once;
        println!("The token service on one processor, over TLS, {at_once} requests at a time, with {store}.");
        if !self.wants(Kind::Credentials) {
            return;
        }
        if self.hydra.is_some() {
            println!(
                "Hydra after it in the same way, with PostgreSQL on the other processor, ES256 in and out, and no record of requests."
            );
        } else {
            println!(
                "Without Hydra beside it: for that `scripts/peers hydra` builds it, and `--hydra` says where it is."
            );
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let processor = if arguments.serve { SERVER } else { LOAD };
    // Before any thread is there: all of them inherit it.
    stay_on(processor).with_context(|| format!("two processors are needed, and number {processor} cannot be had"))?;
    if arguments.serve {
        server::main()
    } else {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(load(&arguments))
    }
}

fn stay_on(processor: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

async fn load(arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let needed = arguments.postgres || arguments.hydra.is_some();
    let database = needed.then(postgres::Server::start);
    let store = match &database {
        Some(database) if arguments.postgres => database.database("tokens"),
        _ => format!("sqlite:{}", folder.path().join("tokens.db").display()),
    };
    let partner = Partner::default();
    let beginning = Beginning {
        manifests: partner.manifests(),
        store,
        connections: arguments.connections,
    };
    let mut server = Server::start(&beginning, folder.path())?;
    let mut measured = Measured {
        load: Load::to(&server.ready)?,
        partner,
        arguments,
        families: 0,
    };
    arguments.print();
    let hydra = arguments.hydra.as_deref().zip(database.as_ref());
    let hydra = hydra.map(|(program, database)| Place {
        program,
        folder: folder.path(),
        database: database.database("hydra"),
        connections: 2 * arguments.at_once,
    });
    let table = measured.all(&mut server, hydra.as_ref()).await?;
    table.print();
    if let Some(database) = database.filter(|_| arguments.families + arguments.revocations > 0) {
        let many = Many {
            families: arguments.families,
            revocations: arguments.revocations,
            issuer: server.ready.issuer.clone(),
        };
        many.put(&database, "tokens");
        println!(
            "\nBeside {} live refresh tokens and {} revocations:",
            many.families, many.revocations
        );
        let beside = measured.all(&mut server, None).await?;
        beside.print();
        beside.print_against(&table);
    }
    server.end()
}
