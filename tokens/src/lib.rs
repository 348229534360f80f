//! The token service: an OAuth 2.0 authorization server for machines, partners and users, without shared secrets.

pub mod store;
