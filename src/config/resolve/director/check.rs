//! What is asked of a real server, and where: `checktype`, `service`, `request` and their like to a [`Spec`].

use std::net::IpAddr;

use super::service::{unknown_port, unresolved};
use super::{Resolver, default, first, seconds};
use crate::checks::spec::{Http, Kind, Spec};
use crate::config::diag::{Diagnostic, Span, Spanned};
use crate::config::ldirectord_cf::{CheckType, Real as Line, Service, Virtual as Block};
use crate::config::pattern;
use crate::ipvs::model::{DestKey, Family, Protocol, ServiceKey};

/// What a block asks of each of its servers, or one line of its own.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// Nothing.
    On,
    /// TCP connect.
    Connect,
    /// ICMP echo.
    Ping,
    /// A command and arguments before the usual ones.
    External(String, Vec<String>),
    /// A file of Perl.
    Perl(String),
    /// The service, perhaps of another server than the one that is checked.
    Service(Kind, Option<(IpAddr, u16)>),
    /// So many of the first, then one of the second.
    Combined(u32, Box<(Asked, Asked)>),
}

impl Resolver<'_> {
    /// What the block asks. `None` when it can't be asked, which has been reported.
    pub(super) fn asked(&mut self, block: &Block, key: Option<ServiceKey>) -> Option<Asked> {
        let connect = if udp(key) { Asked::Ping } else { Asked::Connect };
        Some(match block.checktype.as_ref().map_or(CheckType::Negotiate, |c| c.value) {
            CheckType::On | CheckType::Off => Asked::On,
            CheckType::Connect => connect,
            CheckType::Ping => Asked::Ping,
            CheckType::External => self.external(block),
            CheckType::ExternalPerl => self.perl(block),
            CheckType::Negotiate => self.negotiate(block, key)?,
            CheckType::Combined(every) => Asked::Combined(every, Box::new((connect, self.negotiate(block, key)?))),
        })
    }

    fn negotiate(&mut self, block: &Block, key: Option<ServiceKey>) -> Option<Asked> {
        let service = service(block, key)?;
        self.tls_settings(block);
        let receive = block.receive.as_ref().map(|r| self.pattern(r));
        Some(match service {
            Service::None => Asked::On,
            Service::Http | Service::Https => self.http(block, service == Service::Https, receive),
            other => Asked::Service(self.kind(block, other, udp(key), block.request.as_ref(), receive), None),
        })
    }

    fn http(&mut self, block: &Block, tls: bool, receive: Option<String>) -> Asked {
        if let Some(request) =
            block.request.as_ref().filter(|r| r.value.starts_with("http://") || r.value.starts_with("https://"))
        {
            let warning = Diagnostic::warning(request.span, "a request is a path, not an address");
            self.found.push(warning.hint("the name of the site goes to virtualhost="));
        }
        let head = block.head_method.as_ref().is_some_and(|h| h.value);
        if let Some(written) = block.receive.as_ref().filter(|_| head) {
            let warning = Diagnostic::warning(written.span, "receive never matches with httpmethod=HEAD");
            self.found.push(warning.hint("an answer to HEAD has no body: every server will be down"));
        }
        let http = Http {
            tls: tls.then(|| self.tls(block)),
            head,
            path: path(block.request.as_ref().map_or("", |r| r.value.as_str())),
            proxy: false,
            host: block.virtualhost.as_ref().map(|h| h.value.clone()),
            receive,
        };
        Asked::Service(Kind::Http(http), None)
    }

    /// The pattern, if it is one.
    pub(super) fn pattern(&mut self, receive: &Spanned<String>) -> String {
        if !self.patterns.contains(&receive.value) {
            match pattern::compile(&receive.value) {
                Ok(_) => {
                    self.patterns.insert(receive.value.clone());
                }
                Err(error) => {
                    self.error(receive.span, format!("invalid receive string: {error}"), "a Perl regular expression");
                }
            }
        }
        receive.value.clone()
    }

    fn external(&mut self, block: &Block) -> Asked {
        let Some(written) = &block.checkcommand else {
            return Asked::External(default::COMMAND.to_owned(), Vec::new());
        };
        let mut words = written.value.split_whitespace().map(str::to_owned);
        let (command, args) = match words.next() {
            // A path may contain blanks; what can't be run as a whole has arguments.
            Some(command) if !self.lookup.executable(&written.value) => (command, words.collect()),
            _ => (written.value.clone(), Vec::new()),
        };
        if !self.lookup.executable(&command) {
            let warning = Diagnostic::warning(written.span, format!("checkcommand {command} is not an executable file"));
            self.found.push(warning.hint("every server will be down until it is"));
        }
        Asked::External(command, args)
    }

    fn perl(&mut self, block: &Block) -> Asked {
        if block.checkcommand.is_none()
            && let Some(checktype) = &block.checktype
        {
            let warning = Diagnostic::warning(checktype.span, "checktype external-perl without a checkcommand");
            self.found.push(warning.hint("checkcommand= names the file of Perl; without one every server will be down"));
        }
        Asked::Perl(block.checkcommand.as_ref().map_or_else(|| default::COMMAND.to_owned(), |c| c.value.clone()))
    }

    /// Request and receive of one line. `None`: the block's.
    pub(super) fn own_check(
        &mut self,
        (request, receive): &(Spanned<String>, Spanned<String>),
        asked: &Asked,
        block: &Block,
        key: ServiceKey,
    ) -> Option<Asked> {
        let receive_of = |me: &mut Self| (!receive.value.is_empty()).then(|| me.pattern(receive));
        let of_block = match asked {
            Asked::Combined(every, pair) => {
                let own = self.own_check(&(request.clone(), receive.clone()), &pair.1, block, key)?;
                return Some(Asked::Combined(*every, Box::new((pair.0.clone(), own))));
            }
            Asked::Service(Kind::Http(http), _) if !http.proxy => http,
            Asked::Service(..) => {
                let receive = receive_of(self);
                let kind = self.kind(block, service(block, Some(key))?, udp(Some(key)), Some(request), receive);
                return Some(Asked::Service(kind, None));
            }
            _ => return None,
        };
        let mut http = of_block.clone();
        http.receive = receive_of(self);
        let scheme = if http.tls.is_some() { "https://" } else { "http://" };
        let Some(rest) = request.value.strip_prefix(scheme) else {
            http.path = path(&request.value);
            return Some(Asked::Service(Kind::Http(http), None));
        };
        let (authority, target) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        http.path = path(target);
        let target = self.authority(authority, request.span, http.tls.is_some(), key.family())?;
        let name = authority_host(authority).0;
        if http.host.is_none() && name.parse::<IpAddr>().is_err() {
            http.host = Some(name.to_owned());
            if let Some(tls) = &mut http.tls {
                tls.name.get_or_insert_with(|| name.to_owned());
            }
        }
        Some(Asked::Service(Kind::Http(http), Some(target)))
    }

    /// Address and port of `HOST[:PORT]` in a request.
    fn authority(&mut self, authority: &str, span: Span, tls: bool, family: Family) -> Option<(IpAddr, u16)> {
        let (host, port) = authority_host(authority);
        let other = if family == Family::Inet { Family::Inet6 } else { Family::Inet };
        let addr = self.host(host, family).or_else(|| self.host(host, other));
        if addr.is_none() {
            let text = format!("invalid address ({host}) for real server (could not resolve host)");
            self.error(span, text, unresolved(host, family));
        }
        let port = match port {
            None if tls => Some(443),
            None => Some(80),
            Some(port) => {
                let number = self.port(port, Some(Protocol::Tcp));
                if number.is_none() {
                    let text = format!("invalid port ({port}) for real server (could not resolve port)");
                    self.error(span, text, unknown_port(port, Some(Protocol::Tcp)));
                }
                number
            }
        };
        Some((addr?, port?))
    }

    /// The check of one server. `None` when it has no port to go to, which is reported.
    pub(super) fn spec(&mut self, block: &Block, line: &Line, key: ServiceKey, real: DestKey, asked: &Asked) -> Option<Spec> {
        let (own, shared) = (&block.shared, &self.file.globals.shared);
        let check = [&own.checktimeout, &own.negotiatetimeout, &shared.checktimeout, &shared.negotiatetimeout];
        let negotiate = [&own.negotiatetimeout, &own.checktimeout, &shared.negotiatetimeout, &shared.checktimeout];
        let (check, negotiate) = (first(check, default::CHECK), first(negotiate, default::NEGOTIATE));
        let (mut addr, mut port) = (real.addr, check_port(block, key, real));
        let (kind, timeout) = match asked {
            Asked::On => (Kind::On, check),
            Asked::Connect => (Kind::Connect, check),
            Asked::Ping => {
                port = Some(0);
                (Kind::Ping { attempts: first([&own.checkcount, &shared.checkcount], default::PINGS) }, check)
            }
            Asked::External(command, args) => {
                let mut args = args.clone();
                args.extend(arguments(key, real));
                (Kind::External { command: command.clone(), args }, check)
            }
            Asked::Perl(file) => (Kind::ExternalPerl { file: file.clone(), args: arguments(key, real).into() }, check),
            Asked::Service(kind, other) => {
                if let Some((other_addr, other_port)) = *other {
                    (addr, port) = (other_addr, Some(other_port));
                }
                let limit = match kind {
                    Kind::Ldap(_) => check,
                    Kind::Radius(_) => check.min(negotiate),
                    _ => negotiate,
                };
                (kind.clone(), limit)
            }
            Asked::Combined(every, pair) => {
                let usual = Box::new(self.spec(block, line, key, real, &pair.0)?);
                let negotiate = Box::new(self.spec(block, line, key, real, &pair.1)?);
                let Spec { addr, port, timeout, .. } = *negotiate;
                return Some(Spec { kind: Kind::Combined { every: *every, usual, negotiate }, addr, port, timeout });
            }
        };
        let portless = matches!(kind, Kind::On | Kind::Ping { .. } | Kind::External { .. } | Kind::ExternalPerl { .. });
        if port.is_none() && !portless {
            let text = "invalid port (0) for real server (could not resolve port)";
            self.error(line.span, text, "the check needs a port: write one behind the address, or checkport= in the block");
            return None;
        }
        Some(Spec { kind, addr, port: port.unwrap_or(0), timeout: seconds(timeout) })
    }
}

