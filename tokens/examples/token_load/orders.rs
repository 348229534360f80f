//! What the two processes tell each other, a line of JSON each: orders on the server's standard input, answers on its standard
//! error. Its standard output is its log.

use serde::{Deserialize, Serialize};

/// What the server begins with.
#[derive(Serialize, Deserialize)]
pub struct Beginning {
    /// What users wrote.
    pub manifests: String,
    /// The URL of the store.
    pub store: String,
    /// How many connections it has at most.
    pub connections: u32,
}

/// It serves.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ready {
    /// The issuer, which is also where it listens.
    pub issuer: String,
    /// The certificate to trust, in PEM.
    pub ca: String,
}

/// What the server is to do.
#[derive(Serialize, Deserialize)]
pub enum Order {
    /// To sign and to verify, and nothing else.
    Raw,
    /// To keep families, each with a refresh token, and to tell the tokens.
    Families {
        /// The number of the first.
        first: usize,
        /// How many.
        count: usize,
    },
}

/// How long ES256 takes on the server's processor, in microseconds of its time.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Raw {
    /// A signature.
    pub sign: f64,
    /// The verification of one.
    pub verify: f64,
}

impl Raw {
    pub fn mean(&self, other: &Self) -> Self {
        Self {
            sign: f64::midpoint(self.sign, other.sign),
            verify: f64::midpoint(self.verify, other.verify),
        }
    }

    /// Both.
    pub fn pair(&self) -> f64 {
        self.sign + self.verify
    }
}
