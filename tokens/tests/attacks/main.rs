//! What attackers do, and what comes of it: by the sections of RFC 9700 (the best current practice of OAuth 2.0 security), RFC
//! 8725 (that of JWTs) and the RFCs of the mechanisms.
//!
//! | RFC 9700 | what | shown by, among others |
//! |---|---|---|
//! | 2.1 | redirects | `rfc9700_4_1_only_what_is_registered_to_the_letter` |
//! | 2.1.1 | codes, with PKCE | `rfc9700_2_1_1_a_code_is_long_random_and_used_nowhere_else`, `rfc9700_4_8_pkce_cannot_be_left_out` |
//! | 2.1.2 | the implicit grant | not offered: `rfc9700_2_1_2_flows_that_put_tokens_into_urls_are_refused_by_name` |
//! | 2.2.1 | access tokens for one sender | `rfc9449_1_a_stolen_bound_token_is_not_laundered_by_exchange`, `rfc9449_4_3_12_at_an_api_the_proof_names_the_token` |
//! | 2.2.2 | refresh tokens for one sender | `rfc9700_2_2_2_a_public_clients_token_needs_its_key` |
//! | 2.3 | access tokens for one API | `rfc9700_2_3_a_token_is_for_one_api_and_says_what_may_be_done_there` |
//! | 2.4 | the password grant | not offered: `rfc9700_2_4_grants_that_are_not_offered_are_refused_by_name` |
//! | 2.5 | authentication of clients | `rfc9700_2_5_public_clients_prove_nothing_and_get_nothing_by_that` |
//! | 2.6 | metadata, TLS, other origins | `rfc9700_2_6_the_metadata_names_this_issuer_and_what_protects_clients`, `rfc9700_2_6_no_answer_travels_in_the_clear`, `rfc9700_2_6_scripts_of_other_pages_read_nothing_here` |
//! | 4.1 | redirect URIs | `rfc9700_4_1_only_what_is_registered_to_the_letter`, `rfc9700_4_1_an_unknown_client_is_sent_nowhere` |
//! | 4.2 | leaks by Referer, and by logs | `rfc9700_4_16_no_page_shows_an_answer_inside_itself_and_no_address_is_passed_on`, `rfc9700_4_2_no_log_holds_a_secret_at_any_level` |
//! | 4.3 | leaks by a browser's history | `rfc6749_4_1_2_a_replayed_code_revokes_what_it_gave`, `rfc6749_2_3_1_parameters_are_not_in_the_url` |
//! | 4.4 | mix-up | `rfc9700_4_4_and_rfc9207_a_code_of_another_server_is_not_sent_to_this_one` |
//! | 4.5 | injected codes | `rfc9700_4_5_an_injected_code_does_not_fit_the_session_it_is_injected_into` |
//! | 4.6 | injected access tokens | `rfc9700_2_1_2_flows_that_put_tokens_into_urls_are_refused_by_name`, `openid_3_1_3_7_an_id_token_that_is_wrong_in_one_thing_names_nobody` |
//! | 4.7 | cross-site request forgery | `rfc9700_4_7_nobody_ends_a_sign_in_in_the_browser_of_another` |
//! | 4.8 | PKCE downgrade | `rfc9700_4_8_pkce_cannot_be_left_out` |
//! | 4.9 | APIs that leak tokens | `rfc9700_4_9_a_stolen_token_is_exchanged_by_nobody_but_its_client_and_its_api` |
//! | 4.10 | stolen access tokens | `rfc9449_1_a_stolen_bound_token_is_not_laundered_by_exchange`, `rfc9700_2_3_a_token_is_for_one_api_and_says_what_may_be_done_there` |
//! | 4.11 | open redirectors | `rfc9700_4_11_the_callback_is_no_open_redirector` |
//! | 4.12 | status 307 | `rfc9700_4_12_a_form_is_never_sent_on` |
//! | 4.13 | proxies that end TLS | none may: `rfc9700_4_13_headers_that_proxies_set_prove_nothing` |
//! | 4.14 | refresh tokens | `rfc9700_4_14_2_of_a_hundred_uses_one_wins_and_the_family_dies` |
//! | 4.15 | clients that pass for users | `rfc9700_4_15_no_client_passes_for_a_user` |
//! | 4.16 | clickjacking | `rfc9700_4_16_no_page_shows_an_answer_inside_itself_and_no_address_is_passed_on` |
//! | 4.17 | messages between windows | not offered: `rfc9700_2_1_2_flows_that_put_tokens_into_urls_are_refused_by_name` |
//!
//! | RFC 8725 | what | shown by, among others |
//! |---|---|---|
//! | 3.1 | the algorithm is verified | `rfc8725_3_1_a_key_has_its_algorithm`, `rfc_8725_3_1_algorithms` |
//! | 3.2 | and is a good one | `rfc8725_2_1_and_3_2_none_is_no_algorithm`, `rfc8725_3_2_and_fapi_5_4_rs256_is_not_for_clients` |
//! | 3.3 | each signature is verified | `rfc8725_2_1_and_3_1_tokens_of_this_issuer_are_not_forged`, `wycheproofs_signatures` |
//! | 3.4 | what goes into it is | `wycheproofs_keys` |
//! | 3.5 | keys are strong | `wycheproofs_keys` |
//! | 3.6 | compression before encryption | there is neither: `rfc8725_3_6_nothing_is_decrypted_nor_inflated` |
//! | 3.7 | UTF-8 | `rfc8725_3_7_claims_are_utf_8` |
//! | 3.8 | issuer and subject | `rfc8725_3_8_and_3_9_claims_are_checked` |
//! | 3.9 | audience | `rfc8725_3_8_and_3_9_claims_are_checked`, `rfc8725_3_9_an_assertion_for_another_server_too_is_refused` |
//! | 3.10 | claims and headers are not believed | `rfc8725_3_10_a_kid_is_compared_and_nothing_else`, `rfc8725_3_10_keys_in_headers_are_refused` |
//! | 3.11 | types | `rfc8725_3_11_and_3_12_one_kind_of_token_is_no_other` |
//! | 3.12 | one kind is no other | `rfc8725_3_11_and_3_12_one_kind_of_token_is_no_other`, `rfc8725_3_12_what_authenticated_a_client_is_no_statement_after` |
//!
//! Of RFC 9700, section 4.10.3 says what not to rely on; it asks for nothing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

#[path = "../flow/mod.rs"]
mod flow;
#[path = "../rig/mod.rs"]
mod rig;

mod answers;
mod arbitrary;
mod codes;
mod dpop;
mod exchange;
mod fetching;
mod jwt;
mod oracle;
mod redirects;
mod refresh;
mod replay;
mod requests;
mod sections;
mod sign_in;
mod stolen;
mod upstream;
mod userinfo;
