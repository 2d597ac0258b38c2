//! The control socket and what is answered over it.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Daemon, unix_seconds};
use crate::control;
use crate::control::proto::{Request, Response};
use crate::control::server::Server;
use crate::director::{Event, Order};
use crate::status::snapshot;

/// A request of the control socket and the way back.
pub(super) type Asked = (Request, oneshot::Sender<Response>);

impl Daemon {
    /// The control socket, if it can be had; the balancing goes on without it.
    pub(super) fn open_control(&mut self, requests: mpsc::Sender<Asked>) -> Option<tokio::task::JoinHandle<()>> {
        let path = control::director_socket(&control::run_dir(), &self.setup.instance);
        let server = match Server::bind(&path) {
            Ok(server) => server,
            Err(error) => {
                self.event(Event::warn(format!("no control socket: {:#}", anyhow::Error::from(error))));
                return None;
            }
        };
        Some(tokio::spawn(async move {
            let handler = move |request| {
                let requests = requests.clone();
                async move {
                    let gone = || Response::Refused { why: "ldirectord is ending".into() };
                    let (reply, answer) = oneshot::channel();
                    if requests.send((request, reply)).await.is_err() {
                        return gone();
                    }
                    answer.await.unwrap_or_else(|_| gone())
                }
            };
            server.serve(handler).await;
        }))
    }

    pub(super) fn answer(&mut self, request: &Request) -> Response {
        match request {
            Request::Status => self.status(),
            Request::Drain { real, deadline } => self.order(real, Some(Order::Drain(deadline.map(Duration::from_secs)))),
            Request::Undrain { real } => self.order(real, Some(Order::Undrain)),
            Request::Maintenance { real, on } => self.order(real, Some(Order::Maintenance(*on))),
            Request::Real { real } => self.order(real, None),
            Request::Standby { .. } | Request::Takeover { .. } => {
                Response::Refused { why: "ldirectord has no resource groups: ask heartbeat".into() }
            }
        }
    }

    fn status(&mut self) -> Response {
        let now = self.now();
        // Fresh connection counts; the table as last seen if the kernel does not answer.
        let _ = self.kernel.dump();
        let events = self.journal.decisions.iter().map(|d| snapshot::Event {
            ago: (unix_seconds() - d.at).max(0.0),
            level: d.level.clone(),
            text: d.text.clone(),
        });
        let state = snapshot::Director {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime: now.0.as_secs_f64(),
            instance: self.setup.instance.clone(),
            file: self.setup.file.display().to_string(),
            config_error: self.config_error.clone(),
            sysctls: self.record.settings().into_iter().map(|s| (s.name, s.before)).collect(),
            virtuals: self.director.view(now, self.kernel.seen()),
            events: events.collect(),
        };
        Response::Director(Box::new(state))
    }
}
