//! The one writer of a SQLite file. What is asked for while a commit is on its way to the disk goes into the next one, so
//! that many callers share the wait for the disk. Nobody is answered before the commit.

use futures::future::BoxFuture;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};

use super::sql::Conn;
use super::{StoreError, Unit};

/// How many operations one commit holds at most.
const BATCH: usize = 256;

/// How many operations wait before callers do.
const QUEUE: usize = 1024;

/// Tells the caller, once it is known whether the commit succeeded.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Takes the transaction, or why there is none.
type Job = Box<dyn for<'c> FnOnce(Result<&'c mut Conn, StoreError>) -> BoxFuture<'c, Answer> + Send>;

#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the task that writes by the one connection of `pool`. It ends with the last clone of this handle.
    pub fn start(pool: SqlitePool) -> Self {
        let (jobs, asked) = mpsc::channel(QUEUE);
        tokio::spawn(run(pool, asked));
        Self { jobs }
    }

    /// Runs `operation` alone, and answers when it is on the disk.
    pub async fn write<T, F>(&self, unit: Unit, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            Box::pin(async move {
                let result = match conn {
                    Ok(conn) => guarded(conn, unit, operation).await,
                    Err(error) => Err(error),
                };
                // A caller that went away misses its answer; what was done stays done.
                let answer: Answer = Box::new(move |committed| drop(tell.send(committed.and(result))));
                answer
            })
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        told.await.map_err(|_| StoreError::Closed)?
    }
}

/// Runs an operation of several statements so that it leaves nothing behind when it fails, and its neighbours unharmed.
async fn guarded<T, F>(conn: &mut Conn, unit: Unit, operation: F) -> Result<T, StoreError>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, StoreError>>,
{
    if matches!(unit, Unit::Statement) {
        return operation(conn).await;
    }
    conn.execute("SAVEPOINT operation", &[]).await?;
    let result = operation(conn).await;
    if result.is_err() {
        conn.execute("ROLLBACK TO operation", &[]).await?;
    }
    conn.execute("RELEASE operation", &[]).await?;
    result
}

async fn run(pool: SqlitePool, mut asked: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while asked.recv_many(&mut jobs, BATCH).await > 0 {
        let mut answers = Vec::with_capacity(jobs.len());
        let committed = batch(&pool, jobs.drain(..), &mut answers).await;
        for answer in answers {
            answer(committed.clone());
        }
    }
}

/// Runs all jobs in one transaction.
async fn batch(
    pool: &SqlitePool,
    jobs: impl Iterator<Item = Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreError> {
    match pool.begin_with("BEGIN IMMEDIATE").await {
        Ok(transaction) => {
            let mut conn = Conn::SqliteWriter(transaction);
            for job in jobs {
                answers.push(job(Ok(&mut conn)).await);
            }
            conn.commit().await
        }
        Err(error) => {
            let error = StoreError::from(error);
            for job in jobs {
                answers.push(job(Err(error.clone())).await);
            }
            Err(error)
        }
    }
}
