//! Whether a waiver may be made, and who made it.

use countersign_crds::{GROUP, VERSION};
use countersign_scan::{Waiver, WaiverProblem};
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::Value;

use crate::review::{Reason, Verdict};

/// The key under which the API server's audit log says who made a waiver.
const WAIVED_BY: &str = "waived-by";

/// What was decided, and what is to be told.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// A waiver that is made or changed, if it may be.
    pub(super) made: Option<Made>,
}

/// A waiver that is made or changed.
#[derive(Debug)]
pub struct Made {
    /// It.
    pub about: ObjectReference,
    /// Who waives what, until when, and why.
    pub note: String,
}

/// Judges a change of a waiver by `user` at `now`. Its end may be `longest` away; both are in seconds.
pub(super) fn judge(old: Option<&Value>, new: Option<&Value>, user: &str, now: i64, longest: i64) -> Judged {
    let passes = Judged {
        verdict: Verdict::allowed(),
        made: None,
    };
    let Some(new) = new else { return passes };
    // Labels and finalizers of a waiver that has ended must not depend on its end.
    if old.is_some_and(|old| old["spec"] == new["spec"]) {
        return passes;
    }
    let problems = match Waiver::parse(new) {
        Ok(waiver) => match waiver.too_late_or_too_long(now, longest) {
            None => return made(new, &waiver, user),
            Some(problem) => vec![problem],
        },
        Err(problems) => problems,
    };
    let problems: Vec<String> = problems.iter().map(WaiverProblem::to_string).collect();
    let message = format!(
        "CredentialWaiver `{}/{}` is not accepted: {}",
        text(new, "/metadata/namespace"),
        text(new, "/metadata/name"),
        problems.join("; ")
    );
    Judged {
        verdict: Verdict::denied(Reason::Invalid, message),
        made: None,
    }
}

fn made(object: &Value, waiver: &Waiver, user: &str) -> Judged {
    let mut verdict = Verdict::allowed();
    verdict.audit.insert(WAIVED_BY, user.to_owned());
    let some = |path: &str| Some(text(object, path).to_owned());
    let about = ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(super::WAIVER.to_owned()),
        namespace: some("/metadata/namespace"),
        name: some("/metadata/name"),
        uid: some("/metadata/uid"),
        ..ObjectReference::default()
    };
    let note = format!(
        "{user} waives {} in {} {} until {}: {}",
        waiver.rule.id,
        text(object, "/spec/object/kind"),
        text(object, "/spec/object/name"),
        text(object, "/spec/expires"),
        waiver.reason
    );
    Judged {
        verdict,
        made: Some(Made { about, note }),
    }
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const DAY: i64 = 86_400;
    /// 2027-01-15T08:00:00Z
    const END: i64 = 1_800_000_000;

    fn waiver(change: impl FnOnce(&mut Value)) -> Value {
        let rule = countersign_scan::rules()[0].id;
        let mut waiver = json!({
            "metadata": {"name": "old", "namespace": "shop", "uid": "u-1"},
            "spec": {
                "object": {"kind": "ConfigMap", "name": "settings"}, "rule": rule, "fields": ["/data/password"],
                "reason": "until the secret store is there", "expires": "2027-01-15T08:00:00Z",
            },
        });
        change(&mut waiver);
        waiver
    }

    #[test]
    fn who_makes_one_is_told() {
        let new = waiver(|_| ());
        let judged = judge(None, Some(&new), "anna", END - DAY, 90 * DAY);
        assert_eq!(judged.verdict.denial, None);
        assert_eq!(judged.verdict.audit.get(WAIVED_BY).map(String::as_str), Some("anna"));
        let made = judged.made.unwrap();
        assert_eq!(made.about.uid.as_deref(), Some("u-1"));
        for part in ["anna waives", "ConfigMap settings", "2027-01-15", "secret store"] {
            assert!(made.note.contains(part), "{}", made.note);
        }
    }

    #[rstest]
    #[case::unknown_rule(&|waiver: &mut Value| waiver["spec"]["rule"] = json!("zebra"), END - DAY, "no rule is called `zebra`")]
    #[case::typo(&|waiver: &mut Value| waiver["spec"]["field"] = json!("/a"), END - DAY, "unknown field `field`")]
    #[case::over(&|_: &mut Value| (), END, "over already")]
    #[case::too_long(&|_: &mut Value| (), END - 91 * DAY, "more than 90 days")]
    fn one_that_does_not_count_is_refused(#[case] change: &dyn Fn(&mut Value), #[case] now: i64, #[case] named: &str) {
        let judged = judge(None, Some(&waiver(change)), "anna", now, 90 * DAY);
        let message = judged.verdict.denial.unwrap().message;
        assert!(message.contains("shop/old") && message.contains(named), "{message}");
        assert!(judged.made.is_none() && judged.verdict.audit.is_empty());
    }

    #[test]
    fn one_that_has_ended_can_be_labelled_and_deleted() {
        let old = waiver(|_| ());
        let labelled = waiver(|waiver| waiver["metadata"]["labels"] = json!({"a": "b"}));
        for new in [Some(&labelled), None] {
            let judged = judge(Some(&old), new, "anna", END + DAY, 90 * DAY);
            assert_eq!(judged.verdict, Verdict::allowed());
            assert!(judged.made.is_none());
        }
        let prolonged = waiver(|waiver| waiver["spec"]["expires"] = json!("2027-01-15T09:00:00Z"));
        let judged = judge(Some(&old), Some(&prolonged), "bert", END, 90 * DAY);
        assert_eq!(judged.verdict.audit.get(WAIVED_BY).map(String::as_str), Some("bert"));
    }
}
