//! The process ends in the middle of its work, without a word: what it answered stays true.
//!
//! A thousand sessions present their refresh tokens at once, and the service is killed. After each time the applications do what
//! applications do: they present the last token that they got, or the one before, whose answer was lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::testing::SigningKey;
use countersign_tokens::mint::Handle;
use countersign_tokens::service::digest;
use countersign_tokens::store::{Digest, Family, FamilyId, Options, Store};
use futures::future::join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::postgres::Server;
use crate::service::{ISSUER, Tokens, issuer, key};

const SESSIONS: usize = 1000;
/// After how many answers the service is killed.
const MOMENTS: [usize; 4] = [1, 250, 500, 750];
/// All requests are of one client at one address.
const FLAGS: &[&str] = &["--requests-per-address=1000000", "--requests-per-client=1000000"];
/// How many of a session's last tokens are looked at: between two looks it gets two at most.
const LOOKED_AT: usize = 4;
const API: &str = "https://orders.example";

/// The refresh tokens that a session was given, one after the other.
struct Session(Vec<String>);

impl Session {
    fn last(&self) -> &str {
        self.0.last().unwrap()
    }
}

/// Tokens to be shown, by the numbers of their sessions.
type Shown = BTreeMap<usize, String>;

/// What a session is told.
enum Told {
    Next(String),
    Refused(String),
    /// Nothing, or that the service cannot answer now.
    Nothing,
}

/// The application that has the sessions.
struct App {
    http: reqwest::Client,
    id: String,
    key: SigningKey,
}

impl App {
    async fn new(tokens: &Tokens) -> Arc<Self> {
        let mut issuer = issuer();
        issuer["spec"]["managed"]["upstream"] = json!({"issuer": "https://login.example", "clientId": "countersign"});
        tokens.testbed.apply(&issuer.to_string()).await.unwrap();
        let key = key();
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenClient", "metadata": {"name": "app"},
            "spec": {
                "issuer": "e2e",
                "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&key])}},
                "grants": ["AuthorizationCode", "RefreshToken"],
                "redirectUris": ["https://app.example/signed-in"],
                "audiences": [{"audience": API, "scopes": ["orders.read"]}],
            },
        });
        tokens.namespace.apply(&object.to_string()).await.unwrap();
        tokens
            .until_told("TokenClient", "tokenclients", "app", "Ready", "True")
            .await;
        Arc::new(Self {
            http: tokens.http.clone(),
            id: format!("{}/app", tokens.namespace.name()),
            key,
        })
    }

    async fn refresh(&self, token: &str) -> Told {
        let now = now();
        let jti = uuid::Uuid::new_v4().to_string();
        let claims = json!({"iss": self.id, "sub": self.id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti});
        let form = e2e::form(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &self.key.assertion(&claims)),
        ]);
        let request = self
            .http
            .post(format!("{ISSUER}/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let Ok(answer) = request.send().await else {
            return Told::Nothing;
        };
        let failed = answer.status().is_server_error();
        // It may break off in the middle.
        let Some(text) = answer.text().await.ok().filter(|_| !failed) else {
            return Told::Nothing;
        };
        let told: Value = serde_json::from_str(&text).unwrap();
        match told["refresh_token"].as_str() {
            Some(next) => Told::Next(next.to_owned()),
            None => Told::Refused(told["error"].as_str().unwrap_or(&text).to_owned()),
        }
    }

    /// Shows tokens, all at once, and kills the service as soon as so many were answered.
    async fn show_and_kill(
        self: &Arc<Self>,
        shown: &Shown,
        tokens: &mut Tokens,
        enough: usize,
    ) -> BTreeMap<usize, Told> {
        let mut asked = self.show(shown);
        let (mut told, mut answers) = (BTreeMap::new(), 0);
        while let Some(answer) = asked.join_next().await {
            let (number, answer) = answer.unwrap();
            answers += usize::from(!matches!(answer, Told::Nothing));
            if answers == enough && !matches!(answer, Told::Nothing) {
                tokens.kill();
            }
            told.insert(number, answer);
        }
        assert!(answers >= enough, "of {} were answered {answers}", shown.len());
        assert!(answers < shown.len(), "it was killed when all were answered");
        told
    }

    /// Shows tokens until each of them was answered.
    async fn insist(self: &Arc<Self>, mut shown: Shown) -> BTreeMap<usize, Told> {
        let mut told = BTreeMap::new();
        for _ in 0..10 {
            for answer in self.show(&shown).join_all().await {
                if !matches!(answer.1, Told::Nothing) {
                    shown.remove(&answer.0);
                    told.insert(answer.0, answer.1);
                }
            }
            if shown.is_empty() {
                return told;
            }
        }
        panic!("{} get no answer", shown.len());
    }

    fn show(self: &Arc<Self>, shown: &Shown) -> JoinSet<(usize, Told)> {
        let shown = shown.iter().map(|(number, token)| {
            let (app, number, token) = (Arc::clone(self), *number, token.clone());
            async move { (number, app.refresh(&token).await) }
        });
        shown.collect()
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn kept(token: &str) -> Digest {
    digest(&["refresh", ISSUER, token])
}

async fn open(tokens: &Tokens) -> Store {
    let options = Options {
        patience: Duration::from_mins(1),
        ..Options::default()
    };
    Store::open(&tokens.store, &options).await.unwrap()
}

/// Puts the sessions into the store as the service does when users sign in.
async fn begin(store: &Store, app: &App) -> Vec<Session> {
    let now = now();
    let data =
        json!({"audience": API, "scopes": ["orders.read"], "authTime": now, "subject": "user:alice", "key": null});
    let data = data.to_string();
    let sessions = (0..SESSIONS).map(|_| async {
        let id = uuid::Uuid::new_v4().into_bytes();
        let random = [id, uuid::Uuid::new_v4().into_bytes()].concat();
        let token = Handle::Refresh.text(&random.try_into().unwrap());
        let family = Family {
            id: FamilyId(id),
            issuer: ISSUER.to_owned(),
            client: app.id.clone(),
            subject: "user:alice".to_owned(),
            data: data.clone(),
            created: now,
            absolute_end: now + 86_400,
            idle_end: now + 3600,
        };
        store.begin_family(family, Some(kept(&token))).await.unwrap();
        Session(vec![token])
    });
    join_all(sessions).await
}

/// Those of a session's tokens that are good.
async fn live<'a>(store: &Store, session: &'a Session) -> Vec<&'a str> {
    let tokens = session.0.iter().rev().take(LOOKED_AT);
    let all = join_all(tokens.map(|token| async {
        let found = store.family_of(kept(token), now()).await.unwrap();
        found.is_some_and(|(_, live)| live).then_some(token.as_str())
    }));
    all.await.into_iter().flatten().collect()
}

