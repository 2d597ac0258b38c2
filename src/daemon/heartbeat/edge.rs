//! Everything beside the heartbeat thread: groups, addresses, the control socket, signals, files.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::SigSet;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use super::core::{ToCore, ToEdge};
use super::hooks::{self, Hooks};
use super::report::{Events, snapshot};
use super::{Paths, clients, next_identity, reboot};
use crate::agents::builtin::vip::Vips;
use crate::agents::haresources::{Runner, addresses};
use crate::cluster::io::{Command, Event, GroupId, Held, Input, Level, Mono, Outcome, Subject, Verb, View};
use crate::config::digest::{self, Digests};
use crate::config::load::System;
use crate::config::load::cluster::{load, node_name};
use crate::config::report::{Part, parts};
use crate::config::settings::{Group, Keys, Medium, Settings};
use crate::control::proto::{Request, Response};
use crate::control::server::Server;
use crate::log::Log;

/// Between two looks at the files.
const FILES: Duration = Duration::from_secs(5);
/// Between two looks at the load average.
const LOAD: Duration = Duration::from_secs(1);
/// Between two looks at the peers' Ethernet addresses.
const LEARN: Duration = Duration::from_secs(10);
/// Between two looks whether it is known who holds what, for addresses left over from the last run.
const SETTLE: Duration = Duration::from_secs(1);

/// Between two looks whether this node is active.
const ACTIVE: Duration = Duration::from_millis(250);

/// The parts, shared by the tasks.
pub(super) struct Edge {
    pub(super) settings: Arc<Settings>,
    pub(super) paths: Paths,
    pub(super) log: Log,
    pub(super) to_core: mpsc::Sender<ToCore>,
    pub(super) events: Arc<Events>,
    pub(super) vips: Arc<Vips>,
    pub(super) runner: Arc<Runner>,
    pub(super) hooks: Hooks,
    /// What scripts find in their environment.
    pub(super) environment: Vec<(String, String)>,
    pub(super) start: Instant,
    pub(super) foreground: bool,
    /// The text of the key in use.
    pub(super) secret: Mutex<Vec<u8>>,
}

