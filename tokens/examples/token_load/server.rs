//! The server: the service as it runs in a cluster, but for Kubernetes.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use countersign_runtime::clock;
use countersign_runtime::records::ExportFlags;
use countersign_runtime::telemetry::{self, LogFormat};
use countersign_tokens::mint::Handle;
use countersign_tokens::service::digest;
use countersign_tokens::store::{Family, FamilyId, Options, Store};
use futures::{StreamExt as _, TryStreamExt as _};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::orders::{Beginning, Order, Raw, Ready};
use crate::requests::{CLIENT, ORDERS};
use crate::rig::{Rig, Setup};

/// How often a signature and a verification are measured, each time.
const RAW: u32 = 3000;
/// As many bytes as are signed for an access token.
const SIGNED: [u8; 480] = [7; 480];

pub fn main() -> Result<()> {
    let _records = telemetry::start("countersign-tokens", LogFormat::Json, &ExportFlags::default())?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build()?;
    let mut lines = std::io::stdin().lock().lines();
    let beginning = lines.next().context("nothing says how to begin")??;
    let beginning: Beginning = serde_json::from_str(&beginning)?;
    let rig = Arc::new(runtime.block_on(begin(beginning))?);
    runtime.spawn(keep_time(Arc::clone(&rig)));
    tell(&Ready {
        issuer: rig.issuer.clone(),
        ca: rig.ca_pem.clone(),
    })?;
    for line in lines {
        match serde_json::from_str(&line?)? {
            Order::Raw => tell(&raw()?)?,
            Order::Families { first, count } => tell(&runtime.block_on(families(&rig, first, count))?)?,
        }
    }
    Ok(())
}

fn tell(what: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(what)?;
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

async fn begin(beginning: Beginning) -> Result<Rig> {
    let options = Options {
        connections: beginning.connections,
        ..Options::default()
    };
    let store = Store::open(&beginning.store, &options).await?;
    let setup = Setup {
        manifests: beginning.manifests,
        store: Some(store),
        rates: (u32::MAX / 2, u32::MAX / 2),
        ..Setup::default()
    };
    Ok(Rig::start(setup).await)
}

/// Lets the clock of the rig, which stands still for tests, go on.
async fn keep_time(rig: Arc<Rig>) {
    loop {
        rig.pass(clock::now().as_second() - rig.now());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Keeps families, and gives their refresh tokens.
async fn families(rig: &Rig, first: usize, count: usize) -> Result<Vec<String>> {
    /// As many as the writer takes for one commit.
    const AT_ONCE: usize = 256;
    let now = rig.now();
    let granted = json!({
        "audience": ORDERS, "scopes": ["orders.read"], "authTime": now, "subject": "user:alice", "key": null,
    });
    let granted = granted.to_string();
    let kept = (first..first + count).map(|number| {
        let random: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
        let token = Handle::Refresh.text(&random);
        let mut id = [0; 16];
        id.copy_from_slice(&random[..16]);
        let family = Family {
            id: FamilyId(id),
            issuer: rig.issuer.clone(),
            client: CLIENT.to_owned(),
            subject: "user:alice".to_owned(),
            data: granted.clone(),
            created: now,
            absolute_end: now + 86_400,
            idle_end: now + 3600,
        };
        let digest = digest(&["refresh", &rig.issuer, &token]);
        async move {
            rig.service.store.begin_family(family, Some(digest)).await?;
            anyhow::Ok(token)
        }
    });
    futures::stream::iter(kept).buffered(AT_ONCE).try_collect().await
}

/// What the processor does of itself.
fn raw() -> Result<Raw> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref())?;
    let signature = key.sign(&random, &SIGNED)?;
    Ok(Raw {
        sign: each(|| {
            std::hint::black_box(key.sign(&random, &SIGNED)).unwrap();
        })?,
        verify: each(|| std::hint::black_box(public.verify_sig(&SIGNED, signature.as_ref())).unwrap())?,
    })
}

/// How much of the processor's time something takes, in microseconds.
fn each(mut what: impl FnMut()) -> Result<f64> {
    let begin = used()?;
    for _ in 0..RAW {
        what();
    }
    Ok((used()? - begin) / f64::from(RAW))
}

fn used() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64)
}
