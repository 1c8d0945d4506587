//! Rows like the journal's, inserted as fast as PostgreSQL takes them: nothing is judged, fenced or named by a key.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::bench::load::Caller;
use crate::bench::repo::{self, BareRows};
use crate::cli::CliError;

/// Rows an insert: as many as callers are at most.
const ROWS: usize = 512;

/// Streams that the rows of one connection belong to.
const STREAMS: i64 = 10_000;

/// Make the table.
pub(in crate::bench) async fn bare_table(database: &PgConnectOptions) -> Result<(), CliError> {
    let mut connection = database.connect().await.map_err(CliError::from_error)?;
    repo::create_bare_rows(&mut connection)
        .await
        .map_err(CliError::from_error)
}

/// A caller that inserts.
pub(in crate::bench) trait Inserter: Caller {
    /// How many rows it inserted so far.
    fn inserted(&self) -> i64;
}

/// Every row that was said to be inserted is there.
pub(in crate::bench) async fn audit<I: Inserter>(
    inserters: &[I],
    database: &PgConnectOptions,
    run: &str,
) -> Result<(), CliError> {
    let mut connection = database.connect().await.map_err(CliError::from_error)?;
    let found = repo::count_rows(&mut connection, run)
        .await
        .map_err(CliError::from_error)?;
    let expected: i64 = inserters.iter().map(Inserter::inserted).sum();
    if found == expected {
        return Ok(());
    }
    Err(CliError::new(format!(
        "{run}: {expected} rows were inserted, {found} are there"
    )))
}

/// What the rows of one connection hold.
struct Source {
    connection: PgConnection,
    name: String,
    number: i64,
}

impl Source {
    /// For so many connections, named apart from those of other measurements.
    async fn several(
        connections: usize,
        database: &PgConnectOptions,
        run: &str,
    ) -> Result<Vec<Self>, CliError> {
        let mut several = Vec::with_capacity(connections);
        for connection in 0..connections {
            several.push(Self {
                connection: database.connect().await.map_err(CliError::from_error)?,
                name: format!("{run}-{connection}"),
                number: 0,
            });
        }
        Ok(several)
    }

    /// The next row: its stream and sequence, payload and metadata, of the size of a use's.
    fn next(&mut self) -> (String, i64, String, String) {
        let number = self.number;
        self.number += 1;
        let name = &self.name;
        let at = "2026-03-01T08:00:00.123456789Z";
        let payload = format!(
            r#"{{"type":"CreditsConsumed","debit":"debit_{name}-{number}","unit":"CREDIT","units":{units},"slices":[{{"grant":"grant_first","units":{units},"cost":{{"minor":1,"currency":"usd"}}}}],"feature":"render","at":"{at}","effective_at":"{at}"}}"#,
            units = 1 + number % 1_000,
        );
        let metadata = format!(r#"{{"actor":"key_bench","request_id":"req_{name}-{number}"}}"#);
        let stream = format!("{name}/{}", number % STREAMS);
        (stream, 1 + number / STREAMS, payload, metadata)
    }
}

/// A connection that inserts many rows a statement.
pub(in crate::bench) struct MultiRow {
    source: Source,
    rows: BareRows,
}

impl MultiRow {
    /// So many connections, named apart from those of other measurements.
    pub(in crate::bench) async fn several(
        connections: usize,
        database: &PgConnectOptions,
        run: &str,
    ) -> Result<Vec<Self>, CliError> {
        let sources = Source::several(connections, database, run).await?;
        let with_rows = |source| Self {
            source,
            rows: BareRows::default(),
        };
        Ok(sources.into_iter().map(with_rows).collect())
    }
}

impl Inserter for MultiRow {
    fn inserted(&self) -> i64 {
        self.source.number
    }
}

impl Caller for MultiRow {
    async fn call(&mut self) -> Result<u64, CliError> {
        self.rows.clear();
        for _ in 0..ROWS {
            let (stream, sequence, payload, metadata) = self.source.next();
            self.rows.aggregate_ids.push(stream);
            self.rows.sequences.push(sequence);
            self.rows.payloads.push(payload);
            self.rows.metadata.push(metadata);
        }
        let positions = repo::insert_rows(&mut self.source.connection, &self.rows)
            .await
            .map_err(CliError::from_error)?;
        u64::try_from(positions.len()).map_err(CliError::from_error)
    }
}

/// A connection that inserts row by row, each durable before the next.
pub(in crate::bench) struct SingleRow {
    source: Source,
}

impl SingleRow {
    /// So many connections, named apart from those of other measurements.
    pub(in crate::bench) async fn several(
        connections: usize,
        database: &PgConnectOptions,
        run: &str,
    ) -> Result<Vec<Self>, CliError> {
        let sources = Source::several(connections, database, run).await?;
        Ok(sources.into_iter().map(|source| Self { source }).collect())
    }
}

impl Inserter for SingleRow {
    fn inserted(&self) -> i64 {
        self.source.number
    }
}

impl Caller for SingleRow {
    async fn call(&mut self) -> Result<u64, CliError> {
        let (stream, sequence, payload, metadata) = self.source.next();
        repo::insert_row(
            &mut self.source.connection,
            &stream,
            sequence,
            &payload,
            &metadata,
        )
        .await
        .map_err(CliError::from_error)?;
        Ok(1)
    }
}
