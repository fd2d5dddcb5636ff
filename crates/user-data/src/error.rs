//! Why user data cannot be read.

/// Why user data could not be searched, so that it is not known to be free of calls without a token.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// It is a decompression bomb, or far larger than what an instance could use.
    #[error("the user data unpacks to more than {} MB", MAX_BYTES / 1024 / 1024)]
    TooLarge,
    /// It is packed in itself too many times.
    #[error("the user data is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// It is not valid gzip, or truncated.
    #[error("could not unpack the user data as gzip")]
    Gzip(#[source] std::io::Error),
    /// It is not valid MIME.
    #[error("could not read the user data as MIME multipart")]
    Mime(#[source] mailparse::MailParseError),
    /// A part that is marked as base64 is not valid base64.
    #[error("could not decode a part of the user data as base64")]
    Base64(#[source] base64::DecodeError),
    /// It includes user data of other addresses.
    #[error("the user data includes other user data by its URL, which is not fetched")]
    Included,
}

/// How large all unpacked parts may be together, in bytes.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// How deep parts may be nested in parts.
pub(crate) const MAX_DEPTH: usize = 8;
