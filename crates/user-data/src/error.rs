//! Why user data cannot be read.

/// Why user data could not be searched, and so is not known to be free of such calls.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// A bomb, or far more than an instance could use.
    #[error("the user data unpacks to more than {} MB", LARGEST / 1024 / 1024)]
    TooLarge,
    /// Packed again and again.
    #[error("the user data is packed more than {DEEPEST} times")]
    TooDeep,
    /// Not gzip, or cut.
    #[error("could not unpack the user data as gzip")]
    Gzip(#[source] std::io::Error),
    /// Not MIME.
    #[error("could not read the user data as MIME multipart")]
    Mime(#[source] mailparse::MailParseError),
    /// The content of a file that is written.
    #[error("could not decode the content of a file in cloud-config as base64")]
    Base64(#[source] base64::DecodeError),
}

/// Bytes, unpacked, of all parts together.
pub(crate) const LARGEST: usize = 16 * 1024 * 1024;

/// Parts within parts.
pub(crate) const DEEPEST: usize = 8;
