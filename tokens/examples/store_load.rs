//! How fast the store is: values used once, refresh tokens rotated, handles looked up, revocations; on SQLite, or on a
//! PostgreSQL server of its own, after as many refresh tokens and revocations as asked for were put there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    dead_code,
    missing_docs,
    reason = "a measurement tells what it measured, and ends if it cannot"
)]

#[path = "../tests/common/postgres.rs"]
mod postgres;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use countersign_runtime::clock;
use countersign_tokens::store::{
    Digest, Family, FamilyId, Once, Options, Revocation, RevocationKind, Rotation, Store, Use,
};
use futures::future::try_join_all;
use sha2::{Digest as _, Sha256};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://tokens.example";

#[derive(Parser)]
struct Arguments {
    /// On PostgreSQL instead of SQLite.
    #[arg(long)]
    postgres: bool,
    /// How many operations of each kind.
    #[arg(long, default_value_t = 20_000)]
    number: u32,
    /// How many callers there are at once.
    #[arg(long, default_value_t = 32)]
    callers: u32,
    /// How many refresh tokens live already (PostgreSQL alone).
    #[arg(long, default_value_t = 0)]
    tokens: u32,
    /// How many revocations there are already (PostgreSQL alone).
    #[arg(long, default_value_t = 0)]
    revocations: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let place = tempfile::tempdir()?;
    let server = arguments.postgres.then(postgres::Server::start);
    let url = match &server {
        Some(server) => server.database("load"),
        None => format!("sqlite:{}/store.db", place.path().display()),
    };
    let store = Store::open(&url, &Options::default()).await?;
    if let Some(server) = &server {
        fill(server, &arguments);
    }
    println!("{store:?}, {} callers", arguments.callers);
    let load = Load { store, arguments };
    load.measure("use_once", |store, caller, number| async move {
        let until = NOW + i64::from(number % 300);
        ensure!(
            store
                .use_once(Once::Assertion, digest("jti", caller, number), until)
                .await?
        );
        Ok(())
    })
    .await?;
    load.begin().await?;
    load.measure("rotate", rotate).await?;
    load.measure("put_token", |store, caller, number| async move {
        let claims = r#"{"sub":"alice","scope":"orders:read","aud":"https://orders.example"}"#;
        store
            .put_token(digest("handle", caller, number), claims.to_owned(), None, NOW + 300)
            .await?;
        Ok(())
    })
    .await?;
    load.measure("token", |store, caller, number| async move {
        ensure!(store.token(digest("handle", caller, number), NOW).await?.is_some());
        Ok(())
    })
    .await?;
    load.measure("revoke", |store, caller, number| async move {
        store.revoke(revocation(format!("{caller}-{number}"))).await?;
        Ok(())
    })
    .await?;
    load.measure("revocations_since", |store, _, number| async move {
        let news = store
            .revocations_since(ISSUER.to_owned(), u64::from(number), NOW, 10)
            .await?;
        ensure!(!news.is_empty());
        Ok(())
    })
    .await?;
    load.measure("sweep of 100", |store, _, _| async move {
        store.sweep(NOW + 300, 100).await?;
        Ok(())
    })
    .await
}

struct Load {
    store: Store,
    arguments: Arguments,
}

impl Load {
    /// Lets each caller act one time after another, and says how many acts there were in a second and how long they took.
    async fn measure<F>(&self, name: &str, act: impl Fn(Store, u32, u32) -> F + Send + Sync + 'static) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let each = self.arguments.number / self.arguments.callers;
        let act = Arc::new(act);
        let start = clock::instant();
        let callers = (0..self.arguments.callers).map(|caller| {
            let (store, act) = (self.store.clone(), Arc::clone(&act));
            tokio::spawn(async move {
                let mut times = Vec::new();
                for number in 0..each {
                    let start = clock::instant();
                    act(store.clone(), caller, number).await?;
                    times.push(start.elapsed());
                }
                Ok::<_, anyhow::Error>(times)
            })
        });
        let mut times = Vec::new();
        for caller in try_join_all(callers).await? {
            times.extend(caller?);
        }
        report(name, start.elapsed(), times);
        Ok(())
    }

    async fn begin(&self) -> Result<()> {
        for caller in 0..self.arguments.callers {
            let family = Family {
                id: FamilyId(Sha256::digest(caller.to_be_bytes())[..16].try_into()?),
                issuer: ISSUER.to_owned(),
                client: "shop/web".to_owned(),
                subject: "alice".to_owned(),
                data: r#"{"scope":"orders:read"}"#.to_owned(),
                created: NOW,
                absolute_end: NOW + 1_000_000,
                idle_end: NOW + 100_000,
            };
            self.store
                .begin_family(family, Some(digest("refresh", caller, 0)))
                .await?;
        }
        Ok(())
    }
}

async fn rotate(store: Store, caller: u32, number: u32) -> Result<()> {
    let with = Use {
        digest: digest("refresh", caller, number),
        next: digest("refresh", caller, number + 1),
        issuer: ISSUER.to_owned(),
        client: "shop/web".to_owned(),
        proof_key: Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned()),
        now: NOW,
        idle: 100_000,
        grace: 10,
    };
    let rotation = store.rotate(with).await?;
    ensure!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
    Ok(())
}

fn revocation(value: String) -> Revocation {
    Revocation {
        kind: RevocationKind::Jti,
        issuer: ISSUER.to_owned(),
        value,
        issued_before: None,
        until: NOW + 1000,
        at: NOW,
    }
}

fn digest(what: &str, caller: u32, number: u32) -> Digest {
    Sha256::digest(format!("{what} {caller} {number}")).into()
}

fn report(name: &str, whole: Duration, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    let rate = times.len() as f64 / whole.as_secs_f64();
    println!("{name:<18} {rate:>9.0} a second, p50 {:?}, p99 {:?}", at(50), at(99));
}

/// Families with a refresh token each, and revocations, as if they had come one by one.
fn fill(server: &postgres::Server, arguments: &Arguments) {
    let Arguments {
        tokens, revocations, ..
    } = arguments;
    let id = "substring(sha256(('family ' || n)::bytea) for 16)";
    for sql in [
        format!(
            "INSERT INTO families (id, issuer, client, subject, data, created_at, absolute_end, forget_at) \
             SELECT {id}, '{ISSUER}', 'shop/' || n % 100, 'user ' || n, '{{\"scope\":\"orders:read\"}}', {NOW}, \
             {NOW} + 1000000, {NOW} + 1086400 FROM generate_series(1, {tokens}) n"
        ),
        format!(
            "INSERT INTO refresh_tokens (digest, family, ends_at) \
             SELECT sha256(('token ' || n)::bytea), {id}, {NOW} + 1000 + n % 100000 FROM generate_series(1, {tokens}) n"
        ),
        format!(
            "INSERT INTO revocations (issuer, kind, value, revoked_at, ends_at, sequence) \
             SELECT '{ISSUER}', 1, 'jti ' || n, {NOW}, {NOW} + 1000 + n % 3600, n FROM generate_series(1, {revocations}) n"
        ),
        format!("INSERT INTO counters (issuer, name, value) VALUES ('{ISSUER}', 'revocations', {revocations})"),
        "VACUUM ANALYZE".to_owned(),
    ] {
        server.sql("load", &sql);
    }
}
