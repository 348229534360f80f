//! What several tests of the token service need.

pub mod postgres;
