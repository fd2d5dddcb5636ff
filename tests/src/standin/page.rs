//! Pages and the tokens between them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::refusal::Refusal;
use super::request::Request;
use super::world::{LastPage, Settings};
use super::xml::Xml;

/// Where a page begins and how much it holds.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) from: usize,
    pub(super) most: usize,
}

/// The page that a call asks for; `allowed` are the values of MaxResults.
pub(super) fn page(
    request: &Request,
    settings: &Settings,
    allowed: RangeInclusive<usize>,
) -> Result<Page, Refusal> {
    let from = match request.get("NextToken") {
        None | Some("") => 0,
        Some(token) => position(request, token)?,
    };
    let most = match request.number::<usize>("MaxResults")? {
        Some(most) if !allowed.contains(&most) => {
            let expected = format!("Expecting {} to {}.", allowed.start(), allowed.end());
            return Err(Refusal::value("maxResults", most, &expected));
        }
        most => most.unwrap_or(*allowed.end()).min(settings.page_size),
    };
    Ok(Page { from, most })
}

/// Writes the token of the next page, or what a last page has instead.
pub(super) fn next(xml: &mut Xml, request: &Request, settings: &mut Settings, next: Option<usize>) {
    match (next, settings.last_page) {
        (Some(position), _) => {
            xml.text("nextToken", token(request, position));
        }
        (None, LastPage::Empty) => {
            xml.empty("nextToken");
        }
        (None, LastPage::Absent) => {}
        (None, LastPage::Alternate) => {
            settings.alternate = !settings.alternate;
            if settings.alternate {
                xml.empty("nextToken");
            }
        }
    }
}

/// A token holds for the query that it came from, and has characters that a form must escape.
pub(super) fn token(request: &Request, position: usize) -> String {
    let mut bytes = b"\xfb\xff\xfe".to_vec();
    bytes.extend(query(request).to_be_bytes());
    bytes.extend((position as u64).to_be_bytes());
    STANDARD.encode(bytes)
}

/// Where the token of an earlier page points.
pub(super) fn position(request: &Request, token: &str) -> Result<usize, Refusal> {
    let bytes = STANDARD.decode(token).unwrap_or_default();
    let position = bytes.last_chunk().map(|end| u64::from_be_bytes(*end));
    position
        .and_then(|position| usize::try_from(position).ok())
        .filter(|position| self::token(request, *position) == token)
        .ok_or_else(|| {
            Refusal::new(
                "InvalidPaginationToken",
                "The specified pagination token is not valid.",
            )
        })
}

fn query(request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.region.hash(&mut hasher);
    for parameter in request
        .params
        .iter()
        .filter(|(name, _)| *name != "NextToken")
    {
        parameter.hash(&mut hasher);
    }
    hasher.finish()
}