fn shown(sessions: &[Session], which: impl Fn(usize, &Session) -> Option<&str>) -> Shown {
    let shown = sessions.iter().enumerate();
    shown
        .filter_map(|(number, session)| Some((number, which(number, session)?.to_owned())))
        .collect()
}

/// Gives sessions what they were told, and says which were told nothing.
fn give(sessions: &mut [Session], told: BTreeMap<usize, Told>) -> Vec<usize> {
    let mut left = Vec::new();
    for (number, told) in told {
        match told {
            Told::Next(next) => sessions[number].0.push(next),
            Told::Refused(error) => panic!("session {number} was refused with {error}"),
            Told::Nothing => left.push(number),
        }
    }
    left
}

/// What was answered is good, and nothing else that anybody has. Says how many tokens were used up by requests without an answer.
async fn check(store: &Store, sessions: &[Session], unanswered: &[usize]) -> usize {
    let checks = sessions.iter().enumerate().map(|(number, session)| async move {
        let live = live(store, session).await;
        let lost = live.is_empty() && unanswered.contains(&number);
        let place = |token: &&str| session.0.iter().position(|other| other == token);
        let places: Vec<_> = live.iter().map(place).collect();
        assert!(
            lost || live == [session.last()],
            "session {number} was given {} tokens, of which those at {places:?} are good",
            session.0.len()
        );
        usize::from(lost)
    });
    join_all(checks).await.into_iter().sum()
}

/// Lets a thousand sessions go on, kills the service meanwhile, starts it again, and lets them go on. Says how many were answered
/// nothing although their tokens were used up.
async fn kill_once(tokens: &mut Tokens, app: &Arc<App>, sessions: &mut [Session], enough: usize) -> usize {
    let all = shown(sessions, |_, session| Some(session.last()));
    let told = app.show_and_kill(&all, tokens, enough).await;
    let unanswered = give(sessions, told);
    tokens.start_again().await;
    let store = open(tokens).await;
    let lost = check(&store, sessions, &unanswered).await;
    // Of those that were answered, each fourth did not get it: an answer can be lost on its way too. What it had takes its place.
    let again = shown(sessions, |number, session| {
        let missed = number % 4 == 0 && !unanswered.contains(&number);
        session.0.iter().rev().nth(usize::from(missed)).map(String::as_str)
    });
    give(sessions, app.insist(again).await);
    check(&store, sessions, &[]).await;
    lost
}

/// Whoever has the first token of a session ends the session, also when the service is killed meanwhile; and no other.
async fn steal(tokens: &mut Tokens, app: &Arc<App>, sessions: &mut [Session]) {
    let stolen = |number: usize| number.is_multiple_of(5);
    let first = shown(sessions, |number, session| {
        stolen(number).then_some(session.0[0].as_str())
    });
    let refused = |told: &Told| matches!(told, Told::Refused(error) if error == "invalid_grant");
    let told = app.show_and_kill(&first, tokens, first.len() / 2).await;
    tokens.start_again().await;
    let store = open(tokens).await;
    for (number, told) in told {
        let live = live(&store, &sessions[number]).await;
        match told {
            Told::Nothing => assert!(live.len() <= 1),
            told => assert!(refused(&told) && live.is_empty(), "session {number} has {}", live.len()),
        }
    }
    assert!(app.insist(first).await.values().all(refused));
    let last = shown(sessions, |_, session| Some(session.last()));
    let (ended, others) = app
        .insist(last)
        .await
        .into_iter()
        .partition(|(number, _)| stolen(*number));
    let ended: BTreeMap<usize, Told> = ended;
    assert!(ended.values().all(refused));
    give(sessions, others);
}

async fn a_killed_service_keeps_its_word(store: Option<String>) {
    // A thousand connections, at both ends.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(8192), most).unwrap();
    let mut tokens = Tokens::start_with(store, FLAGS).await;
    let app = App::new(&tokens).await;
    tokens.kill();
    let mut sessions = begin(&open(&tokens).await, &app).await;
    tokens.start_again().await;
    let mut lost = 0;
    for enough in MOMENTS {
        lost += kill_once(&mut tokens, &app, &mut sessions, enough).await;
    }
    assert!(lost > 0, "it was never killed between a commit and its answer");
    steal(&mut tokens, &app, &mut sessions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs testbed run --light"]
async fn a_killed_service_loses_no_refresh_token_and_gives_none_twice() {
    a_killed_service_keeps_its_word(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs testbed run --light"]
async fn nor_does_one_with_postgresql() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let store = server.database("killed");
    a_killed_service_keeps_its_word(Some(store)).await;
}
