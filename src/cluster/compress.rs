//! Messages that arrive compressed (`traditional_compression on`): two fields, the compressed text of a whole packet and the
//! name of the method. Nothing is sent compressed: every node reads plain messages.

use std::io::Read;

use bzip2::read::BzDecoder;
use flate2::read::ZlibDecoder;

use crate::cluster::wire::{DecodeError, MAX_PACKET, Message, decode};

/// The field with the compressed packet.
const PAYLOAD: &str = "_compressed_payload";
/// The field with the method's name.
const ALGORITHM: &str = "_compression_algorithm";

/// The message inside, if `message` is a compressed one, else itself. The digest of the outer packet covers it: that it came
/// from a node of the cluster must have been checked before.
///
/// # Errors
/// The method is unknown, the data damaged or longer than [`MAX_PACKET`], or what comes out is no packet.
pub fn unpack(message: Message) -> Result<Message, DecodeError> {
    let Some(payload) = message.bytes(PAYLOAD) else { return Ok(message) };
    let plain = match message.text(ALGORITHM).unwrap_or_default() {
        "zlib" => read(ZlibDecoder::new(payload)),
        "bz2" => read(BzDecoder::new(payload)),
        other => Err(DecodeError::Compressed(format!("method [{other}] is not known"))),
    }?;
    let inner = decode(&plain)?.message;
    if inner.bytes(PAYLOAD).is_some() {
        return Err(DecodeError::Compressed("compressed twice".to_owned()));
    }
    Ok(inner)
}

/// Reads to the end or to the longest packet, whichever comes first: a small packet may unpack to gigabytes.
fn read(decoder: impl Read) -> Result<Vec<u8>, DecodeError> {
    let mut plain = Vec::new();
    let limit = u64::try_from(MAX_PACKET).unwrap_or(u64::MAX) + 1;
    decoder.take(limit).read_to_end(&mut plain).map_err(|e| DecodeError::Compressed(e.to_string()))?;
    if plain.len() > MAX_PACKET {
        return Err(DecodeError::TooLong(plain.len()));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::wire::Kind;

    fn packed(method: &str, payload: Vec<u8>) -> Message {
        let mut message = Message::empty();
        message.push(PAYLOAD, Kind::Binary, payload);
        message.with(ALGORITHM, method)
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_plain_message_stays_as_it_is() {
        let message = Message::new("status").with("st", "up");
        assert_eq!(unpack(message.clone()), Ok(message));
    }

    #[test]
    fn a_bomb_is_cut_off() {
        let bomb = packed("zlib", zlib(&vec![b'x'; 50_000_000]));
        assert_eq!(unpack(bomb), Err(DecodeError::TooLong(MAX_PACKET + 1)));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(matches!(unpack(packed("lzma", vec![1])), Err(DecodeError::Compressed(_))));
        assert!(matches!(unpack(packed("zlib", vec![1, 2, 3])), Err(DecodeError::Compressed(_))));
        assert!(matches!(unpack(packed("bz2", vec![1, 2, 3])), Err(DecodeError::Compressed(_))));
        assert_eq!(unpack(packed("zlib", zlib(b"hello"))), Err(DecodeError::Start));
        let twice = b">>>\n(1)_compressed_payload=AAAA\n_compression_algorithm=zlib\nauth=1 ab\n<<<\n";
        assert!(matches!(unpack(packed("zlib", zlib(twice))), Err(DecodeError::Compressed(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), bz2: bool) {
            let _ = unpack(packed(if bz2 { "bz2" } else { "zlib" }, bytes));
        }
    }
}
