//! HTTP and HTTPS requests, judged as the original does: a final status of 2xx, and the pattern anywhere in the raw body.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use reqwest::header::{CONNECTION, HOST, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url, redirect};

use super::Failure;
use super::spec::Http;
use crate::config::pattern;

/// Redirects that are followed, as the original's library does.
const REDIRECTS: usize = 7;
/// What is read of a body, in bytes: enough for any page that a check asks for, and an end for endless ones.
const BODY: usize = 1 << 20;

pub(super) async fn ask(addr: IpAddr, port: u16, question: &Http) -> Result<String, Failure> {
    let scheme = if question.tls { "https" } else { "http" };
    let text = format!("{scheme}://{}{}", SocketAddr::new(addr, port), question.path);
    let mut url = Url::parse(&text).map_err(|e| Failure::Answer(format!("{text}: {e}")))?;
    let bare = match addr {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => format!("[{a}]"),
    };
    // Without port, as the original: real servers choose the virtual host by it.
    let mut host = question.host.clone().unwrap_or(bare);
    // What the host of a redirect to another path is called: with the port, as it stands in the address.
    let mut authority = SocketAddr::new(addr, port).to_string();
    let method = if question.head { Method::HEAD } else { Method::GET };

    let mut redirects = 0;
    let response = loop {
        let header = HeaderValue::from_str(&host).map_err(|_| Failure::Answer(format!("{host:?} is no host name")))?;
        let response = client()?.request(method.clone(), url.clone()).header(HOST, header).send().await?;
        match target(&response, &url) {
            Some((next, other)) if redirects < REDIRECTS => {
                redirects += 1;
                url = next;
                authority = other.unwrap_or(authority);
                // The virtual host's name belongs to the first request only.
                host.clone_from(&authority);
            }
            _ => break response,
        }
    };
    let status = response.status().to_string();
    if !response.status().is_success() {
        return Err(Failure::Answer(status));
    }
    let body = body(response).await;
    match &question.receive {
        Some(pattern) if !matches(pattern, &body)? => {
            Err(Failure::Answer(format!("{status}, but /{pattern}/ is not in the {} bytes of the answer", body.len())))
        }
        _ => Ok(status),
    }
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

fn matches(pattern: &str, body: &[u8]) -> Result<bool, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::Answer(format!("receive /{pattern}/: {e}"));
    let regex = pattern::compile(pattern).map_err(|e| failed(&e))?;
    regex.is_match(body).map_err(|e| failed(&e))
}

/// One for all checks. It keeps no connection: a check is to see what a new client sees.
fn client() -> Result<&'static Client, Failure> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    // Already there is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("lvs-ha/", env!("CARGO_PKG_VERSION"), " (ldirectord)"))
        .default_headers(HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]))
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        // Real servers have certificates of the name, not of the address; the original verifies nothing either.
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    Ok(CLIENT.get_or_init(|| client))
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
