//! Checks that XML responses are complete.
//!
//! The SDK's reader accepts a missing end and tags that do not match: it turns a truncated response into
//! a shorter list, without an error.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use http_body_util::BodyExt;
use xmlparser::{ElementEnd, Token, Tokenizer};

/// Checks every response of a service that uses XML.
#[derive(Debug)]
pub(crate) struct WholeAnswers;

#[dyn_dispatch_hint]
impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "whole answers"
    }

    /// Control characters are not valid in XML, but occur in tags: the reader would refuse the whole page.
    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let read = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(read.map_frame(|frame| {
            frame.map_data(|data| match data.iter().any(is_control) {
                false => data,
                true => data.iter().map(printable).collect(),
            })
        }));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        // The reader reports the error.
        if !answer.status().is_success() || context.output_or_error().is_err() {
            return Ok(());
        }
        let text = std::str::from_utf8(answer.body().bytes().unwrap_or_default())?;
        Ok(check(text)?)
    }
}

fn is_control(byte: &u8) -> bool {
    *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

fn printable(byte: &u8) -> u8 {
    if is_control(byte) { b'?' } else { *byte }
}

/// Why a response is not one complete XML element.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MalformedXml {
    #[error("the answer is not XML")]
    Token(#[from] xmlparser::Error),
    #[error("the answer has `</{0}>` where another element ends")]
    Mismatched(String),
    #[error("the answer is truncated: it ends within `<{0}>`")]
    Cut(String),
    #[error("the answer has no element")]
    Empty,
}

/// Uses the SDK's tokenizer, so that both read the same elements.
pub(crate) fn check(text: &str) -> Result<(), MalformedXml> {
    let mut open = Vec::new();
    let mut elements = 0;
    for token in Tokenizer::from(text) {
        match token? {
            Token::ElementStart { local, .. } => {
                elements += 1;
                open.push(local.as_str());
            }
            Token::ElementEnd { end, .. } => match end {
                ElementEnd::Open => {}
                ElementEnd::Empty => drop(open.pop()),
                ElementEnd::Close(_, local) if open.pop() == Some(local.as_str()) => {}
                ElementEnd::Close(_, local) => {
                    return Err(MalformedXml::Mismatched(local.as_str().to_owned()));
                }
            },
            _ => {}
        }
    }
    match open.last() {
        Some(name) => Err(MalformedXml::Cut((*name).to_owned())),
        None if elements == 0 => Err(MalformedXml::Empty),
        None => Ok(()),
    }
}

/// The ids on a page of `DescribeInstances` that the SDK cannot read because of an invalid value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The ids of all instances on the page.
    pub(crate) ids: Vec<String>,
    /// The token of the next page.
    pub(crate) next_token: Option<String>,
}

impl Outline {
    /// Reads a page; `None` if it is incomplete or has no instances.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body).replace(['\u{fffe}', '\u{ffff}'], "?");
        check(&text).ok()?;
        let mut document = Document::new(&text);
        let mut root = document.root_element().ok()?;
        if root.start_el().local() != "DescribeInstancesResponse" {
            return None;
        }
        let (mut ids, mut next_token) = (Vec::new(), None);
        while let Some(mut child) = root.next_tag() {
            match child.start_el().local() {
                "nextToken" => next_token = Some(try_data(&mut child).ok()?.into_owned()),
                "reservationSet" => {
                    each(
                        child,
                        &["item", "instancesSet", "item"],
                        &mut |mut instance| {
                            let mut id = String::new();
                            while let Some(mut field) = instance.next_tag() {
                                if field.start_el().local() == "instanceId" {
                                    id = try_data(&mut field)?.into_owned();
                                }
                            }
                            ids.push(id);
                            Ok(())
                        },
                    )
                    .ok()?;
                }
                _ => {}
            }
        }
        (!ids.is_empty()).then_some(Outline { ids, next_token })
    }
}

/// Calls a function with each element at a path below an element.
fn each<'i>(
    mut element: ScopedDecoder<'i, '_>,
    path: &[&str],
    found: &mut impl FnMut(ScopedDecoder<'i, '_>) -> Result<(), XmlDecodeError>,
) -> Result<(), XmlDecodeError> {
    let Some((name, below)) = path.split_first() else {
        return found(element);
    };
    while let Some(child) = element.next_tag() {
        if child.start_el().local() == *name {
            each(child, below, found)?;
        }
    }
    Ok(())
}
