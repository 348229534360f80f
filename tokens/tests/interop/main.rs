//! Clients that nobody here wrote, unchanged: openid-client, oauth4webapi, Authlib and golang.org/x/oauth2. Users sign in at
//! oidc-provider, by Chromium. `scripts/peers` brings them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

#[path = "../rig/mod.rs"]
mod rig;

mod exchange;
mod held;
mod machines;
mod peers;
mod users;
