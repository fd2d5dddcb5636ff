//! Whose certificates are trusted, and which proxy is used.
//!
//! Parsing the system's 100 or more roots was three quarters of the work before the first call, but AWS's
//! endpoints need only Amazon's own five. Where those are not enough, for example behind a proxy that
//! terminates TLS or in partitions with other authorities, the system's roots replace them, at the cost
//! of one more handshake.
//!
//! <https://www.amazontrust.com/repository/>

use std::error::Error;
use std::sync::{Arc, OnceLock};

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use imds_core::chain::causes;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::timing::CONNECT_TIMEOUT;

/// Amazon Root CA 1 to 4, and Starfield Services Root Certificate Authority - G2.
const AMAZON: &[u8] = include_bytes!("amazon-roots.pem");

/// The roots in PEM that replace all others, as given by `AWS_CA_BUNDLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle(Arc<[u8]>);

impl CaBundle {
    /// Checks the roots: the SDK would panic on an invalid root, and an empty bundle trusts no certificate.
    ///
    /// # Errors
    /// If there is no certificate, or if one cannot be used.
    pub fn parse(pem: Vec<u8>) -> Result<Self, BundleError> {
        let mut roots = RootCertStore::empty();
        for (place, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
            let certificate = certificate.map_err(BundleError::Pem)?;
            let place = place + 1;
            roots
                .add(certificate)
                .map_err(|source| BundleError::Certificate { place, source })?;
        }
        if roots.is_empty() {
            return Err(BundleError::Empty);
        }
        Ok(CaBundle(pem.into()))
    }
}

/// Why the certificates of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It contains no certificate.
    #[error("it has no certificate in PEM")]
    Empty,
    /// It is not PEM.
    #[error("it is not PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// One of its certificates cannot be used.
    #[error("its certificate {place} cannot be used")]
    Certificate {
        /// Counted from 1.
        place: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
}

/// Which roots are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Amazon's.
    Amazon,
    /// Only those of a bundle.
    Bundle(CaBundle),
    /// The system's, and those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
}

/// One pool of connections for all services and regions. It respects `HTTPS_PROXY`, `HTTP_PROXY` and
/// `NO_PROXY`.
///
/// The connector is created once, on first use: the SDK by itself would create one, and parse the roots,
/// for each region and service.
#[derive(Debug, Clone)]
pub(crate) struct Https(Arc<Connecting>);

#[derive(Debug)]
struct Connecting {
    roots: Roots,
    connector: OnceLock<SharedHttpConnector>,
}

impl Https {
    pub(crate) fn new(roots: Roots) -> Self {
        let connector = OnceLock::new();
        Https(Arc::new(Connecting { roots, connector }))
    }

    /// Connections to which a test responds.
    #[cfg(test)]
    pub(crate) fn over(connector: SharedHttpConnector) -> Self {
        let connector = OnceLock::from(connector);
        let roots = Roots::System;
        Https(Arc::new(Connecting { roots, connector }))
    }

    pub(crate) fn roots(&self) -> &Roots {
        &self.0.roots
    }

    pub(crate) fn connector(&self) -> &SharedHttpConnector {
        let Connecting { roots, connector } = &*self.0;
        connector.get_or_init(|| connect(roots))
    }
}

impl HttpClient for Https {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.connector().clone()
    }
}

fn connect(roots: &Roots) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(rustls_provider::CryptoMode::Ring));
    SharedHttpConnector::new(match tls(roots) {
        Some(context) => connector.tls_context(context).build(),
        None => connector.build(),
    })
}

/// `None`: the SDK's default, with the system's roots. Building a context from roots alone cannot fail;
/// if it did, falling back to the system's roots would be safe.
fn tls(roots: &Roots) -> Option<TlsContext> {
    let pem = match roots {
        Roots::System => return None,
        Roots::Amazon => AMAZON,
        Roots::Bundle(CaBundle(pem)) => pem,
    };
    let store = TrustStore::empty().with_pem_certificate(pem);
    TlsContext::builder().with_trust_store(store).build().ok()
}

/// Whether a call failed because no trusted authority signed the certificate.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.to_string().contains("UnknownIssuer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(pem: &[u8], expected: &str) {
        let error = CaBundle::parse(pem.to_vec()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_bundle_without_a_usable_certificate_is_refused() {
        assert!(CaBundle::parse(AMAZON.to_vec()).is_ok());
        refused(b"", "it has no certificate in PEM");
        refused(b"{}", "it has no certificate in PEM");
        let none = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        refused(none, "its certificate 1 cannot be used");
        refused(&[AMAZON, none].concat(), "its certificate 6 cannot be used");
        refused(b"-----BEGIN CERTIFICATE-----\nAAAA\n", "it is not PEM");
    }
}
