//! Connects to AWS.

use std::path::PathBuf;
use std::sync::Arc;

use imds_aws::{CaBundle, Client, Login, LoginOptions, OnAttempt, login};
use tokio::time::Instant;

use crate::args::Connection;
use crate::error::Problem;
use crate::terminal;

/// A client, and the region to start with.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) client: Arc<Client>,
    /// The region that is asked for the enabled regions.
    pub(crate) region: String,
}

impl Connected {
    /// The account of the credentials. Without it nothing can be recorded, so nothing is changed.
    pub(crate) async fn account(&self) -> Result<String, Problem> {
        let identity = self.client.identity(&self.region).await;
        Ok(identity.map_err(Problem::identity)?.account)
    }

    /// Asks for confirmation; the time until the answer does not count for `--timeout`.
    ///
    /// # Errors
    /// If there is no terminal.
    pub(crate) fn agreed(&self, question: &str) -> Result<bool, Problem> {
        let asked = Instant::now();
        let agreed = terminal::agreed(question)?;
        self.client.extend_time(asked.elapsed());

        Ok(agreed)
    }
}

/// Finds credentials as the AWS CLI does.
pub(crate) async fn connect(
    connection: &Connection,
    only: &[String],
    var: impl Fn(&str) -> Option<String>,
) -> Result<Connected, Problem> {
    let options = LoginOptions {
        profile: connection.profile.clone(),
        // Credentials are valid only in the regions of their partition.
        region: only.first().cloned(),
        endpoint_url: connection.endpoint_url.clone(),
        time_limit: connection.timeout,
        on_attempt: connection
            .verbose
            .then(|| -> OnAttempt { Arc::new(|attempt| eprintln!("{attempt}")) }),
    };
    let ca_bundle = match var("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        Some(path) => {
            let path = PathBuf::from(path);
            let pem = std::fs::read(&path).map_err(Problem::reading("AWS_CA_BUNDLE", &path))?;
            let bundle = CaBundle::parse(pem);
            Some(bundle.map_err(|source| Problem::CaBundle { path, source })?)
        }
        None => None,
    };
    let Login { client, region } = login(&options, ca_bundle, var).await?;
    Ok(Connected {
        client: Arc::new(client),
        region,
    })
}
