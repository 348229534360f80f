//! Ten thousand workloads that ask for their certificates through the API server, as kubelets do.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::{Testbed, chart};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};

use crate::process::Process;
use crate::{Figures, calls_of, per, step};

const AGENT: &str = "countersign-signer/";
const NAMESPACES: usize = 200;
/// How many objects are created at a time.
const CONCURRENCY: usize = 16;
/// How many requests a second when the time of each is taken: ten thousand within less than two minutes, where an hour was meant.
const PACE: u64 = 100;
/// How many requests are made at once when the signer's own cost is taken.
const BURST: usize = 2_000;

pub async fn measure(testbed: &Testbed, workloads: usize, figures: &mut Figures) -> Result<()> {
    chart::install_signer_account(testbed, &[]).await?;
    let asking = Asking::prepare(testbed.client(), workloads).await?;
    let signer = Process::signer(testbed).await?;
    signer.until_ready().await?;

    step("asks", &format!("for {workloads} certificates, {PACE} a second"));
    let (before, processor) = (calls_of(testbed, AGENT)?, signer.processor()?);
    let times = asking.ask(workloads, Some(PACE)).await?;
    figures.percentiles("signer_request_to_certificate", times);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let made = calls_of(testbed, AGENT)? - before;
    figures.put("signer_calls_per_certificate", per(made, workloads), "calls");
    let each = (signer.processor()? - processor) / count(workloads);
    figures.put("signer_processor_per_certificate", each * 1e6, "us");
    figures.put("signer_memory", signer.memory("VmRSS")?, "MiB");
    figures.put("signer_memory_peak", signer.memory("VmHWM")?, "MiB");

    step("asks", &format!("for {BURST} at once"));
    let (start, processor) = (Instant::now(), signer.processor()?);
    asking.ask(BURST.min(workloads), None).await?;
    let (passed, took) = (start.elapsed().as_secs_f64(), signer.processor()? - processor);
    let asked = count(BURST.min(workloads));
    figures.put(
        "signer_certificates_per_second",
        asked / passed,
        "1/s, API server and all on the same cores",
    );
    figures.put("signer_certificates_per_second_of_its_core", asked / took, "1/s");
    let signatures = signatures_per_second()?;
    figures.put("signatures_per_second", signatures, "1/s, ECDSA P-256 on one core");
    let share = 100.0 * asked / took / signatures;
    figures.put("signer_share_of_signatures", share, "% of those, API calls and all");
    signer.stop().await
}

