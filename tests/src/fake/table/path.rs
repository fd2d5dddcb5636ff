//! Document paths: `entries.#id`, `principals[0]`.

use std::fmt::{Display, Formatter, Result as Written};

use super::invalid;
use super::value::{AttributeValue, Item};
use crate::fake::api_error::ApiError;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

/// An attribute, and the way to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    pub(crate) attribute: String,
    pub(crate) steps: Vec<Step>,
}

impl Path {
    pub(crate) fn get<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        self.steps
            .iter()
            .try_fold(item.get(&self.attribute)?, step_into)
    }

    /// Fails where the parent is missing or is of another type; past a list's end it appends.
    pub(crate) fn set(&self, item: &mut Item, value: AttributeValue) -> Result<(), ApiError> {
        let Some((last, parent)) = self.parent(item)? else {
            item.insert(self.attribute.clone(), value);
            return Ok(());
        };
        match (parent, last) {
            (AttributeValue::M(members), Step::Name(name)) => {
                members.insert(name.clone(), value);
            }
            (AttributeValue::L(elements), Step::Index(index)) => match elements.get_mut(*index) {
                Some(element) => *element = value,
                None => elements.push(value),
            },
            _ => return Err(no_such_path()),
        }
        Ok(())
    }

    /// Fails where the parent is missing or is of another type.
    pub(crate) fn remove(&self, item: &mut Item) -> Result<(), ApiError> {
        let Some((last, parent)) = self.parent(item)? else {
            item.remove(&self.attribute);
            return Ok(());
        };
        match (parent, last) {
            (AttributeValue::M(members), Step::Name(name)) => {
                members.remove(name);
            }
            (AttributeValue::L(elements), Step::Index(index)) => {
                if *index < elements.len() {
                    elements.remove(*index);
                }
            }
            _ => return Err(no_such_path()),
        }
        Ok(())
    }

    /// Whether one of them leads through the other.
    pub(crate) fn overlaps(&self, other: &Path) -> bool {
        let steps = self.steps.len().min(other.steps.len());
        self.attribute == other.attribute && self.steps[..steps] == other.steps[..steps]
    }

    /// Whether one of them takes for a map what the other takes for a list.
    pub(crate) fn conflicts(&self, other: &Path) -> bool {
        let mut both = self.steps.iter().zip(&other.steps);
        self.attribute == other.attribute
            && both
                .find(|(left, right)| left != right)
                .is_some_and(|(left, right)| {
                    matches!(left, Step::Name(_)) != matches!(right, Step::Name(_))
                })
    }

    fn parent<'a, 'b>(
        &'a self,
        item: &'b mut Item,
    ) -> Result<Option<(&'a Step, &'b mut AttributeValue)>, ApiError> {
        let Some((last, steps)) = self.steps.split_last() else {
            return Ok(None);
        };
        let root = item.get_mut(&self.attribute).ok_or_else(no_such_path)?;
        let parent = steps
            .iter()
            .try_fold(root, |value, step| match (value, step) {
                (AttributeValue::M(members), Step::Name(name)) => members.get_mut(name),
                (AttributeValue::L(elements), Step::Index(index)) => elements.get_mut(*index),
                _ => None,
            });
        parent
            .map(|parent| Some((last, parent)))
            .ok_or_else(no_such_path)
    }
}

/// `[entries, i-0123, [0]]`, as in messages.
impl Display for Path {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        write!(out, "[{}", self.attribute)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(out, ", {name}")?,
                Step::Index(index) => write!(out, ", [{index}]")?,
            }
        }
        out.write_str("]")
    }
}

/// Only the parts of an item that these paths name.
pub(crate) fn parts(item: &Item, paths: &[&Path]) -> Item {
    let shown = item.iter().filter_map(|(name, value)| {
        let steps: Vec<_> = paths
            .iter()
            .filter(|path| path.attribute == *name)
            .map(|path| path.steps.as_slice())
            .collect();
        Some((name.clone(), part(value, &steps)?))
    });
    shown.collect()
}

fn part(value: &AttributeValue, paths: &[&[Step]]) -> Option<AttributeValue> {
    if paths.iter().any(|steps| steps.is_empty()) {
        return Some(value.clone());
    }
    let below = |step: &Step| -> Vec<&[Step]> {
        let rest = paths.iter().filter_map(|steps| steps.split_first());
        rest.filter(|(first, _)| *first == step)
            .map(|(_, rest)| rest)
            .collect()
    };
    match value {
        _ if paths.is_empty() => None,
        AttributeValue::M(members) => {
            let shown: Item = members
                .iter()
                .filter_map(|(name, member)| {
                    let shown = part(member, &below(&Step::Name(name.clone())))?;
                    Some((name.clone(), shown))
                })
                .collect();
            (!shown.is_empty()).then_some(AttributeValue::M(shown))
        }
        AttributeValue::L(elements) => {
            let shown: Vec<_> = elements
                .iter()
                .enumerate()
                .filter_map(|(index, element)| part(element, &below(&Step::Index(index))))
                .collect();
            (!shown.is_empty()).then_some(AttributeValue::L(shown))
        }
        _ => None,
    }
}

fn step_into<'a>(value: &'a AttributeValue, step: &Step) -> Option<&'a AttributeValue> {
    match (value, step) {
        (AttributeValue::M(members), Step::Name(name)) => members.get(name),
        (AttributeValue::L(elements), Step::Index(index)) => elements.get(*index),
        _ => None,
    }
}

fn no_such_path() -> ApiError {
    invalid("The document path provided in the update expression is invalid for update")
}
