//! Changes of the table, told so that a person sees what they would do.

use serde::Serialize;

use crate::ipvs::model::{Command, Dest, Forward, Granularity, Service, ServiceFlags, Table, Tunnel};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli::ipvs) struct Change {
    /// `add_service`, `edit_service`, `delete_service`, `add_real_server`, `edit_real_server`, `delete_real_server`.
    change: &'static str,
    /// `tcp 10.0.0.1:80`, `fwm 5`.
    service: String,
    /// `10.0.1.1:80`; `null` for a change of the service itself.
    real_server: Option<String>,
    /// What differs; everything that was or will be for what is deleted or added.
    fields: Vec<Field>,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli::ipvs) struct Field {
    name: &'static str,
    /// `null` for what is added.
    from: Option<String>,
    /// `null` for what is deleted.
    to: Option<String>,
}

impl Change {
    /// The changes that the commands make to `before`.
    pub(in crate::cli::ipvs) fn all(before: &Table, commands: &[Command]) -> Vec<Self> {
        commands.iter().map(|command| Self::of(before, command)).collect()
    }

    fn of(before: &Table, command: &Command) -> Self {
        let key = command.service();
        let found = before.services.get(&key);
        let service = |s: &Service| service_fields(s);
        let dest = |d: &Dest| dest_fields(d);
        let old_dest = |key| found.and_then(|f| f.dests.get(&key)).map(dest);
        let (change, real_server, from, to) = match command {
            Command::AddService(s) => ("add_service", None, None, Some(service(s))),
            Command::EditService(s) => ("edit_service", None, found.map(|f| service(&f.service)), Some(service(s))),
            Command::DeleteService(_) => ("delete_service", None, found.map(|f| service(&f.service)), None),
            Command::AddDest(_, d) => ("add_real_server", Some(d.key), None, Some(dest(d))),
            Command::EditDest(_, d) => ("edit_real_server", Some(d.key), old_dest(d.key), Some(dest(d))),
            Command::DeleteDest(_, k) => ("delete_real_server", Some(*k), old_dest(*k), None),
        };
        let real_server = real_server.map(|key| key.to_string());
        Self { change, service: key.to_string(), real_server, fields: fields(from, to) }
    }

    fn line(&self) -> String {
        let sign = match self.change.split('_').next() {
            Some("add") => '+',
            Some("delete") => '-',
            _ => '~',
        };
        let real = self.real_server.as_ref().map_or_else(String::new, |real| format!(" -> {real}"));
        let field = |f: &Field| match (&f.from, &f.to) {
            (Some(from), Some(to)) => format!(" {} {from} => {to}", f.name),
            (Some(value), None) | (None, Some(value)) => format!(" {} {value}", f.name),
            (None, None) => String::new(),
        };
        let fields: Vec<String> = self.fields.iter().map(field).collect();
        format!("{sign} {}{real}:{}\n", self.service, fields.join(","))
    }
}

/// `~ tcp 10.0.0.1:80 -> 10.0.1.1:80: weight 1 => 0`, a line each.
pub(in crate::cli::ipvs) fn list(changes: &[Change]) -> String {
    changes.iter().map(Change::line).collect()
}

