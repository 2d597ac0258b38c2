//! Sends alerts: mail, webhook, hook. One task and one bounded queue for mail, and for each webhook and hook, so that one that
//! hangs holds up neither the director nor the others.
//!
//! Mails are rate limited: ten at once, then one every six seconds; what comes faster is put together, one mail for each
//! service and its addressees.

use std::collections::BTreeMap;
use std::time::Duration;

use lettre::address::{Address, Envelope};
use lettre::message::{Body, Mailbox, header};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{child, unix_seconds};
use crate::director::plan::{Alerts, Mail};
use crate::director::{Alert, Event, alert};

/// Alerts that wait for their way at most.
const QUEUE: usize = 1024;
/// Alerts that one mail lists.
const LISTED: usize = 200;
/// Mails that may leave at once.
const BURST: u32 = 10;
/// From one further mail to the next.
const PACE: Duration = Duration::from_secs(6);
/// For one mail or webhook.
const SENDING: Duration = Duration::from_secs(20);
/// For one run of a hook; its process group is killed then.
const HOOK: Duration = Duration::from_secs(30);
/// For all that is under way when the daemon ends.
const LAST: Duration = Duration::from_secs(5);

/// The ways out.
#[derive(Debug)]
pub(super) struct Sender {
    office: Office,
    mail: Way<(Mail, Alert)>,
    webhooks: BTreeMap<String, Way<Alert>>,
    hooks: BTreeMap<String, Way<Alert>>,
    /// Alerts that found a queue full, since the last word about it.
    lost: usize,
}

/// A queue and the task that empties it.
#[derive(Debug)]
struct Way<T> {
    queue: mpsc::Sender<T>,
    task: JoinHandle<()>,
}

impl<T> Way<T> {
    fn new<F: Future<Output = ()> + Send + 'static>(empty: impl FnOnce(mpsc::Receiver<T>) -> F) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self { queue, task: tokio::spawn(empty(waiting)) }
    }

    /// Whether there was no room.
    fn lost(&self, one: T) -> bool {
        self.queue.try_send(one).is_err()
    }
}

/// What the tasks have in common.
#[derive(Debug, Clone)]
struct Office {
    host: String,
    instance: String,
    /// To the log.
    told: mpsc::Sender<Event>,
}

impl Sender {
    /// Nothing waits yet; what is worth a log line goes to `told`.
    pub(super) fn start(host: String, instance: String, told: mpsc::Sender<Event>) -> Self {
        let office = Office { host, instance, told };
        let mail = Way::new(|mails| post(office.clone(), mails));
        Self { office, mail, webhooks: BTreeMap::new(), hooks: BTreeMap::new(), lost: 0 }
    }

    /// Puts an alert on its ways; never waits. The log lines about it come back.
    pub(super) fn send(&mut self, alert: &Alert, alerts: &Alerts) -> Vec<Event> {
        let mut events = Vec::new();
        let mut lost = 0;
        if let Some(mail) = alerts.mail.as_ref().filter(|m| m.wanted(alert.phase)) {
            events.push(Event::info(format!("emailalert: {}", alert.text)));
            lost += usize::from(self.mail.lost((mail.clone(), alert.clone())));
        }
        let office = &self.office;
        if let Some(url) = &alerts.webhook {
            let new = || Way::new(|alerts| call(office.clone(), url.clone(), alerts));
            lost += usize::from(self.webhooks.entry(url.clone()).or_insert_with(new).lost(alert.clone()));
        }
        if let Some(line) = &alerts.hook {
            let new = || Way::new(|alerts| run(office.clone(), line.clone(), alerts));
            lost += usize::from(self.hooks.entry(line.clone()).or_insert_with(new).lost(alert.clone()));
        }
        if lost > 0 {
            if self.lost == 0 {
                events.push(Event::warn("alerts come faster than they can be sent: some are lost"));
            }
            self.lost += lost;
        } else if self.lost > 0 {
            events.push(Event::warn(format!("{} alerts were lost", std::mem::take(&mut self.lost))));
        }
        events
    }

