//! DNS over UDP or TCP: the addresses of a name (A, or AAAA where there is no A), or the name of an address (PTR).
//!
//! [`answers`] reads an answer and is pure.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::spec::Dns;
use super::{Failure, connect, datagram, matches, random, trace};

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Dns) -> Result<String, Failure> {
    let Some(pattern) = &question.receive else {
        return Err(Failure::Answer("without receive no answer is the right one".into()));
    };
    let (name, kinds) = match question.name.parse::<IpAddr>() {
        Ok(address) => (Name::from(address), &[RecordType::PTR][..]),
        Err(_) => {
            let name = Name::from_ascii(&question.name);
            let mut name = name.map_err(|e| Failure::Answer(format!("{:?} is no name: {e}", question.name)))?;
            name.set_fqdn(true);
            (name, &[RecordType::A, RecordType::AAAA][..])
        }
    };
    let mut all = Vec::new();
    for kind in kinds {
        // The original asks for A alone: whoever has one is judged by it.
        if !all.is_empty() && !addr.is_ipv6() {
            break;
        }
        let found = records(addr, port, question.udp, &name, *kind).await?;
        for text in &found {
            if matches(pattern, text.as_bytes())? {
                return Ok(format!("{} is {text}", question.name));
            }
        }
        all.extend(found);
    }
    Err(Failure::Answer(match all.is_empty() {
        true => format!("{}: no {} in the answer", question.name, kinds.first().map_or_else(String::new, ToString::to_string)),
        false => format!("/{pattern}/ is not {}", all.join(", ")),
    }))
}

async fn records(addr: IpAddr, port: u16, udp: bool, name: &Name, kind: RecordType) -> Result<Vec<String>, Failure> {
    let [a, b] = random::<2>()?;
    let id = u16::from_be_bytes([a, b]);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), kind));
    let request = message.to_vec().map_err(|e| Failure::Answer(format!("query: {e}")))?;
    if udp {
        let judge = |packet: &[u8]| answers(packet, id, name, kind).map_err(Failure::Answer);
        match datagram::ask(addr, port, &request, judge).await? {
            Answers::Whole(found) => return Ok(found),
            // Cut off: the rest comes over TCP.
            Answers::Cut => {}
        }
    }
    let mut stream = connect::open(addr, port).await?;
    let mut framed = u16::try_from(request.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    framed.extend(&request);
    stream.write_all(&framed).await.map_err(Failure::io("send"))?;
    trace::sent(&framed);
    trace::doing("waiting for an answer");
    let length = stream.read_u16().await.map_err(Failure::io("read"))?;
    let mut packet = vec![0; usize::from(length)];
    stream.read_exact(&mut packet).await.map_err(Failure::io("read"))?;
    trace::received(&packet);
    match answers(&packet, id, name, kind).map_err(Failure::Answer)? {
        Some(Answers::Whole(found)) => Ok(found),
        Some(Answers::Cut) => Err(Failure::Answer("the answer is cut off, also over TCP".into())),
        None => Err(Failure::Answer("an answer to another question".into())),
    }
}

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// The addresses, or the names of an address (with the dot at their end left out).
    Whole(Vec<String>),
    /// Too long for UDP.
    Cut,
}

/// The answers of a packet; `None` when it does not answer this question.
///
/// # Errors
/// The packet is no DNS message, or the server says that it can't answer.
pub fn answers(packet: &[u8], id: u16, name: &Name, kind: RecordType) -> Result<Option<Answers>, String> {
    let message = match Message::from_vec(packet) {
        Ok(message) => message,
        // Somebody else's garbage is not ours to judge.
        Err(error) if packet.get(..2) == Some(&id.to_be_bytes()) => return Err(format!("no DNS message: {error}")),
        Err(_) => return Ok(None),
    };
    let header = &message.metadata;
    if header.id != id || header.message_type != MessageType::Response {
        return Ok(None);
    }
    if let Some(asked) = message.queries.first()
        && (asked.query_type() != kind || !asked.name().eq_ignore_root(name))
    {
        return Ok(None);
    }
    if header.truncation {
        return Ok(Some(Answers::Cut));
    }
    match header.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return Err(format!("the server answers: {code}")),
    }
    let text = |data: &RData| match data {
        RData::A(a) if kind == RecordType::A => Some(a.to_string()),
        RData::AAAA(a) if kind == RecordType::AAAA => Some(a.to_string()),
        RData::PTR(name) if kind == RecordType::PTR => Some(name.to_string().trim_end_matches('.').to_owned()),
        _ => None,
    };
    Ok(Some(Answers::Whole(message.answers.iter().filter_map(|r| text(&r.data)).collect())))
}
