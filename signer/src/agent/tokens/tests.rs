use jiff::SignedDuration;

use super::*;
use crate::agent::signer::Answer;

struct Signs(Mutex<Vec<(String, Vec<String>)>>, Clock);

impl Signer for Signs {
    async fn certify(&self, _: &LocalPod, _: Vec<u8>) -> Result<Answer, Failure> {
        Err(Failure::Unavailable("no certificates here".to_owned()))
    }

    async fn token(&self, pod: &LocalPod, audiences: Vec<String>) -> Result<Token, Failure> {
        let mut asked = self.0.lock().unwrap();
        asked.push((pod.uid.clone(), audiences));
        let now = (self.1)();
        Ok(Token {
            spiffe_id: format!("spiffe://cluster.local/{}", pod.uid),
            text: Zeroizing::new(format!("token-{}", asked.len())),
            issued_at: now,
            expires_at: now + SignedDuration::from_mins(5),
        })
    }
}

fn pod(uid: &str) -> LocalPod {
    LocalPod {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
        uid: uid.to_owned(),
        ended: false,
    }
}

fn set(audiences: &[&str]) -> BTreeSet<String> {
    audiences.iter().map(|audience| (*audience).to_owned()).collect()
}

#[tokio::test]
async fn a_token_is_shared_by_the_same_pod_and_audiences_for_half_of_its_life() {
    let now = Arc::new(Mutex::new(Timestamp::from_second(1_800_000_000).unwrap()));
    let shown = Arc::clone(&now);
    let clock: Clock = Arc::new(move || *shown.lock().unwrap());
    let signer = Signs(Mutex::default(), Arc::clone(&clock));
    let tokens = Tokens::new(clock, AgentMetrics::default());
    let mut asked = 0;
    for (uid, audiences, after, new) in [
        ("u1", &["a", "b"][..], 0, true),
        ("u1", &["b", "a"][..], 149, false),
        ("u1", &["a"][..], 0, true),
        ("u2", &["a", "b"][..], 0, true),
        ("u1", &["a", "b"][..], 1, true),
    ] {
        *now.lock().unwrap() += SignedDuration::from_secs(after);
        let token = tokens.of(&signer, &pod(uid), &set(audiences)).await.unwrap();
        assert_eq!(token.spiffe_id, format!("spiffe://cluster.local/{uid}"));
        asked += usize::from(new);
        assert_eq!(signer.0.lock().unwrap().len(), asked, "{uid} {audiences:?}");
    }
    tokens.retain(&HashSet::from(["u2".to_owned()]));
    assert_eq!(tokens.by_pod().len(), 1);
}

#[tokio::test]
async fn many_audiences_do_not_fill_the_memory() {
    let clock: Clock = Arc::new(|| Timestamp::from_second(1_800_000_000).unwrap());
    let signer = Signs(Mutex::default(), Arc::clone(&clock));
    let tokens = Tokens::new(clock, AgentMetrics::default());
    for number in 0..200 {
        let audience = format!("a{number}");
        tokens.of(&signer, &pod("u1"), &set(&[&audience])).await.unwrap();
    }
    assert_eq!(tokens.by_pod()["u1"].len(), PER_POD);
}
