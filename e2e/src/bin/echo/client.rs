//! The client: sends requests, once or for a while, and says what came back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::tls::Mounted;

#[derive(Args)]
pub(crate) struct Client {
    /// The method.
    #[arg(short = 'X', default_value = "GET")]
    method: String,
    /// A header, as `Name: value`. May be given several times.
    #[arg(short = 'H')]
    headers: Vec<String>,
    /// The body.
    #[arg(short = 'd', default_value = "")]
    body: String,
    /// Prints the body too.
    #[arg(short = 'v')]
    verbose: bool,
    /// Goes on for so many seconds, each request over a connection of its own, and prints at the end how often each answer came.
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// How long to wait between requests, in milliseconds.
    #[arg(long, default_value_t = 100)]
    every: u64,
    #[command(flatten)]
    mounted: Mounted,
    /// Where to, as `http://HOST:PORT/PATH`; or `https://…` with a credential.
    #[arg(required = true)]
    urls: Vec<String>,
}

impl Client {
    pub(crate) async fn run(&self) -> Result<()> {
        match self.seconds {
            Some(seconds) => self.repeat(Duration::from_secs(seconds)).await,
            None => self.once().await,
        }
    }

    async fn once(&self) -> Result<()> {
        for url in &self.urls {
            let answer = self.send(url).await?;
            println!("{answer}");
            if self.verbose {
                println!("{}", answer.body());
            }
            if let e2e::Answer::Reset(reason) = answer {
                eprintln!("echo: {url}: {reason}");
            }
        }
        Ok(())
    }

    async fn repeat(&self, length: Duration) -> Result<()> {
        let begin = Instant::now();
        let mut counts = BTreeMap::<String, u64>::new();
        while begin.elapsed() < length {
            for url in &self.urls {
                // A name that is not resolved just now is a failure like others: it is counted.
                let answer = match self.send(url).await {
                    Ok(answer) => answer,
                    Err(error) => e2e::Answer::Reset(format!("{error:#}")),
                };
                if answer.status() != Some(200) {
                    eprintln!("echo: after {:?}: {url}: {answer:?}", begin.elapsed());
                }
                *counts.entry(answer.to_string()).or_default() += 1;
            }
            tokio::time::sleep(Duration::from_millis(self.every)).await;
        }
        println!("{}", serde_json::to_string(&counts)?);
        Ok(())
    }

    async fn send(&self, url: &str) -> Result<e2e::Answer> {
        let files = self.mounted.files();
        let scheme = if files.is_some() { "https://" } else { "http://" };
        let rest = url
            .strip_prefix(scheme)
            .with_context(|| format!("{url} does not begin with {scheme}"))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let address = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:{}", if files.is_some() { 443 } else { 80 })
        };
        let mut request = e2e::Request::new(&self.method, path).host(host).body(&self.body);
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .with_context(|| format!("not a header: {header}"))?;
            request = request.header(name, value.trim());
        }
        let mut addresses = tokio::net::lookup_host(&address)
            .await
            .with_context(|| format!("cannot resolve {address}"))?;
        let address = addresses.next().with_context(|| format!("{address} has no address"))?;
        let Some(files) = files else {
            return Ok(request.send_plain(address).await);
        };
        let name = host.split(':').next().unwrap_or_default();
        Ok(request.send_tls(address, name, files.client()?).await)
    }
}