/// How often one core signs as many bytes as a certificate has, with nothing else to do.
fn signatures_per_second() -> Result<f64> {
    let (key, message) = (KeyPair::generate()?, [7; 480]);
    let start = Instant::now();
    let mut made = 0;
    while start.elapsed() < Duration::from_secs(2) {
        for _ in 0..100 {
            std::hint::black_box(key.sign(&message)?);
        }
        made += 100;
    }
    Ok(count(made) / start.elapsed().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn count(of: usize) -> f64 {
    of as f64
}

/// Workloads, and the one request that each makes again and again.
struct Asking {
    client: Client,
    requests: ApiResource,
    bodies: Vec<Value>,
}

impl Asking {
    async fn prepare(client: Client, workloads: usize) -> Result<Self> {
        step("creates", &format!("{workloads} workloads in {NAMESPACES} namespaces"));
        let kind = GroupVersionKind::gvk("certificates.k8s.io", "v1", "PodCertificateRequest");
        let mut asking = Self {
            client,
            requests: ApiResource::from_gvk_with_plural(&kind, "podcertificaterequests"),
            bodies: Vec::new(),
        };
        let node = asking
            .create(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "bench"}}))
            .await?;
        let namespaces = (0..NAMESPACES.min(workloads)).map(|number| {
            let name = format!("signed-{number}");
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        });
        asking.create_all(namespaces).await?;
        let key = KeyPair::generate()?;
        let request = CertificateParams::default().serialize_request(&key)?;
        let request = STANDARD.encode(request.der());
        let made = (0..workloads).map(|number| asking.workload(number, &node, &request));
        asking.bodies = futures::stream::iter(made)
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        Ok(asking)
    }

    /// Makes what a workload is made of; gives its request.
    async fn workload(&self, number: usize, node: &DynamicObject, request: &str) -> Result<Value> {
        let (namespace, name) = (format!("signed-{}", number % NAMESPACES), format!("workload-{number}"));
        let metadata = json!({"name": name, "namespace": namespace});
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        let account = self.create(account).await?;
        self.create(json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": metadata,
            "spec": {"serviceAccountName": name},
        }))
        .await?;
        let pod = self
            .create(json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                "spec": {
                    "serviceAccountName": name, "nodeName": "bench", "automountServiceAccountToken": false,
                    "containers": [{"name": "main", "image": "none"}],
                },
            }))
            .await?;
        Ok(json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "PodCertificateRequest",
            "metadata": {"generateName": "bench-", "namespace": namespace},
            "spec": {
                "signerName": "countersign.dev/spiffe", "podName": name, "podUID": pod.uid(),
                "serviceAccountName": name, "serviceAccountUID": account.uid(), "nodeName": "bench", "nodeUID": node.uid(),
                "maxExpirationSeconds": 86400, "stubPKCS10Request": request,
            },
        }))
    }

    /// Has the first so many workloads ask, at a pace if one is given; tells how long each waited.
    async fn ask(&self, workloads: usize, pace: Option<u64>) -> Result<Vec<Duration>> {
        let all = Api::<DynamicObject>::all_with(self.client.clone(), &self.requests);
        let mut seen = watcher(all, watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .boxed();
        let mut asked = HashMap::new();
        let mut issued = HashMap::new();
        let start = tokio::time::Instant::now();
        let mut creating = futures::stream::iter(self.bodies[..workloads].iter().zip(0..))
            .then(|(body, number)| async move {
                if let Some(pace) = pace {
                    let due = Duration::from_micros(number * 1_000_000 / pace);
                    tokio::time::sleep_until(start + due).await;
                }
                body
            })
            .map(|body| async move {
                let begin = Instant::now();
                let created = self.create(body.clone()).await?;
                Ok::<_, anyhow::Error>((created.name_any(), begin))
            })
            .buffer_unordered(64)
            .boxed_local();
        let mut all_asked = false;
        let mut waiting = HashSet::new();
        while !all_asked || !waiting.is_empty() {
            tokio::select! {
                created = creating.next(), if !all_asked => match created.transpose()? {
                    Some((name, begin)) => {
                        if !issued.contains_key(&name) {
                            waiting.insert(name.clone());
                        }
                        asked.insert(name, begin);
                    }
                    None => all_asked = true,
                },
                Some(Ok(object)) = seen.next() => {
                    if object.data["status"]["certificateChain"].is_string() {
                        waiting.remove(&object.name_any());
                        issued.entry(object.name_any()).or_insert_with(Instant::now);
                    }
                }
                () = tokio::time::sleep(Duration::from_mins(1)) => anyhow::bail!("no certificate comes any more"),
            }
        }
        let wait = |(name, begin): (&String, &Instant)| issued.get(name).map(|at| at.duration_since(*begin));
        asked.iter().map(|one| wait(one).context("one is missing")).collect()
    }

    async fn create_all(&self, objects: impl Iterator<Item = Value>) -> Result<()> {
        let creating = futures::stream::iter(objects).map(|object| self.create(object));
        creating
            .buffer_unordered(CONCURRENCY)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
    }

    async fn create(&self, object: Value) -> Result<DynamicObject> {
        let object: DynamicObject = serde_json::from_value(object)?;
        let types = object.types.clone().context("an object without a kind")?;
        let kind = GroupVersionKind::try_from(&types)?;
        let resource = match kind.kind.as_str() {
            // Its plural is not what the rules of English would make of it.
            "ServiceIdentity" => ApiResource::from_gvk_with_plural(&kind, "serviceidentities"),
            _ => ApiResource::from_gvk(&kind),
        };
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), &namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        Ok(api.create(&PostParams::default(), &object).await?)
    }
}
