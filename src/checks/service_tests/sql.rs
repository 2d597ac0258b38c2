//! PostgreSQL and MySQL.

use super::*;

/// A PostgreSQL server that lets everybody in who gives a password and answers with so many rows.
fn pgsql_server(rows: usize) -> u16 {
    serve(move |mut s| {
        let mut buffer = [0; 1024];
        let _ = s.read(&mut buffer);
        let _ = s.write_all(b"R\0\0\0\x08\0\0\0\x03");
        let n = s.read(&mut buffer).unwrap_or(0);
        if &buffer[..n] != b"p\0\0\0\x06p\0" {
            let _ = s.write_all(b"E\0\0\0\x1aSFATAL\0C28P01\0Mwrong\0\0");
            return;
        }
        let _ = s.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
        let _ = s.read(&mut buffer);
        let _ = s.write_all(b"T\0\0\0\x1a\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
        for _ in 0..rows {
            if s.write_all(b"D\0\0\0\x0b\0\x01\0\0\0\x011").is_err() {
                return;
            }
        }
        let _ = s.write_all(b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I");
        let _ = s.read(&mut buffer);
    })
}

#[tokio::test]
async fn pgsql_wants_a_row() {
    let v = asked(sql(Engine::Pgsql), pgsql_server(1)).await;
    assert!(v.up, "{v:?}");
    let v = asked(sql(Engine::Pgsql), pgsql_server(usize::MAX)).await;
    assert!(v.up, "no more than one is read: {v:?}");
    let v = asked(sql(Engine::Pgsql), pgsql_server(0)).await;
    assert!(!v.up && v.text == "the query gives no row", "{v:?}");
    let Kind::Sql(mut question) = sql(Engine::Pgsql) else { panic!() };
    question.passwd = Secret::new("x");
    assert!(!asked(Kind::Sql(question), pgsql_server(1)).await.up);
}

/// A MySQL server that lets everybody in and answers with so many rows.
fn mysql_server(rows: usize) -> u16 {
    let packet = |seq: u8, body: &[u8]| {
        let [a, b, c, _] = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&[a, b, c, seq][..], body].concat()
    };
    serve(move |mut s| {
        let greeting = [
            &b"\x0a8.0.0\0\x01\0\0\0abcdefgh\0"[..],
            // Protocol 4.1, secure connection, plugins.
            &[0x08, 0x82, 0x21, 0x02, 0, 0x08, 0, 21],
            &[0; 10],
            b"ijklmnopqrst\0mysql_native_password\0",
        ]
        .concat();
        let _ = s.write_all(&packet(0, &greeting));
        let mut buffer = [0; 1024];
        let _ = s.read(&mut buffer);
        let _ = s.write_all(&packet(2, &[0, 0, 0, 2, 0, 0, 0]));
        let _ = s.read(&mut buffer);
        let column = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0";
        let eof = [0xfe, 0, 0, 2, 0];
        let mut seq = 3_u8;
        let _ = s.write_all(&[packet(1, &[1]), packet(2, column), packet(3, &eof)].concat());
        for _ in 0..rows {
            seq = seq.wrapping_add(1);
            if s.write_all(&packet(seq, b"\x011")).is_err() {
                return;
            }
        }
        let _ = s.write_all(&packet(seq.wrapping_add(1), &eof));
        let _ = s.read(&mut buffer);
    })
}

#[tokio::test]
async fn mysql_wants_a_row() {
    for (rows, up) in [(1, true), (0, false), (usize::MAX, true)] {
        let v = asked(sql(Engine::Mysql), mysql_server(rows)).await;
        assert_eq!(v.up, up, "{rows} {v:?}");
    }
    let Kind::Sql(mut question) = sql(Engine::Mysql) else { panic!() };
    question.query.clear();
    let v = asked(Kind::Sql(question), 1).await;
    assert!(!v.up && v.text.contains("needs login and request"), "{v:?}");
}