impl Edge {
    /// Works until the node has stopped. What it holds is returned if a next run is to hold it. `strays` are groups that the run
    /// before has left and that no file has any more.
    pub(super) async fn run(
        self,
        mut from_core: mpsc::Receiver<ToEdge>,
        server: Option<Server>,
        strays: Vec<Group>,
    ) -> anyhow::Result<Option<Vec<Held>>> {
        let edge = Arc::new(self);
        let sources = Arc::new(Mutex::new(BTreeSet::new()));
        let mut tasks = tokio::task::JoinSet::new();
        if let Some(server) = server {
            let handler = Arc::clone(&edge);
            tasks.spawn(async move {
                server.serve(move |request| Arc::clone(&handler).answer(request)).await;
            });
        }
        tasks.spawn(Arc::clone(&edge).load());
        tasks.spawn(Arc::clone(&edge).files());
        tasks.spawn(Arc::clone(&edge).settle());
        tasks.spawn(Arc::clone(&edge).learn(Arc::clone(&sources)));
        tasks.spawn(Arc::clone(&edge).signals());
        tasks.spawn(Arc::clone(&edge).monitor());
        tasks.spawn(Arc::clone(&edge).carrier());
        tasks.spawn(Arc::clone(&edge).announce());
        tasks.spawn(hooks::fifo(edge.paths.state.join("fifo"), edge.to_core.clone(), edge.log.clone()));
        let clients = clients::Shared::default();
        tasks.spawn(Arc::clone(&edge).clients(Arc::clone(&clients)));
        for group in strays {
            let edge = Arc::clone(&edge);
            tokio::spawn(async move { edge.runner.run(&group, Verb::Stop).await });
        }
        let mut kept = None;
        while let Some(message) = from_core.recv().await {
            match message {
                ToEdge::Run { id, group, verb } => {
                    let edge = Arc::clone(&edge);
                    tokio::spawn(async move {
                        let outcome = match edge.settings.groups.get(group.0) {
                            Some(group) => edge.runner.run(group, verb).await,
                            None => Outcome::Failed(format!("no resource group {}", group.0)),
                        };
                        if let (Verb::Stop, Outcome::Failed(_), true) = (verb, &outcome, edge.settings.local.reboot) {
                            edge.log.write(Level::Crit, "Resource STOP failure. Reboot required!");
                            reboot::at_once(&edge.log).await;
                        }
                        edge.tell_core(ToCore::Input(Input::ActionDone { id, outcome })).await;
                    });
                }
                ToEdge::Event(at, event) => {
                    edge.hooks.event(&event, |node| edge.settings.ping.iter().any(|p| p.name == node));
                    edge.events.push(at, event);
                }
                ToEdge::Notify(fields) => edge.hooks.message(fields),
                ToEdge::Announce { group } => {
                    let edge = Arc::clone(&edge);
                    tokio::spawn(async move { edge.announce_group(group).await });
                }
                ToEdge::Fence { node } => {
                    tokio::spawn(Arc::clone(&edge).fence(node));
                }
                ToEdge::Source(address) => {
                    sources.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
                }
                ToEdge::NewRun => {
                    let edge = Arc::clone(&edge);
                    tokio::task::spawn_blocking(move || match next_identity(&edge.settings, &edge.paths, &edge.log) {
                        Ok(identity) => {
                            let _ = edge.to_core.blocking_send(ToCore::Identity(identity));
                        }
                        Err(e) => {
                            // Without a new generation the peers would drop every packet: better to be seen dead.
                            edge.log.write(Level::Crit, &format!("Cannot restart: {e:#}"));
                            let _ = edge.to_core.blocking_send(ToCore::Input(Input::Command(Command::Stop)));
                        }
                    });
                }
                ToEdge::Stopped => break,
                ToEdge::Succeeded(held) => {
                    kept = Some(held);
                    break;
                }
            }
        }
        tasks.shutdown().await;
        clients.lock().await.stop().await;
        Ok(kept)
    }

    /// Time since the daemon started.
    pub(super) fn now(&self) -> Mono {
        Mono(self.start.elapsed())
    }

    /// Announces a group's addresses that are here.
    async fn announce_group(&self, group: GroupId) {
        let Some(group) = self.settings.groups.get(group.0) else { return };
        if let Err(e) = self.vips.announce(&addresses(&group.resources)).await {
            self.log.write(Level::Error, &format!("Cannot announce the addresses again: {}", crate::errors::chain(&e)));
        }
    }

    pub(super) async fn tell_core(&self, message: ToCore) {
        if self.to_core.send(message).await.is_err() {
            self.log.write(Level::Debug, "the heartbeat thread has ended");
        }
    }

    pub(super) async fn view(&self) -> Option<(View, Mono)> {
        let (sender, receiver) = oneshot::channel();
        self.tell_core(ToCore::View(sender)).await;
        receiver.await.ok()
    }

    async fn answer(self: Arc<Self>, request: Request) -> Response {
        let command = match request {
            Request::Status => {
                return match self.view().await {
                    Some((view, now)) => Response::Cluster(Box::new(snapshot(&self.settings, view, &self.events, now))),
                    None => Response::Refused { why: "heartbeat is stopping".into() },
                };
            }
            Request::Standby { set } => Command::Standby(set),
            Request::Takeover { set } => Command::Takeover(set),
            _ => return Response::Refused { why: "heartbeat has no real servers: ask ldirectord".into() },
        };
        self.tell_core(ToCore::Input(Input::Command(command))).await;
        Response::Accepted
    }

