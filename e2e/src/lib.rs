//! The testbed: a real cluster in one set of namespaces, and what tests need to speak to it.
#![allow(clippy::missing_panics_doc, reason = "test code: a panic is how a test fails")]

pub mod cache;
pub mod cluster;
pub mod shell;
pub mod tools;
