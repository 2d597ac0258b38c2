//! LDAP: bind, and the one entry of the request.
//!
//! The library talks to one end of a pair of sockets and this file carries the bytes: so TLS, the limit of bytes and the
//! trace are those of every check.

use std::net::IpAddr;

use ldap3::{LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, StdStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::line::{Wire, open};
use super::spec::Ldap;
use super::{Failure, matches, trace};

/// Bytes that a server may send.
const LIMIT: usize = 1 << 20;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Ldap) -> Result<String, Failure> {
    let wire = open(addr, port, question.tls.as_ref()).await?;
    let (near, far) = std::os::unix::net::UnixStream::pair().map_err(Failure::io("socket"))?;
    near.set_nonblocking(true).map_err(Failure::io("socket"))?;
    let near = UnixStream::from_std(near).map_err(Failure::io("socket"))?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(far));
    let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi://check").await.map_err(failed("connect"))?;
    tokio::select! {
        verdict = judge(ldap, question) => verdict,
        Err(failure) = carry(wire, near) => Err(failure),
        Err(error) = connection.drive() => Err(failed("LDAP")(error)),
    }
}

async fn judge(mut ldap: ldap3::Ldap, question: &Ldap) -> Result<String, Failure> {
    trace::doing("waiting for the answer to the bind");
    let (name, passwd) = question.login.as_ref().map_or(("", ""), |(name, passwd)| (name.as_str(), passwd.reveal()));
    ldap.simple_bind(name, passwd).await.and_then(ldap3::LdapResult::success).map_err(failed("bind"))?;
    trace::note(|| format!("bound as {}", if name.is_empty() { "nobody" } else { name }));
    trace::doing("waiting for the answer to the search");
    let found = ldap.search(&question.base, Scope::Base, "(objectClass=*)", vec!["1.1"]).await;
    let (mut entries, _) = found.and_then(ldap3::SearchResult::success).map_err(failed("search"))?;
    let base = &question.base;
    let count = entries.len();
    let Some(entry) = entries.pop().filter(|_| count == 1) else {
        return Err(Failure::Answer(format!("{base:?} is {count} entries, not one")));
    };
    let name = SearchEntry::construct(entry).dn;
    if let Some(pattern) = &question.receive
        && !matches(pattern, name.as_bytes())?
    {
        return Err(Failure::Answer(format!("/{pattern}/ is not {name:?}")));
    }
    let _ = ldap.unbind().await;
    Ok(format!("found {name:?}"))
}

/// Carries bytes both ways; ends with an error when the server does, or has sent too many.
async fn carry(mut wire: Box<dyn Wire>, mut library: UnixStream) -> Result<(), Failure> {
    let (mut down, mut up) = ([0; 8192], [0; 8192]);
    let mut total = 0;
    loop {
        tokio::select! {
            read = wire.read(&mut down) => {
                let read = read.map_err(Failure::io("read"))?;
                total += read;
                if read == 0 {
                    return Err(Failure::Answer("the server closed the connection".into()));
                }
                if total > LIMIT {
                    return Err(Failure::Answer(format!("the answer has no end: {total} bytes")));
                }
                let bytes = down.get(..read).unwrap_or_default();
                trace::received(bytes);
                library.write_all(bytes).await.map_err(Failure::io("socket"))?;
            }
            read = library.read(&mut up) => {
                let read = read.map_err(Failure::io("socket"))?;
                if read == 0 {
                    // The library has no more to say; the verdict comes from the other side.
                    return Ok(());
                }
                // A bind has the password in it.
                trace::note(|| format!("sent {read} bytes"));
                wire.write_all(up.get(..read).unwrap_or_default()).await.map_err(Failure::io("send"))?;
                wire.flush().await.map_err(Failure::io("send"))?;
            }
        }
    }
}

/// For `map_err`.
fn failed(what: &'static str) -> impl FnOnce(LdapError) -> Failure {
    move |error| Failure::Answer(format!("{what}: {error}"))
}
