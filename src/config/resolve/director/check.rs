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
    /// HTTP or HTTPS, perhaps of another server than the one that is checked.
    Http(Http, Option<(IpAddr, u16)>),
}

impl Resolver<'_> {
    /// What the block asks. `None` when it can't be asked, which has been reported.
    pub(super) fn asked(&mut self, block: &Block, key: Option<ServiceKey>) -> Option<Asked> {
        let udp = matches!(key, Some(ServiceKey::Addr { protocol: Protocol::Udp, .. }));
        Some(match block.checktype.as_ref().map_or(CheckType::Negotiate, |c| c.value) {
            CheckType::On | CheckType::Off => Asked::On,
            CheckType::Connect if udp => Asked::Ping,
            CheckType::Connect => Asked::Connect,
            CheckType::Ping => Asked::Ping,
            CheckType::External => self.external(block),
            CheckType::ExternalPerl | CheckType::Combined(_) => return None,
            CheckType::Negotiate => match service(block, key)? {
                Service::None => Asked::On,
                Service::Http => self.http(block, false),
                Service::Https => self.http(block, true),
                _ => return None,
            },
        })
    }

    fn http(&mut self, block: &Block, tls: bool) -> Asked {
        if let Some(request) =
            block.request.as_ref().filter(|r| r.value.starts_with("http://") || r.value.starts_with("https://"))
        {
            let warning = Diagnostic::warning(request.span, "a request is a path, not an address");
            self.found.push(warning.hint("the name of the site goes to virtualhost="));
        }
        let head = block.head_method.as_ref().is_some_and(|h| h.value);
        if let Some(receive) = block.receive.as_ref().filter(|_| head) {
            let warning = Diagnostic::warning(receive.span, "receive never matches with httpmethod=HEAD");
            self.found.push(warning.hint("an answer to HEAD has no body: every server will be down"));
        }
        let http = Http {
            tls,
            head,
            path: path(block.request.as_ref().map_or("", |r| r.value.as_str())),
            host: block.virtualhost.as_ref().map(|h| h.value.clone()),
            receive: block.receive.as_ref().map(|r| self.pattern(r)),
        };
        Asked::Http(http, None)
    }

    /// The pattern, if it is one.
    fn pattern(&mut self, receive: &Spanned<String>) -> String {
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

    /// Request and receive of one line. `None`: the block's.
    pub(super) fn own_check(
        &mut self,
        (request, receive): &(Spanned<String>, Spanned<String>),
        asked: &Asked,
        family: Family,
    ) -> Option<Asked> {
        let Asked::Http(of_block, _) = asked else { return None };
        let mut http = of_block.clone();
        http.receive = if receive.value.is_empty() { None } else { Some(self.pattern(receive)) };
        let scheme = if http.tls { "https://" } else { "http://" };
        let Some(rest) = request.value.strip_prefix(scheme) else {
            http.path = path(&request.value);
            return Some(Asked::Http(http, None));
        };
        let (authority, target) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        http.path = path(target);
        let target = self.authority(authority, request.span, http.tls, family)?;
        if http.host.is_none() && authority_host(authority).0.parse::<IpAddr>().is_err() {
            http.host = Some(authority_host(authority).0.to_owned());
        }
        Some(Asked::Http(http, Some(target)))
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
            Asked::Http(http, other) => {
                if let Some((other_addr, other_port)) = *other {
                    (addr, port) = (other_addr, Some(other_port));
                }
                (Kind::Http(http.clone()), negotiate)
            }
        };
        if port.is_none() && matches!(kind, Kind::Connect | Kind::Http(_)) {
            let text = "invalid port (0) for real server (could not resolve port)";
            self.error(line.span, text, "the check needs a port: write one behind the address, or checkport= in the block");
            return None;
        }
        Some(Spec { kind, addr, port: port.unwrap_or(0), timeout: seconds(timeout) })
    }
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
fn authority_host(authority: &str) -> (&str, Option<&str>) {
    match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').filter(|p| !p.is_empty())),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port).filter(|p| !p.is_empty()))),
    }
}

/// A request as a path.
fn path(request: &str) -> String {
    if request.starts_with('/') { request.to_owned() } else { format!("/{request}") }
}
