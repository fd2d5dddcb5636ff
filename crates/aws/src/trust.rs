//! Whose certificates are trusted, and which proxy is used.
//!
//! Reading the system's hundred and more roots was three quarters of the work before the first call,
//! and AWS's endpoints need but Amazon's own five. Where those do not do, as behind a proxy that ends
//! TLS or in partitions with other authorities, the system's take their place, at the price of one
//! more handshake.
//!
//! <https://www.amazontrust.com/repository/>

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

/// Amazon Root CA 1 to 4, and Starfield Services Root Certificate Authority - G2.
const AMAZON: &[u8] = include_bytes!("amazon-roots.pem");

/// The longest time that a connection may take to be made; the SDK's own default is 3.1 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

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

/// A client with one pool of connections for all services and regions; `HTTPS_PROXY`, `HTTP_PROXY` and
/// `NO_PROXY` are obeyed.
///
/// The connector is made once, with the first service client: by itself the SDK would make one, and
/// read the roots, for each of them.
pub(crate) fn https(roots: Roots) -> SharedHttpClient {
    let connector = OnceLock::new();
    http_client_fn(move |_, _| connector.get_or_init(|| connect(&roots)).clone())
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

/// `None`: the SDK's own, with the system's roots. A context of roots alone cannot fail to be built; if
/// it did, the system's roots are safe too.
fn tls(roots: &Roots) -> Option<TlsContext> {
    let pem = match roots {
        Roots::System => return None,
        Roots::Amazon => AMAZON,
        Roots::Bundle(pem) => pem,
    };
    let store = TrustStore::empty().with_pem_certificate(pem);
    TlsContext::builder().with_trust_store(store).build().ok()
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