fn udp(key: Option<ServiceKey>) -> bool {
    matches!(key, Some(ServiceKey::Addr { protocol: Protocol::Udp, .. }))
}

/// The service as written, else that of the port; `None` when there is none because of an error.
pub(super) fn service(block: &Block, key: Option<ServiceKey>) -> Option<Service> {
    match &block.service {
        Some(written) => Some(written.value),
        None => key.map(|k| Service::of_port(k.port())),
    }
}

/// The port a check goes to: `checkport`, the server's, the service's, and where the original knows no more, the one that
/// clients use.
fn check_port(block: &Block, key: ServiceKey, real: DestKey) -> Option<u16> {
    let written = block.checkport.as_ref().map(|p| p.value);
    let well_known = || service(block, Some(key)).and_then(Service::port);
    written.or((real.port > 0).then_some(real.port)).or_else(well_known).or((key.port() > 0).then_some(key.port()))
}

/// Virtual address or mark, virtual port, real address, real port; IPv6 in brackets.
fn arguments(key: ServiceKey, real: DestKey) -> [String; 4] {
    let (virt, port) = match key {
        ServiceKey::Addr { addr, port, .. } => (bracketed(addr), port),
        ServiceKey::Fwmark { mark, .. } => (mark.to_string(), 0),
    };
    [virt, port.to_string(), bracketed(real.addr), real.port.to_string()]
}

fn bracketed(addr: IpAddr) -> String {
    if addr.is_ipv6() { format!("[{addr}]") } else { addr.to_string() }
}

/// Host and port of `HOST[:PORT]`, the host without brackets.
pub(super) fn authority_host(authority: &str) -> (&str, Option<&str>) {
    match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').filter(|p| !p.is_empty())),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port).filter(|p| !p.is_empty()))),
    }
}

/// A request as a path.
fn path(request: &str) -> String {
    if request.starts_with('/') { request.to_owned() } else { format!("/{request}") }
}
