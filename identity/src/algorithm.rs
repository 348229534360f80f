//! The algorithms that a signature may be made with (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864 section 2.2).

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::Algorithm as Primitive;

/// A signature algorithm with a public key. There is no `none` and no shared secret among them, so what is verified with a
/// list of these cannot be confused into either (RFC 8725 sections 2.1 and 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// `EdDSA`, which is with Ed25519 here: the old name.
    EdDsa,
    /// `EdDSA` with Ed25519: the name since RFC 9864.
    Ed25519,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
        Self::Ed25519,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// Those of the FAPI 2.0 Security Profile (section 5.4.1).
    pub const FAPI: [Self; 4] = [Self::Ps256, Self::Es256, Self::EdDsa, Self::Ed25519];

    /// Its name (`alg`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    pub(crate) const fn primitive(self) -> Primitive {
        match self {
            Self::Es256 => Primitive::ES256,
            Self::Es384 => Primitive::ES384,
            Self::EdDsa | Self::Ed25519 => Primitive::EdDSA,
            Self::Ps256 => Primitive::PS256,
            Self::Ps384 => Primitive::PS384,
            Self::Ps512 => Primitive::PS512,
            Self::Rs256 => Primitive::RS256,
            Self::Rs384 => Primitive::RS384,
            Self::Rs512 => Primitive::RS512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not one of an algorithm here.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error(
    "not a signature algorithm that is supported: use ES256, ES384, EdDSA, Ed25519, PS256, PS384, PS512, RS256, RS384 or RS512"
)]
pub struct UnknownAlgorithm;

/// By its name, in exactly these letters (RFC 7515 section 4.1.1).
impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(UnknownAlgorithm)
    }
}
