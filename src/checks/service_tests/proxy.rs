//! A proxy.

use super::*;

#[tokio::test]
async fn a_proxy_is_asked_for_the_whole_address() {
    let port = serve(|mut s| {
        let mut lines = BufReader::new(s.try_clone().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        while lines.next().is_some_and(|l| !l.unwrap().is_empty()) {}
        let _ = write!(s, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{first}", first.len());
    });
    let question = |path: &str| {
        let receive = Some("^GET http://www.example.org/x HTTP/1.1$".to_owned());
        Kind::Http(Http { tls: None, head: false, path: path.into(), proxy: true, host: None, receive })
    };
    let v = asked(question("http://www.example.org/x"), port).await;
    assert!(v.up, "{v:?}");
    assert!(!asked(question("http://www.example.org/y"), port).await.up);
    assert!(!asked(question("x"), port).await.up);
}
