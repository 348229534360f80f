//! OAuth as it goes over the wire: forms, and the errors of the RFCs.

pub mod form;
pub mod refusal;

pub use form::Form;
pub use refusal::Refusal;
