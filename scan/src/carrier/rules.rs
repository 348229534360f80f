//! The kinds of credential that their carrier tells.

use crate::rule::{Remedy, Rule};

macro_rules! rules {
    ($($name:ident = $id:literal, $title:literal, $remedy:ident;)*) => {
        $(pub(super) const $name: &Rule = &Rule { id: $id, title: $title, remedy: Remedy::$remedy };)*
        /// All of them.
        pub(super) const ALL: &[&Rule] = &[$($name),*];
    };
}

rules! {
    PASSWORD = "literal-password", "a literal password", ExternalSecret;
    TOKEN = "literal-token", "a literal token", ExternalSecret;
    API_KEY = "literal-api-key", "a literal API key", ExternalSecret;
    SECRET = "literal-secret", "a literal secret", ExternalSecret;
    CLIENT_SECRET = "client-secret", "a literal client secret", TokenClient;
    SIGNING_SECRET = "signing-secret", "a literal secret for signatures or sessions", ExternalSecret;
    BASIC_AUTH = "basic-auth", "a user name with its password, for HTTP Basic", ExternalSecret;
    BEARER_TOKEN = "bearer-token", "a literal bearer token", TokenClient;
    URL_PASSWORD = "url-password", "a password in a URL", ExternalSecret;
    CONNECTION_STRING_PASSWORD = "connection-string-password", "a password in a connection string", ExternalSecret;
    CONNECTION_STRING_KEY = "connection-string-key", "an access key in a connection string", ExternalSecret;
    PASSWORD_HASH = "password-hash", "a hash of a password", ExternalSecret;
}
