//! `countersign-tokens`: short tokens for machines, partners and users.

fn main() {}
