//! What the token service does in a second on one processor, over TLS, beside how often that processor signs and verifies at
//! all. `make bench-tokens`.
//!
//! The server is a process of its own on the first processor; the load comes from the second, where PostgreSQL runs too. What
//! clients sign is signed before anything is measured. A wrong answer ends it.
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
#[path = "../../tests/common/mod.rs"]
#[allow(dead_code, reason = "it takes its part of what tests share")]
mod common;
mod many;
mod orders;
mod process;
mod requests;
#[path = "../../tests/rig/mod.rs"]
mod rig;
mod server;
mod table;

use anyhow::{Context as _, Result};
use clap::Parser;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::client::Load;
use crate::common::postgres;
use crate::many::Many;
use crate::orders::Beginning;
use crate::process::Server;
use crate::requests::{Kind, Partner};
use crate::table::{Line, Table};

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
    /// Be the server.
    #[arg(long, hide = true)]
    serve: bool,
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
    let database = arguments.postgres.then(postgres::Server::start);
    let store = match &database {
        Some(database) => database.database("tokens"),
        None => format!("sqlite:{}", folder.path().join("tokens.db").display()),
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
    println!(
        "The token service on one processor, over TLS, {} requests at a time, with {}.",
        arguments.at_once,
        if arguments.postgres {
            "PostgreSQL"
        } else {
            "SQLite on disk"
        }
    );
    let table = measured.all(&mut server).await?;
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
        let beside = measured.all(&mut server).await?;
        beside.print();
        beside.print_against(&table);
    }
    server.end()
}

/// What is measured, one kind after the other.
struct Measured<'a> {
    load: Load,
    partner: Partner,
    arguments: &'a Arguments,
    /// How many refresh tokens were made.
    families: usize,
}

impl Measured<'_> {
    async fn all(&mut self, server: &mut Server) -> Result<Table> {
        let mut table = Table::default();
        for kind in Kind::ALL {
            let only = &self.arguments.only;
            if only.is_empty() || only.iter().any(|only| kind.name().starts_with(only.as_str())) {
                table.add(self.one(server, kind).await.with_context(|| kind.name())?);
            }
        }
        Ok(table)
    }

    async fn one(&mut self, server: &mut Server, kind: Kind) -> Result<Line> {
        let warming = self.arguments.number / 10;
        let number = warming + self.arguments.number * kind.times();
        let issuer = server.ready.issuer.clone();
        let about = match kind {
            Kind::Refresh => {
                let first = self.families;
                self.families += number;
                server.families(first, number)?
            }
            Kind::IntrospectJwt => self.tokens(&issuer, requests::ORDERS).await?,
            Kind::IntrospectOpaque => self.tokens(&issuer, requests::STOCK).await?,
            _ => Vec::new(),
        };
        let requests = self.partner.prepared(kind, &issuer, number, &about);
        let (first, then) = requests.split_at(warming);
        let mut connections = self.load.connect(self.arguments.at_once).await?;
        self.load.send(&mut connections, first, kind.answer()).await?;
        let before = server.raw()?;
        let busy = server.busy()?;
        let sent = self.load.send(&mut connections, then, kind.answer()).await?;
        let busy = server.busy()?.saturating_sub(busy);
        let after = server.raw()?;
        Ok(Line {
            name: kind.name(),
            sent,
            busy,
            raw: before.mean(&after),
            memory: server.memory()?,
        })
    }

    /// Tokens to be asked about.
    async fn tokens(&mut self, issuer: &str, audience: &str) -> Result<Vec<String>> {
        const TOKENS: usize = 100;
        let mut connections = self.load.connect(1).await?;
        let mut tokens = Vec::new();
        for _ in 0..TOKENS {
            let request = self.partner.credentials(issuer, audience);
            tokens.push(connections[0].token(&request).await?);
        }
        Ok(tokens)
    }
}
