//! `echo`: a test server that answers 200 to everything and says what it saw, and a client for use inside a Pod.
#![allow(clippy::print_stdout, reason = "what the client prints is its result")]

mod client;
mod tls;
mod token;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use spiffe::WorkloadApiClient;

use client::Client;
use tls::{Mounted, MutualTls, Peer};
use token::Token;

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
    /// Exchanges the token of the Pod's service account for one for an API, and prints it.
    Token(Token),
    /// Asks the SPIFFE Workload API who this Pod is, and prints it as JSON, or why not.
    Identity {
        /// Where, as `unix:///PATH`.
        #[arg(long, env = "SPIFFE_ENDPOINT_SOCKET")]
        socket: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Command::Client(client)) => client.run().await,
        Some(Command::Token(token)) => token.run().await,
        Some(Command::Identity { socket }) => identity(&socket).await,
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

/// Asks with a client that is not ours.
async fn identity(socket: &str) -> Result<()> {
    let client = WorkloadApiClient::connect_to(socket).await?;
    let context = client.fetch_x509_context().await?;
    let svid = context.default_svid().context("there is no X.509-SVID")?;
    let id = svid.spiffe_id().clone();
    let bundle = context.bundle_set().get(id.trust_domain());
    let token = client.fetch_jwt_svid(["ledger"], Some(&id)).await?;
    let answer = json!({
        "spiffe_id": id.to_string(),
        "certificates": svid.cert_chain().len(),
        "roots": bundle.map(|bundle| bundle.authorities().len()),
        "token_of": token.spiffe_id().to_string(),
        "token_for": token.audience(),
    });
    println!("{answer}");
    Ok(())
}
