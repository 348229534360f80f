//! `echo`: a test server that answers 200 to everything and says what it saw, and a client for use inside a Pod.
#![allow(clippy::print_stdout, reason = "what the client prints is its result")]

mod tls;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

use tls::{Mounted, MutualTls, Peer};

/// Answers every request with its method, path, headers and body as JSON.
#[derive(Parser)]
struct Cli {
    /// The port to listen on.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    port: u16,
    #[command(flatten)]
    mounted: Mounted,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Sends a request to each URL and prints the status code, or `reset`.
    Client(Client),
}

#[derive(Args)]
struct Client {
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
    #[command(flatten)]
    mounted: Mounted,
    /// Where to, as `http://HOST:PORT/PATH`; or `https://…` with a credential.
    #[arg(required = true)]
    urls: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Client(client)) => send_all(&client).await,
        None => serve(cli.port, &cli.mounted).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(port: u16, mounted: &Mounted) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))).await?;
    let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let router = Router::new().fallback(answer);
    let until = async move { _ = end.recv().await };
    if let Some(files) = mounted.files() {
        let named = router.into_make_service_with_connect_info::<Peer>();
        let server = axum::serve(MutualTls { listener, files }, named);
        return Ok(server.with_graceful_shutdown(until).await?);
    }
    Ok(axum::serve(listener, router).with_graceful_shutdown(until).await?)
}

async fn answer(request: Request) -> (StatusCode, Json<Value>) {
    const MOST: usize = 1 << 20;
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let peer = peer.map(|ConnectInfo(Peer(id))| id.clone());
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, Json(json!({"error": "body too large"})));
    };
    let seen = json!({
        "method": head.method.as_str(),
        "path": head.uri.to_string(),
        "peer": peer,
        "headers": pairs(&head.headers),
        "body": String::from_utf8_lossy(&body),
    });
    (StatusCode::OK, Json(seen))
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect()
}

async fn send_all(client: &Client) -> Result<()> {
    for url in &client.urls {
        let answer = send(client, url).await?;
        println!("{answer}");
        if client.verbose {
            println!("{}", answer.body());
        }
        if let e2e::Answer::Reset(reason) = answer {
            eprintln!("echo: {url}: {reason}");
        }
    }
    Ok(())
}

async fn send(client: &Client, url: &str) -> Result<e2e::Answer> {
    let files = client.mounted.files();
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
    let mut request = e2e::Request::new(&client.method, path).host(host).body(&client.body);
    for header in &client.headers {
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
