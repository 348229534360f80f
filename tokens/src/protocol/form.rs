//! Parameters of a request (RFC 6749 appendix B).

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::Refusal;

/// How many parameters a request has at most.
const MOST: usize = 64;

/// The parameters of a request. Their values may be secrets: they are never shown, and wiped in the end.
#[derive(Default)]
pub struct Form(BTreeMap<String, Vec<Zeroizing<String>>>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`. What has no value is as if it were not there (RFC 6749 section 3.1).
    ///
    /// # Errors
    ///
    /// If there are too many parameters, or one is not UTF-8.
    pub fn parse(encoded: &[u8]) -> Result<Self, Refusal> {
        let mut all: BTreeMap<String, Vec<Zeroizing<String>>> = BTreeMap::new();
        for (count, (name, value)) in url::form_urlencoded::parse(encoded).enumerate() {
            if count >= MOST {
                return Err(Refusal::Malformed("the request has too many parameters"));
            }
            // The decoder puts this in the place of what is not UTF-8: two different secrets must not become one.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Refusal::Malformed("the request is not encoded in UTF-8"));
            }
            if !value.is_empty() {
                all.entry(name.into_owned())
                    .or_default()
                    .push(Zeroizing::new(value.into_owned()));
            }
        }
        Ok(Self(all))
    }

    /// The value of a parameter that may be there once (RFC 6749 section 3.1: parameters must not be repeated).
    ///
    /// # Errors
    ///
    /// If it is repeated.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self.0.get(name).map(Vec::as_slice) {
            None => Ok(None),
            Some([value]) => Ok(Some(value)),
            Some(_) => Err(Refusal::Repeated(name)),
        }
    }

    /// The value of a parameter that must be there once.
    ///
    /// # Errors
    ///
    /// If it is missing or repeated.
    pub fn needed(&self, name: &'static str) -> Result<&str, Refusal> {
        self.one(name)?.ok_or(Refusal::Missing(name))
    }

    /// All values of a parameter that may be repeated, such as `resource` (RFC 8707 section 2).
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(|value| value.as_str())
    }

    /// Whether a parameter is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Puts a parameter there, instead of any that were.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), vec![Zeroizing::new(value.to_owned())]);
    }

    /// The parameters that are kept with a pushed request, in their order.
    pub fn kept(&self, without: &[&str]) -> Vec<(&str, &str)> {
        let wanted = self.0.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        wanted
            .flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), value.as_str())))
            .collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Form {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let mut all: BTreeMap<String, Vec<Zeroizing<String>>> = BTreeMap::new();
        for (name, value) in pairs {
            all.entry(name.to_owned())
                .or_default()
                .push(Zeroizing::new(value.to_owned()));
        }
        Self(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused_and_an_empty_one_is_none() {
        let form = Form::parse(b"a=1&b=2&b=3&c=&d=x%20y+z").unwrap();
        assert_eq!(form.one("a").unwrap(), Some("1"));
        assert!(matches!(form.one("b"), Err(Refusal::Repeated("b"))));
        assert_eq!(form.one("c").unwrap(), None);
        assert!(matches!(form.needed("c"), Err(Refusal::Missing("c"))));
        assert_eq!(form.needed("d").unwrap(), "x y z");
        assert_eq!(form.all("b").collect::<Vec<_>>(), ["2", "3"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(Form::parse(b"a=%ff").is_err());
        let many = "a=1&".repeat(MOST + 1);
        assert!(Form::parse(many.as_bytes()).is_err());
    }
}
