//! What a PKCS#10 request asks for besides its key. It is compared, and never copied to a certificate.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, KeyUsage, ParsedExtension, X509Extension};
use x509_parser::oid_registry::OID_X509_COMMON_NAME;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use super::check::is_rsa;
use crate::grant::Grant;
use crate::key::KeyType;
use crate::refusal::{Reason, Refusal};

/// Bits of RFC 5280, section 4.2.1.3, as the parser numbers them.
const DIGITAL_SIGNATURE: u16 = 1;
const KEY_ENCIPHERMENT: u16 = 1 << 2;

/// Whether a request, in DER, asks for what the grant has and no more.
pub(super) fn check_content(der: &[u8], grant: &Grant, key_type: KeyType) -> Result<(), Refusal> {
    let unreadable = || {
        Refusal::new(
            Reason::InvalidRequest,
            "the request is not a PKCS#10 certification request in DER",
        )
    };
    let (_, request) = X509CertificationRequest::from_der(der).map_err(|_| unreadable())?;
    let info = &request.certification_request_info;
    check_subject(&info.subject, grant)?;
    let mut extensions: Option<&[X509Extension<'_>]> = None;
    for attribute in info.iter_attributes() {
        match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(requested) if extensions.is_none() => {
                extensions = Some(&requested.extensions);
            }
            _ => {
                let message = "the request has an attribute beside one list of extensions: leave it out";
                return Err(Refusal::new(Reason::InvalidRequest, message));
            }
        }
    }
    check_extensions(extensions.unwrap_or_default(), grant, key_type)
}

fn check_subject(subject: &X509Name<'_>, grant: &Grant) -> Result<(), Refusal> {
    let mut attributes = subject.iter_attributes();
    let own = |name: &str| grant.dns_names.iter().any(|own| own == name);
    let allowed = match (attributes.next(), attributes.next()) {
        (None, _) => true,
        (Some(only), None) if *only.attr_type() == OID_X509_COMMON_NAME => only.as_str().is_ok_and(own),
        _ => false,
    };
    if allowed {
        return Ok(());
    }
    let message = "the subject must be empty, or a common name that is one of the workload's DNS names";
    Err(Refusal::new(Reason::NamesNotAllowed, message))
}

fn check_extensions(extensions: &[X509Extension<'_>], grant: &Grant, key_type: KeyType) -> Result<(), Refusal> {
    let mut named = false;
    for (at, extension) in extensions.iter().enumerate() {
        if extensions.iter().take(at).any(|other| other.oid == extension.oid) {
            return Err(Refusal::new(Reason::InvalidRequest, "an extension is requested twice"));
        }
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(alternative) => {
                check_names(&alternative.general_names, grant)?;
                named = true;
            }
            ParsedExtension::BasicConstraints(constraints) if !constraints.ca => {}
            ParsedExtension::BasicConstraints(_) => {
                let message = "the request is for a certificate authority: a workload gets none";
                return Err(Refusal::new(Reason::AuthorityNotAllowed, message));
            }
            ParsedExtension::KeyUsage(usage) => check_key_usage(*usage, key_type)?,
            ParsedExtension::ExtendedKeyUsage(usage) => check_extended(usage, grant)?,
            ParsedExtension::SubjectKeyIdentifier(_) => {}
            _ => {
                let message = format!("the extension {} cannot be asked for: leave it out", extension.oid);
                return Err(Refusal::new(Reason::InvalidRequest, message));
            }
        }
    }
    if named {
        return Ok(());
    }
    let message = format!("ask for the workload's own identity, as the URI {}", grant.spiffe_id);
    Err(Refusal::new(Reason::NamesNotAllowed, message))
}

fn check_names(names: &[GeneralName<'_>], grant: &Grant) -> Result<(), Refusal> {
    let own_id = grant.spiffe_id.to_string();
    let mut uris = 0;
    for name in names {
        let allowed = match name {
            GeneralName::URI(uri) => {
                uris += 1;
                *uri == own_id
            }
            GeneralName::DNSName(name) => grant.dns_names.iter().any(|own| own == name),
            _ => false,
        };
        if !allowed {
            let message = format!(
                "a name is asked for that is not the workload's: it has the URI {own_id} and the DNS names [{}]",
                grant.dns_names.join(", ")
            );
            return Err(Refusal::new(Reason::NamesNotAllowed, message));
        }
    }
    if uris == 1 {
        return Ok(());
    }
    let message = format!("exactly one URI must be asked for: {own_id}");
    Err(Refusal::new(Reason::NamesNotAllowed, message))
}

fn check_key_usage(usage: KeyUsage, key_type: KeyType) -> Result<(), Refusal> {
    let allowed = if is_rsa(key_type) {
        DIGITAL_SIGNATURE | KEY_ENCIPHERMENT
    } else {
        DIGITAL_SIGNATURE
    };
    if usage.key_cert_sign() {
        let message = "the request is for a key that signs certificates: a workload gets none";
        return Err(Refusal::new(Reason::AuthorityNotAllowed, message));
    }
    if usage.flags & !allowed == 0 {
        return Ok(());
    }
    let message = "the request's key usage has more than digitalSignature (and keyEncipherment for RSA)";
    Err(Refusal::new(Reason::UsagesNotAllowed, message))
}

fn check_extended(usage: &ExtendedKeyUsage<'_>, grant: &Grant) -> Result<(), Refusal> {
    let others = usage.any
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
        || !usage.other.is_empty();
    if others || (usage.server_auth && !grant.usages.server) || (usage.client_auth && !grant.usages.client) {
        let message = "the request's extended key usage has more than the workload's certificates have";
        return Err(Refusal::new(Reason::UsagesNotAllowed, message));
    }
    Ok(())
}
