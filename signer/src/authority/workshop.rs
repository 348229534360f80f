//! Does what the steps of a rotation ask for: makes keys and certificates, or takes those that are brought.

use aws_lc_rs::rand;
use countersign_crds::certificate_authority::CaKeyAlgorithm;
use countersign_identity::Fingerprint;
use countersign_identity::jwt_svid::{JwtSigner, JwtSignerError};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use super::brought::Brought;
use super::kept::{Kept, jwt_id};
use super::make::{self, Profile};
use super::rotation::{self, JwtStep, Made, Maker, Plan, Seen, Step};
use super::{CaKey, Serial, SignError};

/// Why a root or an intermediate is not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// No random numbers.
    #[error("no random numbers for a serial number")]
    NoRandomness,
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No key can be made.
    #[error("no key can be made: {0}")]
    Key(#[from] rcgen::Error),
    /// The key that was made does not fit tokens: a mistake here.
    #[error("the key for JWT-SVIDs cannot be used: {0}")]
    Jwt(#[from] JwtSignerError),
    /// What is needed is not there: a mistake here.
    #[error("the key or the certificate of an authority is missing")]
    Missing,
}

impl Kept {
    /// Takes all steps that are due, on a copy, and tells their names.
    ///
    /// # Errors
    ///
    /// If something cannot be made. Then no step was taken.
    pub fn advanced(
        &self,
        plan: &Plan,
        seen: &Seen,
        brought: Option<&Brought>,
        now: Timestamp,
    ) -> Result<(Self, Vec<&'static str>), MakeError> {
        let plan = &self.revoking_whole_chains(plan);
        let mut next = self.clone();
        let mut state = next.state.clone();
        let mut workshop = Workshop {
            kept: &mut next,
            plan,
            brought,
        };
        let steps = rotation::advance(&mut state, plan, seen, now, &mut workshop)?;
        let make = || workshop.make_jwt_key();
        let jwt = rotation::jwt::advance(&mut state.jwt_keys, plan, &seen.jwt_published, now, make)?;
        let mut names: Vec<&'static str> = steps.iter().map(Step::name).collect();
        names.extend(jwt.iter().map(JwtStep::name));
        if state.number(&self.state, plan, now) {
            names.push("number-bundle");
        }
        next.state = state;
        next.tidy();
        Ok((next, names))
    }
}

impl Kept {
    /// An intermediate below one that is revoked is so too.
    fn revoking_whole_chains(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        let mut chain = self
            .chain
            .iter()
            .map(|certificate| Fingerprint::of(certificate).to_string());
        if let Some(first) = chain.next()
            && chain.any(|above| plan.revoked.contains(&above))
        {
            plan.revoked.insert(first);
        }
        plan
    }
}

struct Workshop<'a> {
    kept: &'a mut Kept,
    plan: &'a Plan,
    brought: Option<&'a Brought>,
}

impl Workshop<'_> {
    fn profile(&self, now: Timestamp, ends: Timestamp) -> Result<Profile<'_>, MakeError> {
        let mut random = [0; 16];
        rand::fill(&mut random).map_err(|_| MakeError::NoRandomness)?;
        Ok(Profile {
            trust_domain: &self.kept.trust_domain,
            serial: Serial::new(random),
            now,
            ends,
        })
    }
}

impl Workshop<'_> {
    fn make_jwt_key(&mut self) -> Result<String, MakeError> {
        // The other kind is for those who verify certificates for decades; ES256 is what each verifier of tokens knows.
        let key = CaKey::generate(CaKeyAlgorithm::EcdsaP256)?;
        let id = jwt_id(&key);
        let public = JwtSigner::from_pkcs8(&id, key.der())?.verification_key()?;
        self.kept.jwt_public.insert(id.clone(), public);
        self.kept.jwt_keys.insert(id.clone(), key);
        Ok(id)
    }
}

fn made(certificate: &CertificateDer<'_>, ends: Timestamp) -> Made {
    Made {
        sha256: Fingerprint::of(certificate).to_string(),
        ends,
    }
}

impl Maker for Workshop<'_> {
    type Error = MakeError;

    fn make_root(&mut self, now: Timestamp, ends: Timestamp) -> Result<Made, MakeError> {
        let key = CaKey::generate(self.plan.algorithm)?;
        let certificate = make::root(&self.profile(now, ends)?, &key)?;
        let made = made(&certificate, ends);
        self.kept.roots.insert(made.sha256.clone(), certificate);
        self.kept.root_keys.insert(made.sha256.clone(), key);
        Ok(made)
    }

    fn make_intermediate(&mut self, under: &str, now: Timestamp, ends: Timestamp) -> Result<Made, MakeError> {
        let root = self.kept.roots.get(under).ok_or(MakeError::Missing)?;
        let root_key = self.kept.root_keys.get(under).ok_or(MakeError::Missing)?;
        let key = CaKey::generate(self.plan.algorithm)?;
        let certificate = make::intermediate(&self.profile(now, ends)?, &key, root, root_key)?;
        let made = made(&certificate, ends);
        self.kept.chain = vec![certificate];
        self.kept.key = Some(key);
        Ok(made)
    }

    fn take_root(&mut self, root: &Made) -> Result<(), MakeError> {
        let brought = self.brought.ok_or(MakeError::Missing)?;
        let certificate = brought.root(&root.sha256).ok_or(MakeError::Missing)?;
        self.kept.roots.insert(root.sha256.clone(), certificate.clone());
        Ok(())
    }

    fn adopt(&mut self) -> Result<(), MakeError> {
        let brought = self.brought.ok_or(MakeError::Missing)?;
        self.kept.chain = brought.chain().to_vec();
        self.kept.key = Some(brought.key().clone());
        Ok(())
    }
}
