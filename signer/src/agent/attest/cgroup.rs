//! Which Pod a process is in, by its cgroups (cgroups(7), "/proc/[pid]/cgroup").
//!
//! The kubelet puts each Pod into a cgroup that is named by its UID, below `kubepods` and the class of its quality of
//! service. What is below that the Pod may make itself, so the outermost name counts and no other.
//!
//! ```text
//!  cgroupfs  /kubepods/burstable/pod<uid>/<container>
//!  systemd   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid, with _ for ->.slice/<container>.scope
//! ```
//!
//! An agent in a cgroup namespace of its own sees paths from there: `/../../pod<uid>/<container>`.

/// Why a process is in no Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPod {
    /// None of its cgroups is a Pod's.
    #[error("the calling process runs in no Pod")]
    None,
    /// They are of several Pods.
    #[error("the calling process has cgroups of more than one Pod")]
    Several,
}

/// The UID of the Pod that a process runs in.
///
/// # Errors
///
/// If it runs in none, or its hierarchies do not agree.
pub fn pod_uid(text: &str) -> Result<String, NoPod> {
    let mut found: Option<String> = None;
    // Each line is a hierarchy: number, controllers, path.
    for path in text.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
        let Some(uid) = of_path(path) else { continue };
        if found.as_ref().is_some_and(|found| *found != uid) {
            return Err(NoPod::Several);
        }
        found = Some(uid);
    }
    found.ok_or(NoPod::None)
}

fn of_path(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (at, uid) = parts
        .iter()
        .enumerate()
        .find_map(|(at, part)| Some((at, of_part(part)?)))?;
    let above = parts.get(..at)?;
    is_kubelets(above).then_some(uid)
}

/// The UID in the name of a Pod's cgroup.
fn of_part(part: &str) -> Option<String> {
    if let Some(uid) = part.strip_prefix("pod") {
        return is_uid(uid).then(|| uid.to_owned());
    }
    let (class, uid) = part.strip_suffix(".slice")?.rsplit_once("-pod")?;
    let uid = uid.replace('_', "-");
    (is_class_slice(class) && is_uid(&uid)).then_some(uid)
}

/// Whether what is above a Pod's cgroup is the kubelet's: a user's session, or a service, may make names like these too.
fn is_kubelets(above: &[&str]) -> bool {
    let (up, down) = above.split_at(above.iter().take_while(|part| **part == "..").count());
    if !up.is_empty() {
        // From within one Pod to another the way does not lead out of the kubelet's.
        return down.iter().all(|part| is_class(part));
    }
    let delegated = |part: &&str| *part == "user.slice" || part.ends_with(".service");
    let of_class = match down {
        [.., "kubepods", "burstable" | "besteffort"] | [.., "kubepods"] => true,
        [.., slice] => slice.strip_suffix(".slice").is_some_and(is_class_slice),
        [] => false,
    };
    of_class && !down.iter().any(delegated)
}

fn is_class(part: &str) -> bool {
    matches!(part, "kubepods" | "burstable" | "besteffort") || part.strip_suffix(".slice").is_some_and(is_class_slice)
}

/// `kubepods`, `kubepods-burstable`, `kubepods-besteffort`, and these below a root of the kubelet's own.
fn is_class_slice(name: &str) -> bool {
    let root = name
        .strip_suffix("-burstable")
        .or_else(|| name.strip_suffix("-besteffort"))
        .unwrap_or(name);
    root == "kubepods" || root.ends_with("-kubepods")
}

/// As the API server gives them (RFC 9562), or, of static Pods, without dashes.
fn is_uid(text: &str) -> bool {
    match text.len() {
        32 => text.bytes().all(|b| b.is_ascii_hexdigit()),
        36 => text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
