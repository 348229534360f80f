//! What a policy means.
//!
//! The modules are the pipeline: [`parse`] reads what users wrote into the [`model`], [`resolve`] settles every name
//! against the [`world`], [`compile`] lowers the result to an enforcer's objects, and [`conditions`] says what became of
//! it. [`decide`] is the truth that all enforcers are held to. Nothing here reads a clock, a network or randomness.

pub mod admission;
pub mod compile;
pub mod conditions;
pub mod decide;
mod evaluate;
pub mod holders;
pub mod model;
pub mod object;
pub mod parse;
pub mod report;
pub mod resolve;
pub mod tier;
pub mod tokens;
pub mod world;

pub use evaluate::{Evaluation, evaluate, resolve_policy};
pub use holders::{Held, Holders, holders};
pub use object::Object;
pub use report::Report;
pub use world::{MapWorld, MeshSettings, ObjectName, World};
