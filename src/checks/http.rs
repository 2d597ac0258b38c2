//! HTTP and HTTPS requests, judged as the original does: a final status of 2xx, and the pattern anywhere in the raw body.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;

use reqwest::header::{CONNECTION, HOST, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url, redirect};

use super::Failure;
use super::spec::Http;

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
    let host = question.host.clone().unwrap_or(bare);
    let mut host = Some(HeaderValue::from_str(&host).map_err(|_| Failure::Answer(format!("{host:?} is no host name")))?);
    let method = if question.head { Method::HEAD } else { Method::GET };

    let mut redirects = 0;
    let response = loop {
        let mut request = client()?.request(method.clone(), url.clone());
        // The name belongs to the first server only: a redirect says itself where to go.
        if let Some(host) = host.take() {
            request = request.header(HOST, host);
        }
        let response = request.send().await?;
        match target(&response, &url) {
            Some(next) if redirects < REDIRECTS => {
                redirects += 1;
                url = next;
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

/// Where a redirect leads.
fn target(response: &Response, url: &Url) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    url.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
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
    let regex = fancy_regex::Regex::new(pattern).map_err(|e| failed(&e))?;
    regex.is_match(String::from_utf8_lossy(body).as_ref()).map_err(|e| failed(&e))
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
