//! `IPVS_SVC_ATTR_*`: a virtual service.

use super::DecodeError;
use super::attrs::{Attr, Attrs, Writer};
use super::constants::svc;
use super::stats;
use crate::ipvs::model::{Family, Granularity, Persistence, Protocol, Service, ServiceFlags, ServiceKey, Stats};

/// What identifies a service.
pub(super) fn encode_key(w: &mut Writer<'_>, key: &ServiceKey) {
    w.family(svc::AF, key.family());
    match *key {
        ServiceKey::Addr { protocol, addr, port } => {
            w.u16(svc::PROTOCOL, protocol.number());
            w.addr(svc::ADDR, addr);
            w.be16(svc::PORT, port);
        }
        ServiceKey::Fwmark { mark, .. } => w.u32(svc::FWMARK, mark),
    }
}

/// A whole service. Adding and editing both replace everything, so all is sent.
pub(super) fn encode(w: &mut Writer<'_>, service: &Service) {
    encode_key(w, &service.key);
    w.text(svc::SCHED_NAME, &service.scheduler);
    let persistence = service.persistence.as_ref();
    let persistent = if persistence.is_some() { svc::F_PERSISTENT } else { 0 };
    w.pair(svc::FLAGS, service.flags.0 & !(svc::F_PERSISTENT | svc::F_HASHED) | persistent, u32::MAX);
    w.u32(svc::TIMEOUT, persistence.map_or(0, |p| p.timeout));
    match (service.key.family(), persistence.map(|p| p.granularity)) {
        (Family::Inet, Some(Granularity::Mask(mask))) => w.be32(svc::NETMASK, mask),
        (Family::Inet6, Some(Granularity::Prefix(length))) => w.u32(svc::NETMASK, u32::from(length)),
        (Family::Inet, _) => w.be32(svc::NETMASK, u32::MAX),
        (Family::Inet6, _) => w.u32(svc::NETMASK, 128),
    }
    if let Some(engine) = &service.engine {
        w.text(svc::PE_NAME, engine);
    }
}

/// A service as the kernel reports it.
pub(super) fn decode(nest: Attrs<'_>) -> Result<(Service, Stats), DecodeError> {
    let mut raw = Raw::default();
    for attr in nest {
        raw.take(attr?)?;
    }
    let family = raw.family.ok_or(DecodeError::Missing { what: "address family of a service" })?;
    let key = raw.key(family)?;
    let persistence = match raw.flags & svc::F_PERSISTENT {
        0 => None,
        _ => Some(Persistence { timeout: raw.timeout, granularity: raw.granularity(family)? }),
    };
    let flags = ServiceFlags(raw.flags & !(svc::F_PERSISTENT | svc::F_HASHED));
    let stats = raw.stats64.or(raw.stats).map_or(Ok(Stats::default()), |attr| stats::decode(attr.nest()))?;
    Ok((Service { key, scheduler: raw.scheduler, flags, persistence, engine: raw.engine }, stats))
}

/// The attributes before they are put together: their order is the sender's choice.
#[derive(Default)]
struct Raw<'a> {
    family: Option<Family>,
    protocol: Option<u16>,
    addr: Option<Attr<'a>>,
    port: u16,
    mark: u32,
    scheduler: String,
    flags: u32,
    timeout: u32,
    netmask: Option<Attr<'a>>,
    engine: Option<String>,
    stats: Option<Attr<'a>>,
    stats64: Option<Attr<'a>>,
}

impl<'a> Raw<'a> {
    fn take(&mut self, attr: Attr<'a>) -> Result<(), DecodeError> {
        match attr.kind {
            svc::AF => self.family = Some(attr.family("address family of a service")?),
            svc::PROTOCOL => self.protocol = Some(attr.u16("protocol")?),
            svc::ADDR => self.addr = Some(attr),
            svc::PORT => self.port = attr.be16("port of a service")?,
            svc::FWMARK => self.mark = attr.u32("firewall mark")?,
            svc::SCHED_NAME => self.scheduler = attr.text(),
            svc::FLAGS => self.flags = attr.u32("service flags")?,
            svc::TIMEOUT => self.timeout = attr.u32("persistence timeout")?,
            svc::NETMASK => self.netmask = Some(attr),
            svc::PE_NAME => self.engine = Some(attr.text()).filter(|name| !name.is_empty()),
            svc::STATS => self.stats = Some(attr),
            svc::STATS64 => self.stats64 = Some(attr),
            _ => {}
        }
        Ok(())
    }

    fn key(&self, family: Family) -> Result<ServiceKey, DecodeError> {
        if self.mark != 0 {
            return Ok(ServiceKey::Fwmark { mark: self.mark, family });
        }
        let number = self.protocol.ok_or(DecodeError::Missing { what: "protocol" })?;
        let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|p| p.number() == number);
        let protocol = protocol.ok_or(DecodeError::Unknown { what: "protocol", found: u32::from(number) })?;
        let addr = self.addr.ok_or(DecodeError::Missing { what: "address of a service" })?;
        Ok(ServiceKey::Addr { protocol, addr: addr.addr("address of a service", family)?, port: self.port })
    }

    fn granularity(&self, family: Family) -> Result<Granularity, DecodeError> {
        let Some(attr) = self.netmask else { return Ok(Granularity::host(family)) };
        Ok(match family {
            Family::Inet => Granularity::Mask(attr.be32("netmask")?),
            Family::Inet6 => {
                let length = attr.u32("prefix length")?;
                let unknown = DecodeError::Unknown { what: "prefix length", found: length };
                Granularity::Prefix(u8::try_from(length).map_err(|_| unknown)?)
            }
        })
    }
}
