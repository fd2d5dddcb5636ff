//! Connects to AWS.

use std::path::PathBuf;
use std::sync::Arc;

use imds_aws::{AskMfaCode, CaBundle, Client, Identity, Login, LoginOptions, OnAttempt, login};
use tokio::time::Instant;

use crate::args::Connection;
use crate::error::Problem;
use crate::terminal::{self, Answers};

/// A client, and the region to start with.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) client: Arc<Client>,
    /// The region that is asked for the enabled regions.
    pub(crate) region: String,
    /// The region of the environment or the profile, where the state table is unless its ARN says otherwise.
    pub(crate) home: String,
}

impl Connected {
    /// Whose credentials these are. Without that nothing can be recorded, so nothing is changed.
    pub(crate) async fn identity(&self) -> Result<Identity, Problem> {
        let identity = self.client.identity(&self.region).await;
        identity.map_err(Problem::identity)
    }

    /// The account of the credentials.
    pub(crate) async fn account(&self) -> Result<String, Problem> {
        Ok(self.identity().await?.account)
    }

    /// Asks for confirmation; the time until the answer does not count for `--timeout`.
    ///
    /// # Errors
    /// If there is no terminal.
    pub(crate) fn agreed(&self, question: &str) -> Result<bool, Problem> {
        self.asked(|| Answers::StandardInput.agreed(question))
    }

    /// Asks something else, whose time does not count either.
    ///
    /// # Errors
    /// As of what is asked.
    pub(crate) fn asked<T>(&self, ask: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
        let asked = Instant::now();
        let answer = ask()?;
        self.client.extend_time(asked.elapsed());
        Ok(answer)
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
        ask_mfa_code: Answers::Terminal.can_ask().ok().map(|()| -> AskMfaCode {
            Arc::new(|serial| terminal::secret(&format!("Enter MFA code for {serial}: ")))
        }),
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
    let login = login(&options, ca_bundle, var).await?;
    let Login {
        client,
        region,
        home,
    } = login;
    Ok(Connected {
        client: Arc::new(client),
        region,
        home,
    })
}
