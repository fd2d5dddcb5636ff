//! What is recorded of a change.

use std::io;

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::Instance;
use imds_core::options::MetadataOptions;

/// A change, before it is sent and after it is answered.
#[derive(Debug)]
pub enum Record<'r> {
    /// An instance, and the options to send. An error keeps the call from being made.
    Intent(&'r Instance, &'r MetadataOptions),
    /// All options as EC2 answered them, or the error.
    Answer(&'r Instance, Result<&'r MetadataOptions, &'r str>),
    /// A region, its account defaults, and those to set. An error keeps the call from being made.
    DefaultsIntent(&'r str, &'r MetadataDefaults, &'r MetadataDefaults),
    /// The defaults that are set, or the error.
    DefaultsAnswer(&'r str, Result<&'r MetadataDefaults, &'r str>),
}

/// Records every change.
pub type Recorder<'a> = &'a (dyn Fn(&Record<'_>) -> io::Result<()> + Sync);
