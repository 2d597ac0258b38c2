//! TLS, as seen through POP3.

use super::*;

/// A server of lines over TLS, for `www.test` until so many days from now, and its certificate, which may be an authority's too.
fn tls_server(days: i64, authority: bool) -> (u16, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(vec!["www.test".to_owned()]).unwrap();
    if authority {
        wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    let end = jiff::Zoned::now().date().saturating_add(jiff::Span::new().days(days));
    let number = |n: i8| u8::try_from(n).unwrap();
    wanted.not_after = rcgen::date_time_ymd(end.year().into(), number(end.month()), number(end.day()));
    let certificate = wanted.self_signed(&key).unwrap();
    let pem = certificate.pem();
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], der)
        .unwrap();
    let config = Arc::new(config);
    let port = serve(move |stream| {
        let session = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut stream = rustls::StreamOwned::new(session, stream);
        let name =
            |s: &rustls::StreamOwned<rustls::ServerConnection, TcpStream>| s.conn.server_name().unwrap_or("nobody").to_owned();
        // Shakes hands.
        if stream.flush().is_err() {
            return;
        }
        let greeting = format!("+OK {}\r\n", name(&stream));
        let _ = stream.write_all(greeting.as_bytes());
        let _ = stream.flush();
        let _ = stream.read(&mut [0; 100]);
    });
    (port, pem)
}

#[tokio::test]
async fn tls_verifies_when_asked_and_warns_of_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let pops = |tls: Tls| Kind::Pop(Mailbox { tls: Some(tls), login: None });
    let named = |name: &str| Tls { name: Some(name.to_owned()), ..Tls::default() };
    let (port, pem) = tls_server(400, false);
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let ca = Some(ca.to_str().unwrap().to_owned());
    let v = asked(pops(Tls::default()), port).await;
    assert!(v.up && v.text == "+OK nobody" && v.warning.is_none(), "{v:?}");
    let v = asked(pops(named("www.other")), port).await;
    assert!(v.up && v.text == "+OK www.other", "{v:?}");
    let verify = |name: &str, ca: &Option<String>| Tls { verify: true, ca: ca.clone(), warn_days: 14, ..named(name) };
    let v = asked(pops(verify("www.test", &ca)), port).await;
    assert!(v.up && v.warning.is_none(), "{v:?}");
    for (tls, why) in [
        (verify("www.other", &ca), "not valid for name"),
        (verify("www.test", &Some("/nonexistent".to_owned())), "/nonexistent"),
        (Tls { verify: true, ca: ca.clone(), ..Tls::default() }, "certificate"),
    ] {
        let v = asked(pops(tls), port).await;
        assert!(!v.up && v.text.contains(why), "{why}: {v:?}");
    }
    let (port, pem) = tls_server(5, false);
    let soon = dir.path().join("soon.pem");
    std::fs::write(&soon, pem).unwrap();
    let soon = Some(soon.to_str().unwrap().to_owned());
    let v = asked(pops(verify("www.test", &soon)), port).await;
    assert!(v.up && v.warning.as_ref().is_some_and(|w| w.contains(" expires on ")), "{v:?}");
    let v = asked(pops(verify("www.test", &ca)), port).await;
    assert!(!v.up, "another authority: {v:?}");
    let (port, _) = tls_server(-5, false);
    let v = asked(pops(Tls { warn_days: 1, ..Tls::default() }), port).await;
    assert!(v.up && v.warning.as_ref().is_some_and(|w| w.contains(" expired on ")), "{v:?}");
}

/// As `openssl req -x509` makes it: the authority of itself.
#[tokio::test]
async fn a_certificate_that_is_trusted_itself_is_good_for_its_time_and_name() {
    let dir = tempfile::tempdir().unwrap();
    let pops = |ca: Option<&std::path::PathBuf>, name: &str| {
        let ca = ca.map(|file| file.to_str().unwrap().to_owned());
        Kind::Pop(Mailbox { tls: Some(Tls { verify: true, ca, name: Some(name.to_owned()), warn_days: 0 }), login: None })
    };
    let saved = |name: &str, pem: String| {
        let file = dir.path().join(name);
        std::fs::write(&file, pem).unwrap();
        file
    };
    let (good, pem) = tls_server(400, true);
    let own = saved("own", pem);
    let (over, pem) = tls_server(-5, true);
    let old = saved("old", pem);
    let (_, pem) = tls_server(400, true);
    let other = saved("other", pem);
    let v = asked(pops(Some(&own), "www.test"), good).await;
    assert!(v.up, "{v:?}");
    for (ca, name, port, why) in [
        (Some(&own), "www.other", good, "not valid for name"),
        (Some(&old), "www.test", over, "Expired"),
        (Some(&other), "www.test", good, "certificate"),
        (None, "www.test", good, "certificate"),
    ] {
        let v = asked(pops(ca, name), port).await;
        assert!(!v.up && v.text.contains(why), "{why}: {v:?}");
    }
}
