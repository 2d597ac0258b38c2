//! Databases: MySQL, PostgreSQL and Oracle. A query that gives one row is up; no more than that row is read.

use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_postgres::SimpleQueryMessage;

use super::line::{Wire, open};
use super::spec::{Engine, Sql};
use super::{Failure, connect, external, mysql, trace};

/// Bytes that a server may send.
const LIMIT: usize = 1 << 20;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Sql, limit: Duration) -> Result<String, Failure> {
    if question.login.is_empty() || question.query.is_empty() {
        return Err(Failure::Answer("a database check needs login and request".into()));
    }
    let row = match question.engine {
        Engine::Mysql => mysql::ask(addr, port, question, limit).await?,
        Engine::Pgsql => pgsql(addr, port, question).await?,
        Engine::Oracle => oracle(SocketAddr::new(addr, port), question).await?,
    };
    if row { Ok("a row".into()) } else { Err(Failure::Answer("the query gives no row".into())) }
}

async fn pgsql(addr: IpAddr, port: u16, question: &Sql) -> Result<bool, Failure> {
    let failed = |what: &'static str| {
        move |error: tokio_postgres::Error| {
            let cause = error.as_db_error().map_or_else(|| crate::errors::chain(&error), |e| e.message().to_owned());
            Failure::Answer(format!("{what}: {cause}"))
        }
    };
    let mut options = tokio_postgres::Config::new();
    options.user(&question.login).application_name("ldirectord");
    if !question.passwd.reveal().is_empty() {
        options.password(question.passwd.reveal());
    }
    if !question.database.is_empty() {
        options.dbname(&question.database);
    }
    let wire = Bounded { inner: open(addr, port, None).await?, left: LIMIT };
    trace::doing("waiting for the answer to the login");
    let (client, connection) = options.connect_raw(wire, tokio_postgres::NoTls).await.map_err(failed("login"))?;
    trace::note(|| format!("logged in as {}", question.login));
    trace::doing("waiting for the answer to the query");
    trace::sent(question.query.as_bytes());
    let query = async {
        let mut rows = pin!(client.simple_query_raw(&question.query).await?);
        while let Some(message) = rows.next().await {
            if matches!(message?, SimpleQueryMessage::Row(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    tokio::select! {
        row = query => row.map_err(failed("query")),
        end = connection => match end {
            Err(error) => Err(failed("connection")(error)),
            Ok(()) => Err(Failure::Answer("the server closed the connection".into())),
        },
    }
}

/// Oracle's client library is not free, so its own command is called; the password goes through a pipe, not the command line.
async fn oracle(server: SocketAddr, question: &Sql) -> Result<bool, Failure> {
    // A dead port need not wait for the client's patience.
    drop(connect::open(server.ip(), server.port()).await?);
    let quoted = |s: &str| s.replace('"', "\"\"");
    let script = format!(
        "WHENEVER SQLERROR EXIT FAILURE\nWHENEVER OSERROR EXIT FAILURE\nSET HEADING OFF FEEDBACK OFF PAGESIZE 0 VERIFY OFF\n\
         CONNECT \"{}\"/\"{}\"@//{server}/{}\n{};\nEXIT SUCCESS\n",
        quoted(&question.login),
        quoted(question.passwd.reveal()),
        question.database,
        question.query.trim_end().trim_end_matches(';'),
    );
    let mut child = tokio::process::Command::new("sqlplus")
        .args(["-S", "-L", "/nolog"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(Failure::io("an oracle check needs Oracle's command sqlplus, which cannot be run"))?;
    let group = external::Group::of(&child);
    trace::doing("waiting for sqlplus");
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes()).await.map_err(Failure::io("sqlplus"))?;
    }
    let mut said = Vec::new();
    if let Some(output) = child.stdout.take() {
        let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX);
        output.take(limit).read_to_end(&mut said).await.map_err(Failure::io("sqlplus"))?;
    }
    trace::received(&said);
    let status = child.wait().await.map_err(Failure::io("wait"))?;
    group.ended();
    if !status.success() {
        return Err(Failure::Answer(format!("sqlplus: {}", super::answer::shown(&said))));
    }
    Ok(said.iter().any(|b| !b.is_ascii_whitespace()))
}

/// A connection that ends in an error when too much has come, and shows what comes.
struct Bounded {
    inner: Box<dyn Wire>,
    left: usize,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(std::io::Error::other("the answer has no end")));
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if !fresh.is_empty() {
            trace::received(fresh);
        }
        self.left = self.left.saturating_sub(fresh.len());
        result
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
