//! HTTP and HTTPS requests, judged as the original does: a final status of 2xx, and the pattern anywhere in the raw body.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use reqwest::header::{CONNECTION, HOST, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, Method, Proxy, Response, Url, redirect};

use super::spec::{Http, Tls};
use super::{Failure, matches, tls, trace};

/// Redirects that are followed, as the original's library does.
const REDIRECTS: usize = 7;
/// What is read of a body, in bytes: enough for any page that a check asks for, and an end for endless ones.
const BODY: usize = 1 << 20;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Http) -> Result<String, Failure> {
    let server = SocketAddr::new(addr, port);
    let client = client(server, question).await?;
    let (text, own) = start(server, question);
    let mut url = Url::parse(&text).map_err(|e| Failure::Answer(format!("{text}: {e}")))?;
    let method = if question.head { Method::HEAD } else { Method::GET };
    // What the host of a redirect to another path is called: with the port, as it stands in the address.
    let mut authority = server.to_string();
    // What it is called in the request; a proxy is asked with the host of the address.
    let mut host = own;

    let mut redirects = 0;
    let response = loop {
        let mut request = client.request(method.clone(), url.clone());
        if let Some(host) = &host {
            let header = HeaderValue::from_str(host).map_err(|_| Failure::Answer(format!("{host:?} is no host name")))?;
            request = request.header(HOST, header);
        }
        trace::doing("connecting, and waiting for the head of the answer");
        let path = if question.proxy { url.as_str().to_owned() } else { url.path().to_owned() + &query(&url) };
        let shown = host.as_deref().or(url.host_str()).unwrap_or_default();
        trace::note(|| format!("will ask: {method} {path}, Host: {shown}"));
        let response = request.send().await?;
        // Only an answer tells that it was: the library connects and sends in one step.
        trace::sent(format!("{method} {path} HTTP/1.1\r\nHost: {shown}\r\n").as_bytes());
        trace::received(head(&response).as_bytes());
        match target(&response, &url) {
            Some((next, other)) if redirects < REDIRECTS => {
                redirects += 1;
                url = next;
                authority = other.unwrap_or(authority);
                // The virtual host's name belongs to the first request only.
                host = (!question.proxy).then(|| authority.clone());
            }
            _ => break response,
        }
    };
    let status = status(&response);
    if !response.status().is_success() {
        return Err(Failure::Answer(status));
    }
    trace::doing("reading the body");
    let body = body(response).await;
    trace::received(&body);
    match &question.receive {
        Some(pattern) if !matches(pattern, &body)? => {
            Err(Failure::Answer(format!("{status}, but /{pattern}/ is not in the {} bytes of the answer", body.len())))
        }
        _ => Ok(status),
    }
}

/// The address that is asked for first, and the `Host:` of it.
fn start(server: SocketAddr, question: &Http) -> (String, Option<String>) {
    if question.proxy {
        return (question.path.clone(), None);
    }
    let bare = match server.ip() {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => format!("[{a}]"),
    };
    // Without port, as the original: real servers choose the virtual host by it.
    let host = question.host.clone().unwrap_or(bare);
    let url = match &question.tls {
        None => format!("http://{server}{}", question.path),
        // The port is the resolver's to say, see `client`.
        Some(Tls { name: Some(name), .. }) => format!("https://{name}{}", question.path),
        Some(_) => format!("https://{server}{}", question.path),
    };
    (url, Some(host))
}

fn query(url: &Url) -> String {
    url.query().map_or_else(String::new, |q| format!("?{q}"))
}

/// The head of an answer as it may have come.
fn head(response: &Response) -> String {
    let mut out = format!("{:?} {}\r\n", response.version(), response.status());
    for (name, value) in response.headers() {
        out.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    }
    out
}

/// The status as the server words it: the monitor file tells it.
fn status(response: &Response) -> String {
    let own = response.extensions().get::<hyper::ext::ReasonPhrase>();
    own.map_or_else(
        || response.status().to_string(),
        |reason| format!("{} {}", response.status().as_u16(), String::from_utf8_lossy(reason.as_bytes())),
    )
}

/// Where a redirect leads, and the host it names, as written, if it names one.
fn target(response: &Response, url: &Url) -> Option<(Url, Option<String>)> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    Some((url.join(location).ok()?, named_host(location).map(str::to_owned)))
}

/// The host and port in the value of `Location:`, as written; `None` for a mere path.
fn named_host(location: &str) -> Option<&str> {
    let (scheme, rest) = location.split_once("//")?;
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !scheme.is_empty() && !scheme.strip_suffix(':').is_some_and(plain) {
        return None;
    }
    rest.split(['/', '?', '#']).next()?.rsplit('@').next()
}

/// What comes of the body up to the limit. One that breaks off counts as far as it came, as with the original.
async fn body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= BODY {
            body.truncate(BODY);
            break;
        }
    }
    body
}

/// The client of a check: one for all of plain HTTP, else one of its own, whose name leads to the real server. None keeps a
/// connection: a check is to see what a new client sees.
async fn client(server: SocketAddr, question: &Http) -> Result<Client, Failure> {
    static PLAIN: OnceLock<Client> = OnceLock::new();
    if question.proxy {
        let proxy = Proxy::all(format!("http://{server}"))?;
        return Ok(builder().proxy(proxy).tls_backend_preconfigured(tls::config(&Tls::default()).await?).build()?);
    }
    if let Some(wanted) = &question.tls {
        let mut builder = builder().no_proxy().tls_backend_preconfigured(tls::config(wanted).await?);
        if let Some(name) = &wanted.name {
            builder = builder.resolve(name, server);
        }
        return Ok(builder.build()?);
    }
    if let Some(client) = PLAIN.get() {
        return Ok(client.clone());
    }
    // A redirect may lead to TLS.
    let client = builder().no_proxy().tls_backend_preconfigured(tls::config(&Tls::default()).await?).build()?;
    Ok(PLAIN.get_or_init(|| client).clone())
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("lvs-ha/", env!("CARGO_PKG_VERSION"), " (ldirectord)"))
        .default_headers(HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
}

#[cfg(test)]
mod tests {
    use super::named_host;

    #[test]
    fn the_host_of_a_redirect_is_taken_as_written() {
        for (location, host) in [
            ("http://www.example.org/x", Some("www.example.org")),
            ("https://u:p@www.example.org:8443?x", Some("www.example.org:8443")),
            ("//[fd00::1]:80/", Some("[fd00::1]:80")),
            ("/login?back=http://www.example.org/", None),
            ("there", None),
            ("a//b", None),
        ] {
            assert_eq!(named_host(location), host, "{location}");
        }
    }
}
