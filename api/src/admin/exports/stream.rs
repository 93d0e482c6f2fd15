//! Writing a table into an answer while it is read from the database: a task reads a batch, writes it, and waits until the
//! client has taken it. There is never more than two batches in memory, and a client that stalls is given up.

use std::{io, time::Duration};

use axum::body::{Body, Bytes};
use futures::stream;
use store::admin::{EXPORT_PATIENCE, Snapshot};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, timeout, timeout_at},
};

use super::columns::Export;
use crate::csv_table;

/// Longest time that an export takes: so long Postgres keeps what is deleted meanwhile.
const LONGEST: Duration = Duration::from_secs(600);

/// A piece of the answer.
enum Piece {
    Lines(Vec<u8>),
    /// There is no more. Whoever hears nothing of it has a part only.
    End,
}

/// Why a table did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("the rows can't be written: {0}")]
    Csv(#[from] csv::Error),
    #[error("the client is gone")]
    ClientGone,
    #[error("the client does not read on")]
    ClientStalls,
    #[error("it took longer than {LONGEST:?}")]
    TooLong,
}

/// The answer's body: the header line at once, then the rows as they come. When something goes wrong on the way the connection
/// breaks, so that a part is not taken for the whole.
pub(super) fn body<E: Export>(export: E, snapshot: Snapshot) -> Body {
    let (pieces, taken) = mpsc::channel(1);
    tokio::spawn(write(export, snapshot, pieces));
    Body::from_stream(stream::try_unfold(taken, next))
}

async fn next(mut pieces: Receiver<Piece>) -> io::Result<Option<(Bytes, Receiver<Piece>)>> {
    match pieces.recv().await {
        Some(Piece::Lines(lines)) => Ok(Some((lines.into(), pieces))),
        Some(Piece::End) => Ok(None),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the export broke off")),
    }
}

async fn write<E: Export>(export: E, snapshot: Snapshot, pieces: Sender<Piece>) {
    let mut rows = 0;
    match write_all(&export, snapshot, &pieces, &mut rows).await {
        Ok(()) => {
            tracing::info!(event = "export.finished", kind = E::KIND, rows, "an export was taken to its end")
        }
        Err(error) => {
            tracing::warn!(event = "export.broken", kind = E::KIND, rows, %error, "an export broke off");
        }
    }
}

async fn write_all<E: Export>(
    export: &E,
    mut snapshot: Snapshot,
    pieces: &Sender<Piece>,
    rows: &mut usize,
) -> Result<(), Broken> {
    let end = Instant::now() + LONGEST;
    give(pieces, Piece::Lines(csv_table::header(E::COLUMNS)?)).await?;
    let mut last = None;
    loop {
        let reading = export.batch(&mut snapshot, last.as_ref());
        let batch = timeout_at(end, reading).await.map_err(|_| Broken::TooLong)??;
        *rows += batch.len();
        let lines = csv_table::rows(E::COLUMNS, &batch)?;
        let Some(end_of_batch) = batch.into_iter().next_back() else { break };
        last = Some(end_of_batch);
        timeout_at(end, give(pieces, Piece::Lines(lines))).await.map_err(|_| Broken::TooLong)??;
    }
    // Its place is free before the client knows that it has all.
    drop(snapshot);
    give(pieces, Piece::End).await
}

/// Waits until the client has taken the piece before.
async fn give(pieces: &Sender<Piece>, piece: Piece) -> Result<(), Broken> {
    // A little sooner than the database would lose patience.
    match timeout(EXPORT_PATIENCE / 2, pieces.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Broken::ClientGone),
        Err(_) => Err(Broken::ClientStalls),
    }
}
