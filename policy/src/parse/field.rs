//! Where in an object something is wrong.

use super::Problem;

/// Collects problems under a field's path.
pub(crate) struct Field<'a> {
    path: String,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Field<'a> {
    /// The field with this path.
    pub(crate) fn new(path: impl Into<String>, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            path: path.into(),
            problems,
        }
    }

    /// Tells of a problem with the member `name`, such as `.scopes[0]`, or with the field itself if it is empty.
    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problems
            .push(Problem::new(format!("{}{name}", self.path), message));
    }

    /// Tells of a member that did not pass a check.
    pub(crate) fn check(&mut self, name: &str, result: Result<(), String>) {
        self.read(name, result);
    }

    /// Tells of a member that could not be read.
    pub(crate) fn read<T>(&mut self, name: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(name, message)).ok()
    }

    /// A member as a field of its own.
    pub(crate) fn below(&mut self, name: &str) -> Field<'_> {
        Field {
            path: format!("{}{name}", self.path),
            problems: self.problems,
        }
    }
}
