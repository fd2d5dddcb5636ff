//! A function that does nothing, built like `lambda/src/main.rs`: the least that a start, an event
//! and a megabyte cost. No SDK, no logs, no policy.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

fn main() -> Result<(), Error> {
    let answer = RawValue::from_string(r#"{"hello":"world"}"#.to_owned())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(lambda_runtime::run(service_fn(
        |_: LambdaEvent<Box<RawValue>>| {
            let answer = &answer;
            async move { Ok::<_, Error>(answer) }
        },
    )))
}
