//! MySQL and MariaDB.
//!
//! The library leaves a connection that is dropped to a task of its own, which reads all rows that are left: those of a server
//! without end, for ever. So each check has a runtime of its own, on a thread of its own, and what is left goes with it.

use std::net::IpAddr;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};

use super::Failure;
use super::spec::Sql;
use super::trace::{self, Recorder};

/// Largest packet.
const LIMIT: usize = 1 << 20;
/// How long a server may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(250);

/// Whether the query gives a row, within the limit of the check.
pub(super) async fn ask(addr: IpAddr, port: u16, question: &Sql, limit: Duration) -> Result<bool, Failure> {
    let (question, recorder) = (question.clone(), Recorder::current());
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::io("runtime"))?;
        runtime.block_on(async {
            let query = recorder.record(query(addr, port, &question));
            // The caller's limit comes first and has the word; this one ends the thread.
            tokio::time::timeout(limit + GOODBYE, query).await.unwrap_or_else(|_| Err(Failure::Answer("too late".into())))
        })
    });
    thread.await.map_err(|e| Failure::Answer(format!("the check itself failed: {e}")))?
}

async fn query(addr: IpAddr, port: u16, question: &Sql) -> Result<bool, Failure> {
    let failed = |what: &'static str| move |error: mysql_async::Error| Failure::Answer(format!("{what}: {error}"));
    let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    let options = OptsBuilder::default()
        .ip_or_hostname(addr.to_string())
        .tcp_port(port)
        .user(text(&question.login))
        .pass(text(question.passwd.reveal()))
        .db_name(text(&question.database))
        // This very server, not the one of this host.
        .prefer_socket(false)
        .stmt_cache_size(0)
        // Both would be asked for first.
        .max_allowed_packet(Some(LIMIT))
        .wait_timeout(Some(60));
    trace::doing("connect and login");
    let mut connection = Conn::new(options).await.map_err(failed("login"))?;
    trace::note(|| format!("logged in as {}", question.login));
    trace::doing("waiting for the answer to the query");
    trace::sent(question.query.as_bytes());
    let row = {
        let mut rows = connection.query_iter(&question.query).await.map_err(failed("query"))?;
        rows.next().await.map_err(failed("query"))?.is_some()
    };
    trace::doing("goodbye");
    let _ = tokio::time::timeout(GOODBYE, connection.disconnect()).await;
    Ok(row)
}
