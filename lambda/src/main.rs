//! The Lambda function `enforcer`: configuration, dispatch, log, metrics.

mod config;
mod error;
mod handle;
mod log;
mod metrics;
mod policy;

use std::process::ExitCode;

use config::Config;
use futures_util::future::join;
use handle::App;
use imds_core::chain::chain;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::task::yield_now;

fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the environment is read"
    )]
    let var = |name: &str| std::env::var(name).ok();
    log::init(var);
    let started = Config::from_vars(var).map_err(Into::into).and_then(run);
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// After this many yields the runtime has requested the first event; each additional yield costs 2 µs.
const YIELDS_TO_ASK: usize = 8;

fn run(config: Config) -> Result<(), lambda_runtime::Error> {
    // One thread: the function waits for the network, and Lambda bills the time of all threads.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let app = runtime.block_on(App::new(config))?;
    let answers = lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let app = &app;
        async move {
            let LambdaEvent { payload, context } = event;
            app.answer(payload, &context, now).await
        }
    }));
    // Prepares the first call while the first event is on its way.
    let prepared = async {
        for _ in 0..YIELDS_TO_ASK {
            yield_now().await;
        }
        app.prepare();
    };
    runtime.block_on(join(answers, prepared)).0
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one clock; everything else takes the time"
)]
fn now() -> Timestamp {
    Timestamp::now()
}