type Values = Vec<(&'static str, String)>;

/// What differs; what has no value on either side is left out.
fn fields(from: Option<Values>, to: Option<Values>) -> Vec<Field> {
    let value = |values: &Option<Values>, name| values.as_ref()?.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
    let names: Vec<&'static str> = to.as_ref().or(from.as_ref()).into_iter().flatten().map(|(name, _)| *name).collect();
    let both = names.into_iter().map(|name| Field { name, from: value(&from, name), to: value(&to, name) });
    let says = |f: &Field| f.from != f.to && [&f.from, &f.to].iter().any(|v| v.as_deref().is_some_and(|v| v != "none"));
    both.filter(says).collect()
}

fn service_fields(service: &Service) -> Values {
    let persistence = service.persistence.map_or_else(|| "none".to_owned(), |p| format!("{} s", p.timeout));
    let granularity = service.persistence.map_or_else(
        || "none".to_owned(),
        |p| match p.granularity {
            same if same == Granularity::host(service.key.family()) => "none".to_owned(),
            Granularity::Mask(mask) => std::net::Ipv4Addr::from_bits(mask).to_string(),
            Granularity::Prefix(length) => format!("/{length}"),
        },
    );
    let bits = [
        (ServiceFlags::ONE_PACKET, "ops"),
        (ServiceFlags::SCHED1, "flag-1"),
        (ServiceFlags::SCHED2, "flag-2"),
        (ServiceFlags::SCHED3, "flag-3"),
    ];
    let flags: Vec<&str> = bits.iter().filter(|(bit, _)| service.flags.has(*bit)).map(|(_, name)| *name).collect();
    vec![
        ("scheduler", service.scheduler.clone()),
        ("persistent", persistence),
        ("mask", granularity),
        ("engine", service.engine.clone().unwrap_or_else(|| "none".to_owned())),
        ("flags", if flags.is_empty() { "none".to_owned() } else { flags.join(",") }),
    ]
}

fn dest_fields(dest: &Dest) -> Values {
    let forward = match dest.forward {
        Forward::Masq => "masq".to_owned(),
        Forward::Local => "local".to_owned(),
        Forward::Ipip => "ipip".to_owned(),
        Forward::Gate => "gate".to_owned(),
        Forward::Other(number) => number.to_string(),
    };
    let threshold = |n: u32| if n == 0 { "none".to_owned() } else { n.to_string() };
    let Tunnel { kind, port, flags } = dest.tunnel;
    let tunnel = match (dest.forward, kind) {
        (Forward::Ipip, 1) => format!("gue port {port} checksum {flags}"),
        (Forward::Ipip, 2) => format!("gre checksum {flags}"),
        _ => "none".to_owned(),
    };
    vec![
        ("forward", forward),
        ("weight", dest.weight.to_string()),
        ("upper", threshold(dest.upper)),
        ("lower", threshold(dest.lower)),
        ("tunnel", tunnel),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::model::{DestKey, Persistence, Protocol, ServiceKey, TableService};

    #[test]
    fn each_change_says_what_was_and_what_will_be() {
        let key = ServiceKey::Addr { protocol: Protocol::Tcp, addr: "10.0.0.1".parse().unwrap(), port: 80 };
        let service =
            Service { key, scheduler: "rr".to_owned(), flags: ServiceFlags::default(), persistence: None, engine: None };
        let real = DestKey { addr: "10.0.1.1".parse().unwrap(), port: 80 };
        let dest = Dest { key: real, forward: Forward::Gate, weight: 1, upper: 0, lower: 0, tunnel: Tunnel::default() };
        let before =
            Table { services: [(key, TableService { service: service.clone(), dests: [(real, dest.clone())].into() })].into() };
        let persistence = Some(Persistence { timeout: 60, granularity: Granularity::Mask(0xffff_ff00) });
        let other = DestKey { port: 81, ..real };
        let commands = [
            Command::EditService(Service { scheduler: "wlc".to_owned(), persistence, ..service }),
            Command::EditDest(key, Dest { weight: 0, upper: 5, ..dest.clone() }),
            Command::AddDest(key, Dest { key: other, ..dest }),
            Command::DeleteDest(key, real),
            Command::DeleteService(key),
        ];
        let changes = Change::all(&before, &commands);
        assert_eq!(
            list(&changes),
            "~ tcp 10.0.0.1:80: scheduler rr => wlc, persistent none => 60 s, mask none => 255.255.255.0\n\
             ~ tcp 10.0.0.1:80 -> 10.0.1.1:80: weight 1 => 0, upper none => 5\n\
             + tcp 10.0.0.1:80 -> 10.0.1.1:81: forward gate, weight 1\n\
             - tcp 10.0.0.1:80 -> 10.0.1.1:80: forward gate, weight 1\n\
             - tcp 10.0.0.1:80: scheduler rr\n"
        );
        let json = serde_json::to_value(&changes[1]).unwrap();
        assert_eq!(json["change"], "edit_real_server");
        assert_eq!(json["fields"][0], serde_json::json!({"name": "weight", "from": "1", "to": "0"}));
    }
}