    /// Starts the programs of `respawn` and `failfast` once this node is active.
    async fn clients(self: Arc<Self>, clients: clients::Shared) {
        if self.settings.local.respawn.is_empty() {
            return;
        }
        let mut tick = interval(ACTIVE);
        loop {
            tick.tick().await;
            match self.view().await {
                Some((view, _)) if view.status == "active" => break,
                Some(_) => {}
                None => return,
            }
        }
        clients.lock().await.start(&self.settings.local.respawn, &self.environment, &self.log);
    }

    /// Digests of the files, for the other nodes.
    async fn files(self: Arc<Self>) {
        let mut told = Digests::default();
        let mut tick = interval(FILES);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let mut files = BTreeMap::new();
            for name in digest::FILES {
                if let Ok(content) = tokio::fs::read(self.paths.config.join(name)).await {
                    files.insert(name, content);
                }
            }
            let digests = Digests::of(&files, &self.secret.lock().unwrap_or_else(PoisonError::into_inner));
            if digests != told {
                told = digests;
                self.tell_core(ToCore::Input(Input::Files(told.clone()))).await;
            }
        }
    }

    /// The load average, for the heartbeats.
    async fn load(self: Arc<Self>) {
        let mut tick = interval(LOAD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "n/a".into());
            self.tell_core(ToCore::Input(Input::Load(load.trim_end().to_owned()))).await;
        }
    }

    /// Addresses left over from a killed run: those that others have taken go at once, the rest as soon as it is known who is
    /// to hold them.
    async fn settle(self: Arc<Self>) {
        if self.vips.leftovers().await.is_empty() {
            return;
        }
        if let Err(e) = self.vips.give_up_taken().await {
            self.log.write(Level::Error, &format!("Addresses left over from the last run: {:#}", anyhow::Error::from(e)));
        }
        let mut tick = interval(SETTLE);
        loop {
            tick.tick().await;
            let Some((view, _)) = self.view().await else { return };
            if !view.stable || view.groups.iter().any(|g| g.moving.is_some()) {
                continue;
            }
            let mine = |owner: &Option<String>| owner.as_deref() == Some(self.settings.me.as_str());
            let held = self.settings.groups.iter().zip(&view.groups).filter(|(_, v)| mine(&v.owner));
            let keep: Vec<IpAddr> = held.flat_map(|(g, _)| addresses(&g.resources)).collect();
            if let Err(e) = self.vips.give_up_leftovers(&keep).await {
                self.log.write(Level::Error, &format!("Addresses left over from the last run: {:#}", anyhow::Error::from(e)));
            }
            return;
        }
    }

    /// Learns which Ethernet addresses are the peers': behind the addresses that their packets come from and that the links
    /// send to, and behind the groups that they hold.
    async fn learn(self: Arc<Self>, sources: Arc<Mutex<BTreeSet<Ipv4Addr>>>) {
        let mut tick = interval(LEARN);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A node says that it holds a group before it has found out whether a stranger has its address: a look later it is true.
        let mut owners: Vec<Option<String>> = Vec::new();
        loop {
            tick.tick().await;
            let mut known = sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
            known.extend(self.settings.media.iter().filter_map(|m| match m {
                Medium::Ucast { peer, .. } => Some(*peer),
                _ => None,
            }));
            for ip in known {
                self.vips.learn(ip, &ip.to_string()).await;
            }
            let Some((view, _)) = self.view().await else { return };
            let before = std::mem::replace(&mut owners, view.groups.iter().map(|g| g.owner.clone()).collect());
            for ((group, state), before) in self.settings.groups.iter().zip(&view.groups).zip(before) {
                let Some(owner) = state.owner.as_ref().filter(|o| **o != self.settings.me) else { continue };
                if before.as_ref() != Some(owner) {
                    continue;
                }
                let alive = view.nodes.iter().any(|n| n.name == *owner && n.status == "active");
                for ip in addresses(&group.resources).into_iter().filter(|_| alive && state.moving.is_none()) {
                    if let IpAddr::V4(ip) = ip {
                        self.vips.learn(ip, owner).await;
                    }
                }
            }
        }
    }

    async fn signals(self: Arc<Self>) {
        let (Ok(mut term), Ok(mut int), Ok(mut hup), Ok(mut usr1), Ok(mut usr2)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::hangup()),
            signal(SignalKind::user_defined1()),
            signal(SignalKind::user_defined2()),
        ) else {
            self.log.write(Level::Error, "Cannot catch signals; only the control socket is listened to.");
            return;
        };
        // They were held back while the last run became this one.
        if let Err(e) = SigSet::all().thread_unblock() {
            self.log.write(Level::Error, &format!("Cannot let signals in: {e}"));
        }
        let mut seen = (modified(&self.paths.ha_cf()), modified(&self.paths.authkeys()));
        loop {
            tokio::select! {
                _ = term.recv() => self.stop().await,
                _ = int.recv() => if self.foreground { self.stop().await },
                _ = hup.recv() => Arc::clone(&self).reread(&mut seen).await,
                _ = usr1.recv() => self.debug(1),
                _ = usr2.recv() => self.debug(-1),
            }
        }
    }

    async fn stop(&self) {
        self.log.write(Level::Info, "Received a request to stop.");
        self.tell_core(ToCore::Input(Input::Command(Command::Stop))).await;
    }

    fn debug(&self, step: i16) {
        let level = u8::try_from((i16::from(self.log.debug()) + step).clamp(0, 255)).unwrap_or_default();
        self.log.set_debug(level);
        self.log.write(Level::Info, &format!("Debug level is {level} now."));
    }

    /// SIGHUP. A changed `ha.cf` is for a next run of the daemon, which takes this one's place without letting go of anything; new
    /// keys alone are taken over at once. Files with errors change nothing.
    async fn reread(self: Arc<Self>, seen: &mut (Option<SystemTime>, Option<SystemTime>)) {
        let now = (modified(&self.paths.ha_cf()), modified(&self.paths.authkeys()));
        let (cf_changed, keys_changed) = (now.0 != seen.0, now.1 != seen.1);
        *seen = now;
        if !cf_changed && !keys_changed {
            return self.log.write(Level::Info, "Configuration unchanged.");
        }
        if !cf_changed {
            self.log.write(Level::Info, "Rereading authentication file.");
        }
        let edge = Arc::clone(&self);
        // Resolving names may take its time.
        let loaded = tokio::task::spawn_blocking(move || {
            let loaded = load(&edge.paths.config, &node_name(&edge.paths.config), &System::new());
            let report = parts(&loaded.findings, &loaded.sources);
            (loaded.settings, report)
        });
        match loaded.await {
            Ok((Some(_), _)) if cf_changed => self.tell_core(ToCore::Input(Input::Command(Command::Succeed))).await,
            Ok((Some(settings), _)) => {
                *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret(&settings.keys);
                self.tell_core(ToCore::Keys(settings.keys)).await;
            }
            Ok((None, report)) => {
                for part in report {
                    if let Part::Log(severity, text) = part {
                        self.log.write(super::level(severity), &text);
                    }
                }
                self.log.write(Level::Error, "The files have errors: the running configuration stays.");
            }
            Err(e) => self.log.write(Level::Error, &format!("Cannot read the files again: {e}")),
        }
    }
}

/// The text of the key in use.
pub(super) fn secret(keys: &Keys) -> Vec<u8> {
    keys.get(keys.active).map(|k| k.secret.clone()).unwrap_or_default()
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}

/// An event of the edge: logged, and kept for the status.
pub(super) fn record(log: &Log, events: &Events, at: Mono, level: Level, text: &str) {
    log.write(level, text);
    events.push(at, told(level, text));
}

pub(super) fn told(level: Level, text: &str) -> Event {
    Event { level, subject: Subject::Cluster, text: text.to_owned() }
}
