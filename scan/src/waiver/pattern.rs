//! Patterns of JSON Pointers.

use std::fmt;

/// A set of JSON Pointers (RFC 6901): each segment stands for itself, `*` for any one, and `**` for any number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// This one, in the escaped form of a pointer.
    Literal(String),
    /// Any one.
    Any,
    /// Any number of them.
    Rest,
}

impl Segment {
    fn fits(&self, segment: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == segment,
            Self::Any | Self::Rest => true,
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// If it is none, in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(format!(
                "`{text}` is not a JSON Pointer: write it like /spec/containers/*/env/*/value"
            ));
        };
        let segments: Vec<Segment> = path.split('/').map(segment).collect::<Result<_, _>>()?;
        if !segments.iter().any(|segment| matches!(segment, Segment::Literal(_))) {
            return Err(format!("`{text}` covers every field; name at least one"));
        }
        Ok(Self(segments))
    }

    /// Whether a pointer is in the set.
    pub(super) fn fits(&self, pointer: &str) -> bool {
        let Some(path) = pointer.strip_prefix('/') else {
            return false;
        };
        let path: Vec<&str> = path.split('/').collect();
        // Where to go on after a mismatch: the last `**`, which takes one segment more each time. An earlier one need not
        // be tried again, since the last takes whatever the earlier would have left.
        let mut back: Option<(usize, usize)> = None;
        let (mut at, mut here) = (0, 0);
        while here < path.len() {
            match self.0.get(at) {
                Some(Segment::Rest) => {
                    back = Some((at, here));
                    at += 1;
                }
                Some(segment) if segment.fits(path[here]) => {
                    at += 1;
                    here += 1;
                }
                _ => {
                    let Some((rest, from)) = back else { return false };
                    back = Some((rest, from + 1));
                    at = rest + 1;
                    here = from + 1;
                }
            }
        }
        self.0[at..].iter().all(|segment| *segment == Segment::Rest)
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    match text {
        "" => Err("a segment of a pointer is empty".to_owned()),
        "*" => Ok(Segment::Any),
        "**" => Ok(Segment::Rest),
        _ if text.contains('*') => Err(format!(
            "`{text}` mixes a wildcard with letters; * and ** stand for whole segments"
        )),
        _ => Ok(Segment::Literal(text.to_owned())),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| match segment {
            Segment::Literal(literal) => write!(f, "/{literal}"),
            Segment::Any => f.write_str("/*"),
            Segment::Rest => f.write_str("/**"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::itself("/data/password", "/data/password", true)]
    #[case::another("/data/password", "/data/token", false)]
    #[case::shorter("/data/password", "/data", false)]
    #[case::longer("/data/password", "/data/password/0", false)]
    #[case::one_segment("/spec/containers/*/env/*/value", "/spec/containers/0/env/12/value", true)]
    #[case::not_two_segments("/spec/*/value", "/spec/a/b/value", false)]
    #[case::not_no_segment("/spec/*/value", "/spec/value", false)]
    #[case::rest_of_several("/spec/**/value", "/spec/template/spec/containers/0/env/1/value", true)]
    #[case::rest_of_none("/spec/**/value", "/spec/value", true)]
    #[case::rest_ends_in_another("/spec/**/value", "/spec/a/valueFrom", false)]
    #[case::rest_tries_again("/**/env/*/value", "/a/env/b/env/0/value", true)]
    #[case::two_rests("/**/a/**/b", "/x/a/y/a/z/b", true)]
    #[case::rest_at_the_end("/spec/**", "/spec/a/b", true)]
    #[case::rest_at_the_end_may_be_nothing("/spec/**", "/spec", true)]
    #[case::escaped("/metadata/annotations/a.b~1c", "/metadata/annotations/a.b~1c", true)]
    #[case::whole_document("/data/*", "", false)]
    fn fits_as_written(#[case] pattern: &str, #[case] pointer: &str, #[case] expected: bool) {
        assert_eq!(Pattern::parse(pattern).unwrap().fits(pointer), expected);
    }

    #[rstest]
    #[case::no_slash("data/password", "JSON Pointer")]
    #[case::nothing("", "JSON Pointer")]
    #[case::all("/**", "every field")]
    #[case::all_of_a_depth("/*/*", "every field")]
    #[case::empty_segment("/data//a", "empty")]
    #[case::half_a_wildcard("/data/pass*", "whole segments")]
    fn refuses(#[case] pattern: &str, #[case] named: &str) {
        let message = Pattern::parse(pattern).unwrap_err();
        assert!(message.contains(named), "{message}");
    }

    /// The definition, word for word, whatever it costs.
    fn by_definition(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (["**", rest @ ..], _) => (0..=path.len()).any(|taken| by_definition(rest, &path[taken..])),
            (["*", rest @ ..], [_, path @ ..]) => by_definition(rest, path),
            ([literal, rest @ ..], [first, path @ ..]) => literal == first && by_definition(rest, path),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn fits_by_its_definition(
            pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "**"]), 1..7),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..9),
        ) {
            let text = format!("/{}", pattern.join("/"));
            prop_assume!(pattern.iter().any(|segment| !segment.starts_with('*')));
            let parsed = Pattern::parse(&text).unwrap();
            prop_assert_eq!(parsed.to_string(), text);
            let pointer = format!("/{}", path.join("/"));
            prop_assert_eq!(parsed.fits(&pointer), by_definition(&pattern, &path));
        }
    }
}
