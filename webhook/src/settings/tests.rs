use rstest::rstest;

use super::*;

#[test]
fn nothing_is_the_default() {
    assert_eq!(Settings::parse("").unwrap(), Settings::default());
    assert_eq!(Settings::parse("{}").unwrap(), Settings::default());
    assert!(Settings::default().controllers.defaults);
}

#[test]
fn all_of_it_is_read() {
    let settings = Settings::parse(
        "
        limits: {token: 1h, certificate: 30d}
        forbidLiteralSecrets: true
        actions:
        - {namespaces: [legacy], action: warn}
        controllers:
          users: ['system:serviceaccount:vault:*']
          owners: [{group: example.com, kind: Vault}]
          gitopsAgents: ['system:serviceaccount:*:deployer']
        waivers: {maxDuration: 14d}
        ownKinds: {unknownIssuer: warn}
        ",
    )
    .unwrap();
    assert_eq!(
        (settings.limits.token, settings.limits.certificate),
        (3600, 30 * 86_400)
    );
    assert!(settings.forbid_literal_secrets);
    assert_eq!(settings.waivers.max_duration, 14 * 86_400);
    assert_eq!(settings.own_kinds.unknown_issuer, UnknownIssuer::Warn);
    assert!(settings.controllers.is_owner("example.com", "Vault"));
    assert!(
        settings.controllers.is_owner("cert-manager.io", "Certificate"),
        "it is added to what is built in"
    );
}

#[test]
fn what_is_built_in_can_be_turned_off() {
    let settings = Settings::parse("controllers: {defaults: false}").unwrap();
    assert!(settings.controllers.user_patterns("countersign-system").is_empty());
    assert!(settings.controllers.agent_patterns().is_empty());
    assert!(!settings.controllers.is_owner("cert-manager.io", "Certificate"));
}

#[rstest]
#[case::field("action: []", "action")]
#[case::nested("controllers: {user: []}", "controllers")]
#[case::limit("limits: {token: soon}", "limits.token")]
#[case::negative("waivers: {maxDuration: '0s'}", "waivers.maxDuration")]
#[case::action("actions: [{action: block}]", "actions[0].action")]
#[case::rule("actions: [{rules: [no-such-rule], action: warn}]", "no-such-rule")]
#[case::kind("actions: 7", "actions")]
#[case::syntax("actions: [", "not YAML")]
fn a_mistake_is_named(#[case] text: &str, #[case] part: &str) {
    let error = Settings::parse(text).unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn an_error_in_the_syntax_shows_no_line_of_the_file() {
    let text = "action: deny\nactions: [\n  - {canary-4711: x\n";
    let error = Settings::parse(text).unwrap_err();
    assert!(matches!(error, SettingsError::Syntax(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
}
