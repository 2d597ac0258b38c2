//! FTP.

use super::*;

/// An FTP server with one file, whose data connections are passive.
fn ftp_server() -> u16 {
    serve(|mut s| {
        let _ = s.write_all(b"220-hello\r\n220 ftp\r\n");
        let mut data = None;
        for line in BufReader::new(s.try_clone().unwrap()).lines().map_while(Result::ok) {
            let answer = match line.as_str() {
                "USER u" => "331 password\r\n".to_owned(),
                "PASS p" => "230 in\r\n".to_owned(),
                "PASV" => {
                    let listener = TcpListener::bind((HERE, 0)).unwrap();
                    let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
                    data = Some(listener);
                    // An address that leads nowhere: that of the control connection counts.
                    format!("227 Entering Passive Mode (192,0,2,1,{high},{low})\r\n")
                }
                "RETR ok.txt" => {
                    s.write_all(b"150 here\r\n").unwrap();
                    data.take().unwrap().accept().unwrap().0.write_all(b"all is fine\n").unwrap();
                    "226 done\r\n".to_owned()
                }
                line if line.starts_with("RETR") => "550 no such file\r\n".to_owned(),
                line if line.starts_with("PASS") => "530 wrong\r\n".to_owned(),
                _ => "200 ok\r\n".to_owned(),
            };
            let _ = s.write_all(answer.as_bytes());
        }
    })
}

#[tokio::test]
async fn ftp_fetches_the_file_passively() {
    let port = ftp_server();
    for (kind, up, why) in [
        (ftp("p", "ok.txt", Some("fine$")), true, "ok.txt: 12 bytes"),
        (ftp("p", "ok.txt", Some("bad")), false, "/bad/ is not in the 12 bytes"),
        (ftp("p", "none", Some(".")), false, "550 no such file"),
        (ftp("p", "", None), true, "230 in"),
        (ftp("wrong", "ok.txt", Some("fine")), false, "530 wrong"),
    ] {
        let v = asked(kind, port).await;
        assert!(v.up == up && v.text.contains(why), "{why}: {v:?}");
    }
}