    /// Sends what waits, for some seconds.
    pub(super) async fn finish(self) {
        // Their queues end here.
        let others = self.webhooks.into_values().chain(self.hooks.into_values()).map(|way| way.task);
        let mut tasks: Vec<JoinHandle<()>> = others.chain([self.mail.task]).collect();
        let _ = timeout(LAST, async {
            for task in &mut tasks {
                let _ = task.await;
            }
        })
        .await;
        tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Office {
    /// Tells a failure, but not the same one again and again.
    async fn failed(&self, last: &mut Option<String>, text: String) {
        if last.as_ref() != Some(&text) {
            let _ = self.told.send(Event::error(text.clone())).await;
            *last = Some(text);
        }
    }
}

/// When mails may leave.
#[derive(Debug)]
struct Pace {
    left: u32,
    next: Instant,
}

impl Pace {
    /// Mails that may leave now.
    fn allowed(&mut self) -> u32 {
        let now = Instant::now();
        while self.left < BURST && self.next <= now {
            self.left += 1;
            self.next += PACE;
        }
        self.left
    }

    fn took(&mut self) {
        if self.left == BURST {
            self.next = Instant::now() + PACE;
        }
        self.left = self.left.saturating_sub(1);
    }
}

/// What waits to be mailed.
type Waiting = Vec<(Mail, Alert)>;

/// What goes into the next mail: one alert if there is room for each, else all to the same addressees about one service.
fn next_mail(waiting: &mut Waiting, allowed: u32) -> Option<(Mail, Vec<Alert>)> {
    let (mail, first) = waiting.first().cloned()?;
    if waiting.len() <= usize::try_from(allowed).unwrap_or(usize::MAX) {
        waiting.remove(0);
        return Some((mail, vec![first]));
    }
    let together = |(m, a): &mut (Mail, Alert)| *m == mail && a.service == first.service;
    let taken: Vec<Alert> = waiting.extract_if(.., together).map(|(_, a)| a).collect();
    Some((mail, taken))
}

async fn post(office: Office, mut mails: mpsc::Receiver<(Mail, Alert)>) {
    let mut pace = Pace { left: BURST, next: Instant::now() };
    let mut waiting = Waiting::new();
    let mut failure = None;
    loop {
        if waiting.is_empty() {
            let Some(one) = mails.recv().await else { return };
            waiting.push(one);
        }
        while let Ok(one) = mails.try_recv() {
            waiting.push(one);
        }
        let mut allowed = pace.allowed();
        if allowed == 0 {
            tokio::select! {
                () = tokio::time::sleep_until(pace.next) => continue,
                one = mails.recv() => match one {
                    Some(one) => {
                        waiting.push(one);
                        continue;
                    }
                    // The end: no more than one mail for each service.
                    None => allowed = 1,
                },
            }
        }
        let Some((mail, alerts)) = next_mail(&mut waiting, allowed) else { continue };
        pace.took();
        let (listed, left_out) = alerts.split_at(alerts.len().min(LISTED));
        let Some((subject, text)) = alert::mail(listed, left_out.len(), &office.host) else { continue };
        match deliver(&office.host, &mail, &subject, text).await {
            Ok(()) => failure = None,
            Err(why) => {
                let kind = if mail.smtp.is_some() { "SMTP email" } else { "email" };
                office.failed(&mut failure, format!("failed to send {kind} message: {why}")).await;
            }
        }
    }
}

/// Sends one mail, through the relay or by the local mailer.
async fn deliver(host: &str, mail: &Mail, subject: &str, text: String) -> Result<(), String> {
    let own = Address::new("root", host).or_else(|_| Address::new("root", "localhost")).map_err(|e| e.to_string())?;
    let whole = |a: &str| if a.contains('@') { a.to_owned() } else { format!("{a}@{}", own.domain()) };
    let from: Mailbox = match &mail.from {
        Some(from) => whole(from).parse().map_err(|e| format!("{from}: {e}"))?,
        None => Mailbox::new(None, own.clone()),
    };
    let mut to = Vec::new();
    let mut builder = Message::builder().from(from).subject(subject).header(header::ContentType::TEXT_PLAIN);
    for one in &mail.to {
        let address: Address = whole(one).parse().map_err(|e| format!("{one}: {e}"))?;
        builder = builder.to(Mailbox::new(None, address.clone()));
        to.push(address);
    }
    let envelope = Envelope::new(Some(own.clone()), to.clone()).map_err(|e| e.to_string())?;
    let message = builder.message_id(None).envelope(envelope).body(body(text)).map_err(|e| e.to_string())?;
    let Some(smtp) = &mail.smtp else {
        let mut command = Command::new(mailer());
        command.args(["-i", "-f", own.as_ref(), "--"]).args(to.iter().map(AsRef::<str>::as_ref));
        let text = String::from_utf8_lossy(&message.formatted()).replace("\r\n", "\n");
        return child::run(command, &text, SENDING).await;
    };
    // As the original: plain SMTP to the relay of the house.
    let relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp)
        .hello_name(ClientId::Domain(host.to_owned()))
        .timeout(Some(SENDING / 2))
        .build();
    match timeout(SENDING, relay.send(message)).await {
        Ok(sent) => sent.map(drop).map_err(|e| crate::errors::chain(&e)),
        Err(_) => Err(format!("{smtp}: no answer within {} s", SENDING.as_secs())),
    }
}

/// The text as it is, as the original has it, so that it can be searched: the library would encode lines above 76 characters.
/// What a mail must not have is encoded all the same.
fn body(text: String) -> Body {
    if text.is_ascii() && !text.contains('\0') && text.lines().all(|line| line.len() < 998) {
        let lines: String = text.lines().map(|line| format!("{line}\r\n")).collect();
        return Body::dangerous_pre_encoded(lines.into_bytes(), header::ContentTransferEncoding::SevenBit);
    }
    Body::new(text)
}

/// Where mailers are.
fn mailer() -> &'static str {
    ["/usr/sbin/sendmail", "/usr/lib/sendmail"].into_iter().find(|p| std::path::Path::new(p).exists()).unwrap_or("sendmail")
}

