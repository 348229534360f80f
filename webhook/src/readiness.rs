//! Whether this replica can answer.

use countersign_runtime::http::Readiness;
use futures::future::select_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Ready when all parts are, until `stop`.
pub fn all(mut parts: Vec<watch::Receiver<Readiness>>, stop: CancellationToken) -> watch::Receiver<Readiness> {
    let (sender, receiver) = watch::channel(state(&parts));
    tokio::spawn(async move {
        loop {
            let changes = parts.iter_mut().map(|part| Box::pin(part.changed()));
            tokio::select! {
                (told, ..) = select_all(changes) => if told.is_err() { break },
                () = stop.cancelled() => break,
            }
            sender.send_replace(state(&parts));
        }
        sender.send_replace(Readiness::Missing("the webhook is stopping"));
        sender.closed().await;
    });
    receiver
}

fn state(parts: &[watch::Receiver<Readiness>]) -> Readiness {
    let missing = parts.iter().map(|part| *part.borrow());
    missing
        .into_iter()
        .find(|part| *part != Readiness::Ready)
        .unwrap_or(Readiness::Ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_parts_are_needed() {
        let (one, first) = watch::channel(Readiness::Missing("one"));
        let (two, second) = watch::channel(Readiness::Missing("two"));
        let stop = CancellationToken::new();
        let mut ready = all(vec![first, second], stop.clone());
        assert_eq!(*ready.borrow(), Readiness::Missing("one"));
        one.send_replace(Readiness::Ready);
        ready
            .wait_for(|state| *state == Readiness::Missing("two"))
            .await
            .unwrap();
        two.send_replace(Readiness::Ready);
        ready.wait_for(|state| *state == Readiness::Ready).await.unwrap();
        stop.cancel();
        ready.wait_for(|state| *state != Readiness::Ready).await.unwrap();
    }
}
