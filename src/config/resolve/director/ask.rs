//! What is asked of services other than HTTP: `login`, `passwd`, `request` and their like to a [`Kind`].

use std::net::IpAddr;

use super::Resolver;
use super::check::authority_host;
use crate::checks::spec::{Dns, Engine, Ftp, Http, Kind, Ldap, Mailbox, Radius, Secret, SimpleTcp, Sip, Sql, Tls};
use crate::config::diag::{Diagnostic, Span, Spanned};
use crate::config::ldirectord_cf::{Service, Virtual as Block};

/// Days before its end from which on a verified certificate is warned of.
const WARN_DAYS: u32 = 14;

impl Resolver<'_> {
    /// The question to a service, of the block's request or a line's own.
    pub(super) fn kind(
        &mut self,
        block: &Block,
        service: Service,
        udp: bool,
        request: Option<&Spanned<String>>,
        receive: Option<String>,
    ) -> Kind {
        let login = text(block.login.as_ref());
        let passwd = Secret::new(text(block.passwd.as_ref()));
        let pair = || (!login.is_empty()).then(|| (login.clone(), passwd.clone()));
        // The original puts a slash before each request and takes it away again.
        let asked = request.map_or("", |r| r.value.strip_prefix('/').unwrap_or(&r.value)).to_owned();
        match service {
            // The caller has those; none is always up.
            Service::None | Service::Http | Service::Https => Kind::On,
            Service::HttpProxy => {
                if !asked.starts_with("http://") && !asked.starts_with("https://") {
                    self.weak(block, request, "a proxy is asked for a whole address", "request=\"http://www.example.org/\"");
                }
                let head = block.head_method.as_ref().is_some_and(|h| h.value);
                Kind::Http(Http { tls: None, head, path: asked, proxy: true, host: None, receive })
            }
            Service::Smtp | Service::Submission => Kind::Smtp,
            Service::Nntp => Kind::Nntp,
            Service::Pop => Kind::Pop(Mailbox { tls: None, login: pair() }),
            Service::Pops => Kind::Pop(Mailbox { tls: Some(self.tls(block)), login: pair() }),
            Service::Imap => Kind::Imap(Mailbox { tls: None, login: pair() }),
            Service::Imaps => Kind::Imap(Mailbox { tls: Some(self.tls(block)), login: pair() }),
            Service::Ftp => Kind::Ftp(Ftp { login, passwd, request: asked, receive }),
            Service::Simpletcp => Kind::SimpleTcp(SimpleTcp { udp, request: asked.replace("\\n", "\n"), receive }),
            Service::Dns => Kind::Dns(Dns { udp, name: asked, receive }),
            Service::Ldap => Kind::Ldap(Ldap { tls: None, login: pair(), base: asked, receive }),
            Service::Ldaps => Kind::Ldap(Ldap { tls: Some(self.tls(block)), login: pair(), base: asked, receive }),
            Service::Mysql => self.sql(block, Engine::Mysql, (login, passwd, asked), request),
            Service::Pgsql => self.sql(block, Engine::Pgsql, (login, passwd, asked), request),
            Service::Oracle => self.sql(block, Engine::Oracle, (login, passwd, asked), request),
            Service::Sip => Kind::Sip(Sip { udp, login }),
            Service::Radius => Kind::Radius(Radius { login, passwd, secret: Secret::new(text(block.secret.as_ref())) }),
        }
    }

    fn sql(
        &mut self,
        block: &Block,
        engine: Engine,
        (login, passwd, query): (String, Secret, String),
        request: Option<&Spanned<String>>,
    ) -> Kind {
        if login.is_empty() || query.is_empty() {
            let what = "Must specify a login and request string for MySQL, Oracle and PostgreSQL checks";
            self.weak(block, request, what, "login= and request=, a query that gives a row");
        }
        Kind::Sql(Sql { engine, login, passwd, database: text(block.database.as_ref()), query })
    }

    /// A warning of a check that no server can pass.
    fn weak(&mut self, block: &Block, request: Option<&Spanned<String>>, what: &str, hint: &str) {
        let span = request.or(block.login.as_ref()).map_or(block.head, |r| r.span);
        self.found.push(Diagnostic::warning(span, what).hint(format!("{hint}; as it is every server will be down")));
    }

    /// How a block's services speak TLS.
    pub(super) fn tls(&self, block: &Block) -> Tls {
        let (own, shared) = (&block.shared, &self.file.globals.shared);
        let verify = own.tls_verify.as_ref().or(shared.tls_verify.as_ref()).is_some_and(|v| v.value);
        let warn = own.tls_warn.as_ref().or(shared.tls_warn.as_ref()).map(|w| w.value);
        let name = own.tls_name.as_ref().or(shared.tls_name.as_ref()).or(block.virtualhost.as_ref());
        Tls {
            verify,
            ca: own.tls_ca.as_ref().or(shared.tls_ca.as_ref()).map(|c| c.value.clone()).filter(|_| verify),
            name: name.and_then(|n| tls_name(&n.value)),
            warn_days: warn.unwrap_or(if verify { WARN_DAYS } else { 0 }),
        }
    }

    /// Settings of TLS that have no effect.
    pub(super) fn tls_settings(&mut self, block: &Block) {
        let of_block: Option<Span> = block.shared.tls_ca.as_ref().map(|c| c.span);
        if let Some(span) = of_block.filter(|_| !self.tls(block).verify) {
            self.found.push(Diagnostic::warning(span, "tls-ca has no effect").hint("without #lvs-ha: tls-verify yes"));
        }
    }
}

fn text(value: Option<&Spanned<String>>) -> String {
    value.map_or_else(String::new, |v| v.value.clone())
}

/// The name that TLS asks for: that of the virtual host, without a port; an address is none.
fn tls_name(virtualhost: &str) -> Option<String> {
    let host = authority_host(virtualhost).0;
    (!host.is_empty() && host.parse::<IpAddr>().is_err()).then(|| host.to_owned())
}
