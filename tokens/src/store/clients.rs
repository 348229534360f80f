//! When clients were last used, for the status of a `TokenClient`.

use std::collections::BTreeMap;

use super::sql::{Conn, values};
use super::{Store, StoreError, Unit};

impl Store {
    /// Notes when clients were used, by issuer and client: the later time stays. Meant for once a minute, not for each use.
    pub async fn touch_clients(&self, used: BTreeMap<(String, String), i64>) -> Result<(), StoreError> {
        self.write(Unit::Transaction, move |conn| {
            Box::pin(async move { touch(conn, &used).await })
        })
        .await
    }

    /// When the clients of an issuer were last used.
    pub async fn last_used(&self, issuer: String) -> Result<BTreeMap<String, i64>, StoreError> {
        self.read(move |conn| {
            Box::pin(async move {
                let select = "SELECT client, last_used FROM clients WHERE issuer = $1";
                let rows = conn.rows(select, values![&issuer]).await?;
                rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
            })
        })
        .await
    }
}

/// In the order of the names, so that two replicas never wait for each other.
async fn touch(conn: &mut Conn, used: &BTreeMap<(String, String), i64>) -> Result<(), StoreError> {
    let upsert = "INSERT INTO clients (issuer, client, last_used) VALUES ($1, $2, $3) \
                  ON CONFLICT (issuer, client) DO UPDATE SET last_used = excluded.last_used \
                  WHERE clients.last_used < excluded.last_used";
    for ((issuer, client), at) in used {
        conn.execute(upsert, values![issuer, client, *at]).await?;
    }
    Ok(())
}
