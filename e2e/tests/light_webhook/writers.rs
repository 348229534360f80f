//! Who may write a Secret with a value in it.

use serde_json::json;

use crate::objects::secret;
use crate::server::Server;
use crate::webhook::Webhook;

const SECRETS: &str = "/api/v1/{ns}/secrets";
const OWNER: Option<(&str, &str)> = Some(("external-secrets.io/v1", "ExternalSecret"));
const CERT_MANAGER: &str = "system:serviceaccount:cert-manager:cert-manager";
const OPERATOR: &str = "system:serviceaccount:somewhere:an-operator";
const ARGO_CD: &str = "system:serviceaccount:argocd:argocd-application-controller";

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn controllers_write_their_secrets_and_people_do_not() {
    let webhook = Webhook::start("", &[]).await;
    let user = |name| Server::with_user(&webhook.namespace, name);
    for (name, user, owner, gets_in) in [
        ("person", user("ann"), None, false),
        ("person-with-owner", user("ann"), OWNER, false),
        ("gitops-with-owner", user(ARGO_CD), OWNER, false),
        ("listed-controller", user(CERT_MANAGER), None, true),
        ("controller-with-owner", user(OPERATOR), OWNER, true),
        ("account-without-owner", user(OPERATOR), None, false),
    ] {
        let answer = user.create(SECRETS, &secret(name, owner)).await;
        assert_eq!(answer.is_ok(), gets_in, "{name}: {answer:?}");
        if let Err(refused) = answer {
            assert!(
                refused.contains("password") && refused.contains("ExternalSecret"),
                "{refused}"
            );
        }
    }
    webhook.forget().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_person_may_write_what_holds_no_value() {
    let webhook = Webhook::start("", &[]).await;
    let empty = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "empty"}});
    webhook.admin().create(SECRETS, &empty).await.unwrap();
    webhook.forget().await;
}
