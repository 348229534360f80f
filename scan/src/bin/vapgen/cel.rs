//! Expressions in CEL, as the API server's admission policies know it from Kubernetes 1.33.

use countersign_scan::kubernetes::{
    CONTROLLER_MANAGER, DEFAULT_TOKEN_SECONDS, TOKEN_LIFE_ANNOTATIONS, WORKLOAD_CONTROLLERS,
};

/// A text as a literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Whether `seconds` is a longer life of a service-account token than may be.
pub fn too_long(seconds: &str) -> String {
    format!("{seconds} > variables.limit && {seconds} != {DEFAULT_TOKEN_SECONDS}")
}

/// False for copies of a template by a controller of Kubernetes, with or without accounts of their own: the template was
/// judged when it was written.
pub fn not_a_copy() -> String {
    let accounts: Vec<String> = WORKLOAD_CONTROLLERS
        .iter()
        .map(|name| format!("'system:serviceaccount:kube-system:{name}'"))
        .collect();
    format!(
        "!(request.userInfo.username in [{}, '{CONTROLLER_MANAGER}'] && \
         object.metadata.?ownerReferences.orValue([]).exists(owner, owner.?controller.orValue(false)))",
        accounts.join(", ")
    )
}

/// False for an object that names a waiver, written by somebody who may make one. The webhook looks whether the waiver
/// exists and covers the object; a policy cannot. Waivers for what is in no namespace are in Countersign's own.
pub fn not_waived() -> String {
    "!('countersign.dev/waiver' in object.metadata.?annotations.orValue({}) && \
     authorizer.group('countersign.dev').resource('credentialwaivers')\
     .namespace(has(request.namespace) && request.namespace != '' ? request.namespace : '@namespace@').check('create').allowed())"
        .to_owned()
}

/// A projected service-account token of too long a life in `volumes`, unless `before` has it at least as long already:
/// for each volume a list of JSON Pointers, which begin with `pointer`.
pub fn long_projections(pointer: &str) -> String {
    let (seconds, path) = (
        "source.?serviceAccountToken.?expirationSeconds.orValue(0)",
        "source.?serviceAccountToken.?path.orValue('')",
    );
    let long = too_long(seconds);
    let kept = format!(
        "variables.before.exists(old, old.name == volume.name && old.?projected.?sources.orValue([]).exists(was, \
         was.?serviceAccountToken.?path.orValue('') == {path} && \
         was.?serviceAccountToken.?expirationSeconds.orValue(0) >= {seconds}))"
    );
    format!(
        "variables.volumes.transformList(i, volume, \
         volume.?projected.?sources.orValue([]).transformList(j, source, {long} && !{kept}, \
         '{pointer}/spec/volumes/' + string(i) + '/projected/sources/' + string(j) + \
         '/serviceAccountToken/expirationSeconds')).filter(pointers, pointers.size() > 0)"
    )
}

/// Token requests of a CSI driver for too long a life, unless `before` has the same for the audience: JSON Pointers.
pub fn long_token_requests() -> String {
    let seconds = "asked.?expirationSeconds.orValue(0)";
    let long = too_long(seconds);
    let kept = format!(
        "variables.before.exists(old, old.audience == asked.audience && old.?expirationSeconds.orValue(0) >= {seconds})"
    );
    format!(
        "variables.requests.transformList(i, asked, {long} && !{kept}, \
         '/spec/tokenRequests/' + string(i) + '/expirationSeconds')"
    )
}

/// The names of annotations in `annotations` that ask for too long a life of a token, unless `annotationsBefore` has the
/// same.
pub fn long_annotations() -> String {
    let value = "variables.annotations[name]";
    // Beyond nine digits it is over thirty years, and `int` may not take it.
    let long = format!(
        "({value}.matches('^[0-9]{{10,}}$') || ({value}.matches('^[0-9]+$') && int({value}) > variables.limit))"
    );
    let kept = format!("(name in variables.annotationsBefore && variables.annotationsBefore[name] == {value})");
    let names: Vec<String> = TOKEN_LIFE_ANNOTATIONS.iter().map(|name| quoted(name)).collect();
    format!(
        "[{}].filter(name, name in variables.annotations && {long} && !{kept})",
        names.join(", ")
    )
}

/// The text of a Secret's value, at most 36 characters of it: as long as a time of RFC 3339 can be. Characters that
/// cannot be in one become question marks.
///
/// A policy sees the value in base64, and its CEL has no function to decode that: byte `k` is in the digits `k*4/3` and
/// the one after.
pub fn decoded(encoded: &str) -> String {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let places: Vec<String> = (0..36).map(|place: u8| place.to_string()).collect();
    let characters = "+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    format!(
        "[{encoded}.split('').map(digit, '{DIGITS}'.indexOf(digit))].map(digits, \
         [{}].filter(k, k * 4 / 3 + 1 < digits.size() && digits[k * 4 / 3 + 1] >= 0)\
         .map(k, k % 3 == 0 ? digits[k * 4 / 3] * 4 + digits[k * 4 / 3 + 1] / 16 : \
         k % 3 == 1 ? digits[k * 4 / 3] % 16 * 16 + digits[k * 4 / 3 + 1] / 4 : \
         digits[k * 4 / 3] % 4 * 64 + digits[k * 4 / 3 + 1])\
         .map(code, code >= 43 && code <= 90 ? '{characters}'.charAt(code - 43) : '?').join(''))[0]",
        places.join(", ")
    )
}

/// What a time of RFC 3339 looks like.
pub const TIME: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted() {
        assert_eq!(quoted("it's C:\\"), r"'it\'s C:\\'");
    }
}
