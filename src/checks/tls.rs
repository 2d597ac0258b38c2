//! TLS for checks. By default nothing about a certificate is verified; it can be, and its end be warned of.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::spec::Tls;
use super::{Failure, trace};

/// Seconds of a day.
const DAY: i64 = 86400;

/// Speaks TLS on a connection.
pub(super) async fn wrap(stream: TcpStream, addr: IpAddr, tls: &Tls) -> Result<TlsStream<TcpStream>, Failure> {
    trace::doing("TLS handshake");
    let mut config = config(tls).await?;
    let name = match &tls.name {
        Some(name) => ServerName::try_from(name.clone()).map_err(|_| Failure::Answer(format!("{name:?} is no host name")))?,
        None => ServerName::IpAddress(addr.into()),
    };
    config.enable_sni = tls.name.is_some();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(Failure::io("TLS"))?;
    trace::note(|| {
        let session = stream.get_ref().1;
        let version = session.protocol_version().map_or_else(String::new, |v| format!("{v:?}"));
        format!("TLS established {version}")
    });
    Ok(stream)
}

/// What a check's TLS is to do. Nothing of a session is kept: a check is to see what a new client sees.
pub(super) async fn config(tls: &Tls) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut trusted = Vec::new();
    let authorities = match (tls.verify, &tls.ca) {
        (false, _) => None,
        (true, Some(file)) => {
            trusted = own(file).await?;
            Some(authorities(&trusted, file)?)
        }
        (true, None) => Some(system().await?),
    };
    let inner = match authorities {
        None => None,
        Some(roots) => {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
            Some(verifier.map_err(|e| Failure::Answer(format!("authorities for TLS: {e}")))?)
        }
    };
    let verifier = Observer { inner, trusted, warn_days: tls.warn_days, provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::Answer(format!("TLS: {e}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// The certificates of a file, read for each check so that a new file counts at once.
async fn own(file: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = tokio::fs::read(file).await.map_err(|e| unusable(file, &e))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|e| unusable(file, &e))?;
    if found.is_empty() { Err(unusable(file, &"there is no certificate in it")) } else { Ok(found) }
}

fn authorities(certificates: &[CertificateDer<'static>], file: &str) -> Result<Arc<RootCertStore>, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|e| unusable(file, &e))?;
    }
    Ok(Arc::new(roots))
}

fn unusable(file: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::Answer(format!("authorities of {file}: {why}"))
}

/// The system's authorities, read once.
async fn system() -> Result<Arc<RootCertStore>, Failure> {
    static ROOTS: OnceCell<Arc<RootCertStore>> = OnceCell::const_new();
    let read = || async {
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let found = found.map_err(|e| Failure::Answer(format!("the system's authorities for TLS: {e}")))?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(Failure::Answer("the system has no authorities for TLS (ca-certificates)".into()));
        }
        Ok(Arc::new(roots))
    };
    ROOTS.get_or_try_init(read).await.cloned()
}

/// Looks at the certificate's end, and lets the rules judge it if there are any.
#[derive(Debug)]
struct Observer {
    inner: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates of one's own: a server may have one of these itself, though the rules want an authority's signature on
    /// another.
    trusted: Vec<CertificateDer<'static>>,
    warn_days: u32,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some((subject, end)) = validity(end_entity) {
            trace::note(|| format!("certificate of {subject}, valid until {}", date(end)));
            if let Some(warning) = expiry(&subject, end, i64::try_from(now.as_secs()).unwrap_or(i64::MAX), self.warn_days) {
                trace::warn(warning);
            }
        }
        match &self.inner {
            None => Ok(ServerCertVerified::assertion()),
            Some(_) if self.trusted.iter().any(|own| own == end_entity) => own_certificate(end_entity, server_name, now),
            Some(rules) => rules.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).map_err(plain),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.inner {
            Some(rules) => rules.verify_tls12_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.inner {
            Some(rules) => rules.verify_tls13_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The server has the very certificate that is trusted: its time and name count all the same.
fn own_certificate(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<ServerCertVerified, Error> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

/// A certificate that has signed itself has no authority that is known: told in plain words.
fn plain(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::Other(why)) if format!("{why:?}").contains("CaUsedAsEndEntity") => {
            CertificateError::UnknownIssuer.into()
        }
        other => other,
    }
}

/// Subject and end (seconds since 1970) of a certificate. `None` when it can't be read.
fn validity(certificate: &[u8]) -> Option<(String, i64)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some((parsed.subject().to_string(), parsed.validity().not_after.timestamp()))
}

/// The warning of a certificate that ends within so many days.
fn expiry(subject: &str, end: i64, now: i64, warn_days: u32) -> Option<String> {
    let left = end.saturating_sub(now);
    if warn_days == 0 || left > i64::from(warn_days) * DAY {
        return None;
    }
    let date = date(end);
    // The same text every day: it is logged once.
    let verb = if left <= 0 { "expired" } else { "expires" };
    Some(format!("the certificate of {subject} {verb} on {date}"))
}

fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_warned_of_within_the_days_asked_for() {
        let (now, end) = (1_800_000_000, |days: i64| 1_800_000_000 + days * DAY);
        assert_eq!(expiry("CN=a", end(15), now, 14), None);
        assert_eq!(expiry("CN=a", end(-1), now, 0), None, "switched off");
        let said = |days| expiry("CN=a", end(days), now, 14).unwrap();
        assert_eq!(said(14), "the certificate of CN=a expires on 2027-01-29");
        assert_eq!(said(0), "the certificate of CN=a expired on 2027-01-15");
        assert_eq!(validity(b"no certificate"), None);
    }
}
