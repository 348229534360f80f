//! URLs that are compared as texts, and those that users are sent back to.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// An issuer identifier (RFC 8414 section 2): an `https` URL without query, fragment or a slash at its end.
pub(super) fn issuer(text: &str) -> Result<(), String> {
    let url = https(text)?;
    if url.query().is_some() {
        return Err(format!("`{text}` has a query, which an issuer identifier has not"));
    }
    if text.ends_with('/') {
        return Err(format!("`{text}` ends with a slash; leave it out"));
    }
    // It is compared as a text everywhere, so that there is one way to write it.
    let normal = url.as_str().trim_end_matches('/');
    if normal != text {
        return Err(format!("`{text}` can be written in another way; write `{normal}`"));
    }
    Ok(())
}

/// A host, with its port if it is not 443, that is another than this issuer's.
pub(super) fn other_host(text: &str, issuer: &str) -> Result<(), String> {
    let url = https(&format!("https://{text}"))?;
    let normal = authority(&url);
    if normal != text {
        return Err(format!("`{text}` must be a host and no more; write `{normal}`"));
    }
    let host = Url::parse(issuer)
        .ok()
        .and_then(|issuer| issuer.host_str().map(str::to_owned));
    if host.as_deref() == url.host_str() {
        // TLS tells clients apart by the name that they ask for, which has no port.
        return Err(format!(
            "`{text}` is the host of the issuer; give another name that leads to the token service"
        ));
    }
    Ok(())
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An `https` URL without fragment and without a user in it.
pub(super) fn https(text: &str) -> Result<Url, String> {
    let url = parse(text)?;
    if url.scheme() != "https" {
        return Err(format!("`{text}` must be an https URL"));
    }
    Ok(url)
}

/// A place that users are sent back to (RFC 6749 section 3.1.2, RFC 8252 section 7). `public` says whether the client
/// can keep no secret.
pub(super) fn redirect(text: &str, public: bool) -> Result<(), String> {
    let url = parse(text)?;
    match (url.scheme(), url.host()) {
        ("https", _) => Ok(()),
        ("http", Some(Host::Ipv4(Ipv4Addr::LOCALHOST) | Host::Ipv6(Ipv6Addr::LOCALHOST))) => Ok(()),
        // What the name stands for is up to the machine (RFC 8252 section 8.3).
        ("http", Some(Host::Domain("localhost"))) => Err(format!(
            "`{text}` must name the address instead: write 127.0.0.1 for localhost"
        )),
        ("http", _) => Err(format!(
            "`{text}` is not encrypted; use https, or, for an application on the user's own machine, http://127.0.0.1"
        )),
        // Without a dot it would be a scheme that belongs to everyone (RFC 8252 section 7.1), `javascript:` among them.
        (scheme, _) if !scheme.contains('.') => Err(format!(
            "`{scheme}:` is not a scheme of the application's own: begin it with a domain name of yours in reverse, such as \
             com.example.app:/signed-in"
        )),
        _ if !public => Err(format!(
            "`{text}` has a scheme that any application can take; only a client with authentication.public may have it, so use https"
        )),
        _ => Ok(()),
    }
}

fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    // Browsers read a backslash as a slash, drop white space, and turn other letters into Punycode.
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(format!(
            "`{text}` holds characters that a URL has not; write them percent-encoded"
        ));
    }
    if text.contains('*') {
        return Err(format!("`{text}` holds a wildcard; write out each URL that is meant"));
    }
    if url.fragment().is_some() {
        return Err(format!("`{text}` has a fragment; leave out what begins with #"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("`{text}` has a user in it; leave out what stands before @"));
    }
    Ok(url)
}
