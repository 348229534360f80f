//! When which certificate is published and served.
//!
//! An authority is published before its certificate is served, for at least as long as the API servers may need to read of
//! it; it stays published until its certificate is no longer served, and for that long again. So at any instant what is
//! served is trusted by every API server.

use jiff::{SignedDuration, Timestamp};

/// How long certificates live, and how long a change takes to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long a certificate lives. The next one is made after two thirds of it.
    pub lifetime: SignedDuration,
    /// How long after a change of its configuration each API server goes by it.
    pub settle: SignedDuration,
}

#[derive(Debug)]
struct Term<C> {
    certificate: C,
    begins: Timestamp,
    /// Since when its authority has been published everywhere, without a break.
    seen: Option<Timestamp>,
}

/// The certificates of one replica.
#[derive(Debug)]
pub struct Rotation<C> {
    plan: Plan,
    serving: Option<Term<C>>,
    next: Option<Term<C>>,
    /// What was served before, and when its authority may go.
    leaving: Option<(Term<C>, Timestamp)>,
}

impl<C> Rotation<C> {
    /// Nothing is served yet.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            serving: None,
            next: None,
            leaving: None,
        }
    }

    /// Whether a new certificate has to be made.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.renewal().is_none_or(|renewal| now >= renewal)
    }

    /// Takes a new certificate, made just now. Its authority is to be published.
    pub fn take(&mut self, certificate: C, now: Timestamp) {
        self.next = Some(Term {
            certificate,
            begins: now,
            seen: None,
        });
    }

    /// Those whose authorities have to be published.
    pub fn published(&self) -> impl Iterator<Item = &C> {
        let leaving = self.leaving.as_ref().map(|(term, _)| term);
        [leaving, self.serving.as_ref(), self.next.as_ref()]
            .into_iter()
            .flatten()
            .map(|term| &term.certificate)
    }

    /// Learns which authorities are published everywhere.
    pub fn saw(&mut self, now: Timestamp, is_published: impl Fn(&C) -> bool) {
        for term in [self.serving.as_mut(), self.next.as_mut()].into_iter().flatten() {
            term.seen = if is_published(&term.certificate) {
                term.seen.or(Some(now))
            } else {
                None
            };
        }
    }

    /// Goes on to the next certificate when its time has come, and gives it.
    pub fn advance(&mut self, now: Timestamp) -> Option<&C> {
        self.leaving = self.leaving.take().filter(|(_, until)| now < *until);
        self.next
            .as_ref()?
            .seen
            .filter(|seen| now >= *seen + self.plan.settle)?;
        let before = std::mem::replace(&mut self.serving, self.next.take());
        self.leaving = before.map(|term| (term, now + self.plan.settle));
        self.serving.as_ref().map(|term| &term.certificate)
    }

    /// Whether what is served is trusted.
    pub fn is_trusted(&self, now: Timestamp) -> bool {
        self.serving
            .as_ref()
            .is_some_and(|term| term.seen.is_some() && now < term.begins + self.plan.lifetime)
    }

    /// When to look again if nothing happens before.
    pub fn wakes(&self) -> Option<Timestamp> {
        let settled = self
            .next
            .as_ref()
            .and_then(|term| term.seen)
            .map(|seen| seen + self.plan.settle);
        let left = self.leaving.as_ref().map(|(_, until)| *until);
        [self.renewal(), settled, left].into_iter().flatten().min()
    }

    fn renewal(&self) -> Option<Timestamp> {
        let newest = self.next.as_ref().or(self.serving.as_ref())?;
        Some(newest.begins + self.plan.lifetime * 2 / 3)
    }
}

#[cfg(test)]
mod tests;
