//! RADIUS (RFC 2865): Access-Request with the password by PAP and a Message-Authenticator (RFC 2869), which servers now
//! demand; Access-Accept is up.
//!
//! ```text
//!  0        1        2                 4
//! |  code  |   id   |     length      |  authenticator: 16 bytes  |  attributes: type, length, value ...
//! ```
//! [`accepted`] reads an answer and is pure.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};

use super::spec::Radius;
use super::{Failure, datagram, hostname, random};

const REQUEST: u8 = 1;
const ACCEPT: u8 = 2;
const REJECT: u8 = 3;
const CHALLENGE: u8 = 11;
const USER_NAME: u8 = 1;
const USER_PASSWORD: u8 = 2;
const NAS_IDENTIFIER: u8 = 32;
const MESSAGE_AUTHENTICATOR: u8 = 80;
/// Bytes before the attributes.
const HEADER: usize = 20;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Radius) -> Result<String, Failure> {
    let [id] = random::<1>()?;
    let authenticator = random::<16>()?;
    let secret = question.secret.reveal().as_bytes();
    let request = request(id, authenticator, question, &hostname()).map_err(Failure::Answer)?;
    let judge = |packet: &[u8]| accepted(packet, id, &authenticator, secret).map_err(Failure::Answer);
    datagram::ask(addr, port, &request, judge).await
}

/// The packet of a request.
fn request(id: u8, authenticator: [u8; 16], question: &Radius, nas: &str) -> Result<Vec<u8>, String> {
    let secret = question.secret.reveal().as_bytes();
    let mut attributes = Vec::new();
    let mut push = |kind: u8, value: &[u8]| {
        let length = u8::try_from(value.len() + 2).map_err(|_| "login and passwd are too long for RADIUS".to_owned())?;
        attributes.extend([kind, length]);
        attributes.extend(value);
        Ok::<(), String>(())
    };
    push(USER_NAME, question.login.as_bytes())?;
    push(USER_PASSWORD, &hidden(question.passwd.reveal().as_bytes(), &authenticator, secret))?;
    push(NAS_IDENTIFIER, nas.as_bytes())?;
    push(MESSAGE_AUTHENTICATOR, &[0; 16])?;
    let length = u16::try_from(HEADER + attributes.len()).map_err(|e| e.to_string())?;
    let mut packet = vec![REQUEST, id];
    packet.extend(length.to_be_bytes());
    packet.extend(authenticator);
    packet.extend(attributes);
    let mut mac = Hmac::<Md5>::new_from_slice(secret).map_err(|e| e.to_string())?;
    mac.update(&packet);
    let place = packet.len() - 16;
    packet.truncate(place);
    packet.extend(mac.finalize().into_bytes());
    Ok(packet)
}

/// A password as RFC 2865 5.2 hides it: at most 128 bytes of it.
fn hidden(password: &[u8], authenticator: &[u8; 16], secret: &[u8]) -> Vec<u8> {
    let mut padded = password.get(..128).unwrap_or(password).to_vec();
    padded.resize(padded.len().max(1).next_multiple_of(16), 0);
    let mut out: Vec<u8> = Vec::new();
    let mut last = authenticator.to_vec();
    for block in padded.chunks(16) {
        let key = Md5::new().chain_update(secret).chain_update(&last).finalize();
        last = block.iter().zip(key).map(|(b, k)| b ^ k).collect();
        out.extend(&last);
    }
    out
}

/// What an answer says; `None` when it is none of this request, or nobody who knows the secret has sent it.
///
/// # Errors
/// The server rejects, or wants more than a password.
pub fn accepted(packet: &[u8], id: u8, request: &[u8; 16], secret: &[u8]) -> Result<Option<String>, String> {
    let Some([code, answered, high, low]) = packet.first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (Some(sum), Some(attributes)) = (packet.get(4..HEADER), packet.get(HEADER..length)) else { return Ok(None) };
    if *answered != id {
        return Ok(None);
    }
    let want = Md5::new()
        .chain_update([*code, *answered, *high, *low])
        .chain_update(request)
        .chain_update(attributes)
        .chain_update(secret)
        .finalize();
    if want.as_slice() != sum {
        return Err("the answer is not signed with our secret".into());
    }
    match *code {
        ACCEPT => Ok(Some("Access-Accept".into())),
        REJECT => Err("Access-Reject".into()),
        CHALLENGE => Err("Access-Challenge".into()),
        code => Err(format!("an answer of kind {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::spec::Secret;

    /// The example of RFC 2865, section 7.1.
    #[test]
    fn the_password_is_hidden_as_the_standard_shows() {
        let authenticator = [0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a];
        let want = [0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31, 0x96, 0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee];
        assert_eq!(hidden(b"arctangent", &authenticator, b"xyzzy5461"), want);
        assert_eq!(hidden(b"", &authenticator, b"x").len(), 16);
        assert_eq!(hidden(&[b'x'; 17], &authenticator, b"x").len(), 32);
        assert_eq!(hidden(&[b'x'; 500], &authenticator, b"x").len(), 128);
    }

    /// The answer of the same example.
    #[test]
    fn an_answer_counts_only_when_it_is_signed() {
        let request = [0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a];
        let answer = [
            0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24, 0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf, 0x9b, 0x55, 0xe0,
            0xb2, 0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x06, 0xc0, 0xa8, 0x01, 0x03,
        ];
        assert_eq!(accepted(&answer, 0, &request, b"xyzzy5461"), Ok(Some("Access-Accept".into())));
        assert_eq!(accepted(&answer, 1, &request, b"xyzzy5461"), Ok(None));
        assert!(accepted(&answer, 0, &request, b"other").is_err());
        assert_eq!(accepted(&answer[..30], 0, &request, b"xyzzy5461"), Ok(None), "cut short");
        assert_eq!(accepted(&[], 0, &request, b""), Ok(None));
    }

    #[test]
    fn requests_are_signed() {
        let question = Radius { login: "nemo".into(), passwd: Secret::new("p"), secret: Secret::new("s") };
        let packet = request(7, [9; 16], &question, "nas").unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
        let (body, sum) = packet.split_at(packet.len() - 16);
        let mut mac = Hmac::<Md5>::new_from_slice(b"s").unwrap();
        mac.update(body);
        mac.update(&[0; 16]);
        assert_eq!(mac.finalize().into_bytes().as_slice(), sum);
        let long = Radius { login: "x".repeat(300), ..question };
        assert!(request(7, [9; 16], &long, "nas").is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            let _ = accepted(&bytes, 0, &[0; 16], b"s");
        }
    }
}
