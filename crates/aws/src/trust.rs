//! Whose certificates are trusted.
//!
//! Reading the system's hundred and more roots was three quarters of the work before the first call,
//! and AWS's endpoints need but Amazon's own five. Where those do not do, as behind a proxy that ends
//! TLS or in partitions with other authorities, the system's take their place, at the price of one
//! more handshake.
//!
//! <https://www.amazontrust.com/repository/>

use std::error::Error;
use std::sync::Arc;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// Amazon Root CA 1 to 4, and Starfield Services Root Certificate Authority - G2.
const AMAZON: &[u8] = include_bytes!("amazon-roots.pem");

/// Which roots are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Amazon's.
    Amazon,
    /// Those of a bundle, and no others.
    Bundle(Arc<[u8]>),
    /// The system's, and those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
}

/// A client with a pool of connections of its own.
pub(crate) fn https(roots: &Roots) -> SharedHttpClient {
    let builder = Builder::new().tls_provider(Provider::Rustls(rustls_provider::CryptoMode::Ring));
    let pem = match roots {
        Roots::System => return builder.build_https(),
        Roots::Amazon => AMAZON,
        Roots::Bundle(pem) => pem,
    };
    let store = TrustStore::empty().with_pem_certificate(pem);
    // A context of roots alone cannot fail; if it did, the system's roots are safe too.
    match TlsContext::builder().with_trust_store(store).build() {
        Ok(context) => builder.tls_context(context).build_https(),
        Err(_) => builder.build_https(),
    }
}

/// Whether a call failed because nobody who is trusted has signed the certificate.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("UnknownIssuer") {
            return true;
        }
        cause = error.source();
    }
    false
}
