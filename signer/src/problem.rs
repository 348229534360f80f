//! What is wrong, in the words of a condition.

/// What is wrong with an object, for a condition of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason, in one word.
    pub reason: &'static str,
    /// What it is, and what to do.
    pub message: String,
}

impl Problem {
    /// Something that is wrong.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}