async fn call(office: Office, url: String, mut alerts: mpsc::Receiver<Alert>) {
    // Already there is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .user_agent(concat!("lvs-ha/", env!("CARGO_PKG_VERSION"), " (ldirectord)"))
        .no_proxy()
        .timeout(SENDING)
        .build();
    let mut failure = None;
    while let Some(alert) = alerts.recv().await {
        let sent = match &client {
            Ok(client) => {
                let body = alert.json(&office.host, &office.instance, unix_seconds());
                let request = client.post(&url).header("Content-Type", "application/json").body(body);
                request
                    .send()
                    .await
                    .and_then(reqwest::Response::error_for_status)
                    .map(drop)
                    .map_err(|e| crate::errors::chain(&e.without_url()))
            }
            Err(error) => Err(crate::errors::chain(error)),
        };
        match sent {
            Ok(()) => failure = None,
            Err(why) => office.failed(&mut failure, format!("webhook {url}: {why}")).await,
        }
    }
}

async fn run(office: Office, line: String, mut alerts: mpsc::Receiver<Alert>) {
    let mut failure = None;
    while let Some(alert) = alerts.recv().await {
        let mut command = child::shell(&line);
        command.envs([
            ("LVS_HA_EVENT", alert.change.word()),
            ("LVS_HA_REAL", &alert.real),
            ("LVS_HA_SERVICE", &crate::director::service(&alert.service)),
            ("LVS_HA_STATUS", alert.phase.word()),
            ("LVS_HA_TEXT", &alert.text),
        ]);
        let json = alert.json(&office.host, &office.instance, unix_seconds()) + "\n";
        match child::run(command, &json, HOOK).await {
            Ok(()) => failure = None,
            Err(why) => office.failed(&mut failure, format!("hook {line}: {why}")).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_mailed_as_they_are() {
        let line = format!("Log-Message: {}\n", "x".repeat(200));
        assert_eq!(body(line.clone()).as_ref(), line.replace('\n', "\r\n").as_bytes());
        assert!(!body(format!("{line}\u{e4}\n")).as_ref().contains(&0xc3));
        assert!(body("x".repeat(2000)).as_ref().split(|b| *b == b'\n').all(|l| l.len() < 998));
    }
}
