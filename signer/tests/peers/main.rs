//! What the signer issues, shown to peers that are not ours: rustls, OpenSSL, Go with go-spiffe, Envoy, and zlint. The
//! authority is the one that a first start makes; time is the machine's, which programs cannot be told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "test code: a panic is how a test fails; each user of the support takes its part"
)]

mod envoy;
mod issued;
mod programs;
mod tls;

mod refused;
mod with_envoy;
mod with_go;
mod with_openssl;
mod with_rustls;
mod with_zlint;
