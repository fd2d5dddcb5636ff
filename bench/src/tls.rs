//! TLS in front of a fake, with the costs of a cold start in AWS: a handshake, a chain to verify, and root
//! certificates to read, Amazon's or a system's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use imds_tests::{FakeAws, FunctionBuilder, TlsListener};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite};

/// Where systems keep their root certificates in one file: Debian, and Amazon Linux as in Lambda.
const SYSTEM_ROOTS: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];

const AMAZON: &str = include_str!("../../crates/aws/src/amazon-roots.pem");

/// The name in the certificate.
const HOST: &str = "localhost";

/// A fake behind TLS.
#[derive(Debug)]
pub(crate) struct TlsFront {
    listener: TlsListener,
    /// How many root certificates the system has.
    pub(crate) system_roots: usize,
    amazon_file: PathBuf,
    system_file: PathBuf,
}

impl TlsFront {
    /// Makes the fake listen with TLS, and writes two files into the folder: Amazon's roots and the
    /// system's roots, each with the fake's root at the end.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(crate) fn start(ec2: &FakeAws, folder: &Path) -> io::Result<Self> {
        let (config, root) = certified();
        let system = SYSTEM_ROOTS
            .iter()
            .find_map(|file| fs::read_to_string(file).ok());
        let system = format!("{}\n{root}", system.unwrap_or_default());
        let system_file = folder.join("system-roots.pem");
        fs::write(&system_file, &system)?;
        let amazon_file = folder.join("amazon-roots.pem");
        fs::write(&amazon_file, format!("{AMAZON}\n{root}"))?;

        Ok(TlsFront {
            listener: ec2.listen_tls(HOST, config),
            system_roots: system.matches("-----BEGIN CERTIFICATE-----").count(),
            amazon_file: amazon_file.canonicalize()?,
            system_file: system_file.canonicalize()?,
        })
    }

    pub(crate) fn url(&self) -> &str {
        self.listener.url()
    }

    /// Makes the function trust the fake by Amazon's roots, as in Lambda.
    pub(crate) fn trusted_by_amazon_roots(&self, function: FunctionBuilder) -> FunctionBuilder {
        function.env("AWS_CA_BUNDLE", &self.amazon_file.to_string_lossy())
    }

    /// Makes the function trust the fake by the system's roots, which it reads if Amazon's do not
    /// suffice.
    pub(crate) fn trusted_by_system_roots(&self, function: FunctionBuilder) -> FunctionBuilder {
        function.env("SSL_CERT_FILE", &self.system_file.to_string_lossy())
    }
}

/// A server's configuration, and the root of its chain.
fn certified() -> (ServerConfig, String) {
    let (root, issuer) = authority("imds-bench root", None);
    let (intermediate, issuer) = authority("imds-bench intermediate", Some(&issuer));
    let key = KeyPair::generate().expect("ring makes P-256 keys");
    let leaf = CertificateParams::new([HOST.to_owned()])
        .and_then(|params| params.signed_by(&key, &issuer))
        .expect("a certificate can be made");
    let chain = vec![leaf.der().clone(), intermediate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let mut provider = default_provider();
    // AWS's endpoints choose AES-128.
    let aes_256 =
        |suite: &SupportedCipherSuite| suite.suite() == CipherSuite::TLS13_AES_256_GCM_SHA384;
    provider.cipher_suites.retain(|suite| !aes_256(suite));
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .expect("the key fits the certificate");
    (config, root.pem())
}

fn authority(
    name: &str,
    parent: Option<&Issuer<'_, KeyPair>>,
) -> (Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("ring makes P-256 keys");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let certificate = match parent {
        Some(parent) => params.signed_by(&key, parent),
        None => params.self_signed(&key),
    };
    (
        certificate.expect("a certificate can be made"),
        Issuer::new(params, key),
    )
}
