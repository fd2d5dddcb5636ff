//! x
/// x
#[derive(Debug)]
pub struct Function;
/// x
#[derive(Debug)]
pub struct FunctionBuilder;
/// x
#[derive(Debug)]
pub struct FunctionError;
/// x
#[derive(Debug)]
pub struct Invocation;
