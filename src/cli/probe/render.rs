//! What a check did, as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::checks::spec::{Kind, Spec, Verdict};
use crate::checks::trace::{Event, Step};
use crate::director::plan::Real;
use crate::ipvs::model::ServiceKey;

/// Characters of a line of traffic that are shown.
const WIDTH: usize = 160;
/// Lines of one step that are shown.
const LINES: usize = 40;

/// One check and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The virtual service.
    #[serde(rename = "virtual")]
    pub service: String,
    /// The real server, as the file has it.
    pub real: String,
    /// The kind of check.
    pub check: String,
    /// Where it goes.
    pub target: String,
    /// Its limit, seconds.
    pub limit: f64,
    /// What the answer must match.
    pub pattern: Option<String>,
    /// What it did.
    pub steps: Vec<Shown>,
    /// The verdict.
    pub up: bool,
    /// Why.
    pub text: String,
    /// What is to be looked after though the server is up.
    pub warning: Option<String>,
    /// How long it took, seconds.
    pub took: f64,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Seconds from the start to its end.
    pub at: f64,
    /// note, sent or received.
    pub what: &'static str,
    /// The note, or the bytes as far as they are kept; what is not UTF-8 is replaced.
    pub text: String,
    /// Bytes that went over the wire.
    pub bytes: usize,
}

impl Report {
    /// A report on a check that has run.
    #[must_use]
    pub fn new(service: &ServiceKey, real: &Real, verdict: &Verdict, steps: &[Step]) -> Self {
        let spec = match &real.check.kind {
            Kind::Combined { negotiate, .. } => negotiate,
            _ => &real.check,
        };
        Self {
            service: service.to_string(),
            real: real.written.clone(),
            check: kind(spec),
            target: if spec.port > 0 {
                std::net::SocketAddr::new(spec.addr, spec.port).to_string()
            } else {
                spec.addr.to_string()
            },
            limit: spec.timeout.as_secs_f64(),
            pattern: pattern(spec),
            steps: steps.iter().map(shown).collect(),
            up: verdict.up,
            text: verdict.text.clone(),
            warning: verdict.warning.clone(),
            took: verdict.took.as_secs_f64(),
        }
    }
}

/// The report for a reader.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out =
        format!("{} of {}: {} check of {}, limit {} s\n", report.real, report.service, report.check, report.target, report.limit);
    for step in &report.steps {
        let at = time(step.at);
        let (mark, head) = match step.what {
            "sent" => ('>', format!("sent {} bytes", step.bytes)),
            "received" => ('<', format!("received {} bytes", step.bytes)),
            _ => (' ', printable(&step.text, WIDTH)),
        };
        let _ = writeln!(out, "{at:>12}  {head}");
        if mark != ' ' {
            traffic(&mut out, mark, step);
        }
    }
    if let Some(pattern) = &report.pattern {
        let _ = writeln!(out, "{:>12}  {}", "pattern", printable(pattern, WIDTH));
    }
    if let Some(warning) = &report.warning {
        let _ = writeln!(out, "{:>12}  {}", "warning", printable(warning, WIDTH));
    }
    let _ =
        writeln!(out, "{:>12}  {}: {}", time(report.took), if report.up { "UP" } else { "DOWN" }, printable(&report.text, WIDTH));
    out
}

fn traffic(out: &mut String, mark: char, step: &Shown) {
    let lines: Vec<&str> = step.text.lines().collect();
    for line in lines.iter().take(LINES) {
        let _ = writeln!(out, "{:>12}  {mark} {}", "", printable(line, WIDTH));
    }
    if lines.len() > LINES || step.text.len() < step.bytes {
        let _ = writeln!(out, "{:>12}  {mark} ... {} bytes in all", "", step.bytes);
    }
}

fn shown(step: &Step) -> Shown {
    let of = |what, bytes: &[u8], total| Shown {
        at: step.at.as_secs_f64(),
        what,
        text: String::from_utf8_lossy(bytes).into_owned(),
        bytes: total,
    };
    match &step.event {
        Event::Note(text) => Shown { at: step.at.as_secs_f64(), what: "note", text: text.clone(), bytes: 0 },
        Event::Sent { bytes, total } => of("sent", bytes, *total),
        Event::Received { bytes, total } => of("received", bytes, *total),
    }
}

/// One line without what would steer a terminal.
fn printable(text: &str, width: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n >= width {
            out.push_str("...");
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

fn time(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    if time >= Duration::from_secs(1) { format!("{seconds:.3} s") } else { format!("{:.1} ms", seconds * 1000.0) }
}

/// The kind's word, as it is serialised.
fn kind(spec: &Spec) -> String {
    match serde_json::to_value(&spec.kind) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(serde_json::Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

/// What the answer must match, whatever the kind calls it around it.
fn pattern(spec: &Spec) -> Option<String> {
    fn find(value: &serde_json::Value) -> Option<&str> {
        let map = value.as_object()?;
        map.get("receive").and_then(|r| r.as_str()).or_else(|| map.values().find_map(find))
    }
    let value = serde_json::to_value(&spec.kind).ok()?;
    find(&value).filter(|p| !p.is_empty()).map(str::to_owned)
}
