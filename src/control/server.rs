//! The daemon's side of the control socket. Decides who may ask and keeps bad clients from doing harm: bounded lines,
//! bounded number of clients, bounded waiting. What a request means is the handler's.

use std::future::Future;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedWriteHalf, UCred};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::GROUP;
use super::proto::{Greeting, Request, Response, VERSION};

/// What clients may take up.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest request line in bytes, without its newline.
    pub line: usize,
    /// Clients at one time; one more is turned away.
    pub clients: usize,
    /// A client that asks nothing for this long is dropped, as is one that takes longer to read its answer.
    pub idle: Duration,
    /// The handler's time for one answer.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 64 * 1024, clients: 32, idle: Duration::from_secs(60), answer: Duration::from_secs(10) }
    }
}

/// Why a control socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A living process answers on it.
    #[error("{}: another daemon serves this control socket", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something that is not a socket has its name.
    #[error("{}: exists and is not a socket", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{}: {doing}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An open control socket; dropping it removes the socket's file.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file, so that a successor's is never removed.
    file: (u64, u64),
    /// Group haclient, where it exists.
    group: Option<Gid>,
    limits: Limits,
}

impl Server {
    /// Opens the socket at `path`, making its directory (0755) and replacing the socket of a daemon that has died. The
    /// socket has mode 0660 and belongs to group haclient where there is one. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// See [`BindError`]; a living daemon's socket is left alone.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        Self::bind_with(path, Limits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub fn bind_with(path: &Path, limits: Limits) -> Result<Self, BindError> {
        let fail = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| BindError::Io { path, doing, source }
        };
        if let Some(dir) = path.parent().filter(|d| !d.exists()) {
            // The process's umask may be stricter than the clients need, so the mode is set once more.
            std::fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(fail("cannot make the directory", dir))?;
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).map_err(fail("cannot set the mode", dir))?;
        }
        refuse_living(path)?;
        // Made under another name and moved in place: it never appears with the wrong mode, and a dead one goes in one step.
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let _ = std::fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(fail("cannot open the control socket", &fresh))?;
        let group = Group::from_name(GROUP).ok().flatten().map(|g| g.gid);
        let place = || {
            if let Some(gid) = group {
                // Fails for a daemon that is neither root nor a member; then only its own user may ask.
                let _ = std::os::unix::fs::chown(&fresh, None, Some(gid.as_raw()));
            }
            std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o660))?;
            let meta = std::fs::metadata(&fresh)?;
            std::fs::rename(&fresh, path)?;
            Ok((meta.dev(), meta.ino()))
        };
        let file = place().map_err(|e| {
            let _ = std::fs::remove_file(&fresh);
            fail("cannot put the control socket in place", path)(e)
        })?;
        Ok(Self { listener, path: path.to_owned(), file, group, limits })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves clients for as long as the future is polled; dropping it drops the clients. Each client has its own task, so
    /// `handler` may take its time; it is given [`Limits::answer`] and then left.
    pub async fn serve<H, F>(&self, handler: H)
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let places = Arc::new(Semaphore::new(self.limits.clients));
        let mut clients = JoinSet::new();
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of descriptors, most likely: without a pause this would spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            while clients.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                clients.spawn(turn_away(stream, "too many clients", Duration::from_secs(1)));
                continue;
            };
            let (handler, group, limits) = (Arc::clone(&handler), self.group, self.limits);
            clients.spawn(async move {
                match stream.peer_cred() {
                    Ok(peer) if admitted(&peer, group).await => {
                        // A client that goes away in the middle is its own affair.
                        let _ = converse(stream, &*handler, limits).await;
                    }
                    _ => turn_away(stream, "permission denied: only root and group haclient may ask", limits.idle).await,
                }
                drop(place);
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Fails if somebody listens at `path` or something else than a socket is there.
fn refuse_living(path: &Path) -> Result<(), BindError> {
    use std::os::unix::fs::FileTypeExt as _;
    let Ok(meta) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !meta.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    match super::client::probe(path) {
        true => Err(BindError::InUse { path: path.to_owned() }),
        false => Ok(()),
    }
}

/// Root, the daemon's own user, and members of the group. The file's mode says the same; this holds when it was changed.
async fn admitted(peer: &UCred, group: Option<Gid>) -> bool {
    if peer.uid() == 0 || peer.uid() == Uid::effective().as_raw() || group.is_some_and(|g| g.as_raw() == peer.gid()) {
        return true;
    }
    let Some(group) = group else { return false };
    let uid = Uid::from_raw(peer.uid());
    // The user database may be a directory server far away.
    let member = move || {
        let user = User::from_uid(uid).ok().flatten()?;
        Some(user.gid == group || Group::from_gid(group).ok().flatten()?.mem.contains(&user.name))
    };
    tokio::task::spawn_blocking(member).await.ok().flatten().unwrap_or(false)
}

/// One client's conversation, until it goes, is silent for too long or sends a line that is too long.
async fn converse<H, F>(stream: UnixStream, handler: &H, limits: Limits) -> io::Result<()>
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    say(&mut write, &Greeting { v: VERSION }, limits.idle).await?;
    let most = u64::try_from(limits.line).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut read).take(most);
        let Ok(got) = timeout(limits.idle, bounded.read_until(b'\n', &mut line)).await else { return Ok(()) };
        if got? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            if line.len() > limits.line {
                let why = format!("request longer than {} bytes", limits.line);
                say(&mut write, &Response::Refused { why }, limits.idle).await?;
            }
            return Ok(());
        }
        let answer = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => timeout(limits.answer, handler(request))
                .await
                .unwrap_or_else(|_| Response::Refused { why: "the daemon is too busy to answer".into() }),
            Err(e) => Response::Refused { why: format!("not a request: {e}") },
        };
        say(&mut write, &answer, limits.idle).await?;
    }
}

/// Greets and refuses, so that the client can tell why.
async fn turn_away(stream: UnixStream, why: &str, limit: Duration) {
    let (_read, mut write) = stream.into_split();
    let refused = Response::Refused { why: why.to_owned() };
    if say(&mut write, &Greeting { v: VERSION }, limit).await.is_ok() {
        let _ = say(&mut write, &refused, limit).await;
    }
}

/// Writes one line.
async fn say(write: &mut OwnedWriteHalf, what: &impl serde::Serialize, limit: Duration) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    timeout(limit, write.write_all(&line)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
