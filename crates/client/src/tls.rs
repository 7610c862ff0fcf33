//! What a DSN says about encryption, for the REST and the WebSocket driver alike: whom to trust (`tls_ca`), how much to check (`tls_mode`,
//! `tls_insecure`), which versions to speak (`tls_version`).

use std::sync::Arc;

use embudo_types::{Error, Result, code};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    version::{TLS12, TLS13},
};

use crate::Dsn;

/// How much of a server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// Who vouches for it, and that it names the host.
    Identity,
    /// Who vouches for it.
    Authority,
    /// Nothing: the link is encrypted, but to whom nobody knows.
    Nothing,
}

/// The settings of encryption.
pub struct Tls {
    check: Check,
    /// Those who may vouch; `None`: those that browsers trust.
    authorities: Option<Vec<CertificateDer<'static>>>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

impl Tls {
    /// Reads a DSN's options.
    pub fn of(dsn: &Dsn) -> Result<Self> {
        let mode = dsn.option("tls_mode").unwrap_or("verify_identity");
        let mut check = match mode.to_ascii_lowercase().as_str() {
            "verify_identity" => Check::Identity,
            "verify_ca" => Check::Authority,
            "required" | "insecure" => Check::Nothing,
            _ => return Err(invalid(format!("tls_mode is verify_identity, verify_ca or insecure, not '{mode}'"))),
        };
        if dsn.flag("tls_insecure")? == Some(true) {
            check = Check::Nothing;
        }
        let authorities = dsn.option("tls_ca").map(authorities).transpose()?;
        let versions = dsn.option("tls_version").map_or_else(|| Ok(vec![&TLS13, &TLS12]), |list| list.split(',').map(version).collect::<Result<_>>())?;
        Ok(Self { check, authorities, versions })
    }

    /// For a stream of our own.
    pub fn rustls(&self) -> Result<Arc<ClientConfig>> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&self.versions);
        let builder = builder.map_err(|source| Error::internal("TLS has no protocol version").caused_by(source))?;
        let config = match self.check {
            Check::Identity => builder.with_root_certificates(self.roots()),
            Check::Authority => {
                let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()), provider).build();
                let inner = verifier.map_err(|source| invalid(format!("tls_ca: {source}")).caused_by(source))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName { inner }))
            }
            Check::Nothing => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody { provider })),
        };
        Ok(Arc::new(config.with_no_client_auth()))
    }

    /// For HTTP requests.
    pub fn ureq(&self) -> Result<ureq::tls::TlsConfig> {
        use ureq::tls::{Certificate, RootCerts, TlsConfig};
        if self.check == Check::Authority {
            return Err(invalid("tls_mode=verify_ca is there over WebSocket only; over REST use verify_identity or insecure"));
        }
        let certificates = self.authorities.as_ref().map(|list| list.iter().map(|one| Certificate::from_der(one).to_owned()).collect::<Vec<_>>());
        let roots = certificates.map_or(RootCerts::WebPki, |list| RootCerts::new_with_certs(&list));
        Ok(TlsConfig::builder().root_certs(roots).disable_verification(self.check == Check::Nothing).build())
    }

    fn roots(&self) -> RootCertStore {
        match &self.authorities {
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Some(list) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(list.iter().cloned());
                roots
            }
        }
    }
}

fn invalid(what: impl Into<String>) -> Error {
    Error::with(code::INVALID_CONFIG_OPTION, what)
}

/// Certificates in PEM form: the text itself, or a file of it.
fn authorities(text: &str) -> Result<Vec<CertificateDer<'static>>> {
    let (what, pem) = if text.contains("-----BEGIN") {
        ("the text".to_owned(), text.as_bytes().to_vec())
    } else {
        (text.to_owned(), std::fs::read(text).map_err(|source| invalid(format!("tls_ca: {text}: {source}")).caused_by(source))?)
    };
    let list = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>();
    list.ok().filter(|list| !list.is_empty()).ok_or_else(|| invalid(format!("tls_ca: {what} holds no certificate in PEM form")))
}

fn version(name: &str) -> Result<&'static SupportedProtocolVersion> {
    match name.trim().to_ascii_lowercase().as_str() {
        "tlsv1.3" | "1.3" => Ok(&TLS13),
        "tlsv1.2" | "1.2" => Ok(&TLS12),
        _ => Err(invalid(format!("tls_version lists TLSv1.2 and TLSv1.3, not '{name}'"))),
    }
}

/// Takes a certificate that somebody trusted vouches for, whatever name stands in it.
#[derive(Debug)]
struct AnyName {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        match self.inner.verify_server_cert(end, between, name, ocsp, now) {
            // The chain is checked before the name.
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, end, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes any certificate; that the server holds its key is still checked.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, end, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, end, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Tls> {
        Tls::of(&Dsn::parse(&format!("taosws+wss://localhost?{query}"))?)
    }

    #[test]
    fn options_say_how_much_is_checked() {
        for (query, check) in [
            ("", Check::Identity),
            ("tls_mode=verify_identity", Check::Identity),
            ("tls_mode=verify_ca", Check::Authority),
            ("tls_mode=insecure", Check::Nothing),
            ("tls_insecure", Check::Nothing),
            ("skipVerify=true", Check::Nothing),
            ("tls_mode=verify_ca&tls_insecure=false", Check::Authority),
        ] {
            assert_eq!(of(query).map(|tls| tls.check).ok(), Some(check), "{query}");
        }
        assert_eq!(of("tls_version=TLSv1.2").map(|tls| tls.versions.len()).ok(), Some(1));
        for query in ["tls_mode=none", "tls_version=SSLv3", "tls_ca=/nowhere/at-all.pem", "tls_ca=-----BEGIN%20NOTHING", "tls_insecure=perhaps"] {
            assert!(of(query).is_err(), "{query}");
        }
        assert!(of("tls_mode=verify_ca").is_ok_and(|tls| tls.ureq().is_err()));
    }
}
