//! Lowers a resolved policy to the objects of each enforcer.

pub mod istio;
