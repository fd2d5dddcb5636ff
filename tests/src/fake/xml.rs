//! Writes XML into a string; every text is escaped.

use std::fmt::{Display, Write};

/// A piece of XML, grown element by element.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    /// `<name>text</name>`.
    pub(super) fn text(&mut self, name: &str, text: impl AsRef<str>) -> &mut Self {
        self.open(name);
        self.0.push_str(&quick_xml::escape::escape(text.as_ref()));
        self.close(name)
    }

    /// `<name>value</name>`, for what needs no escaping: numbers, booleans, times.
    pub(super) fn plain(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name);
        let _ = write!(self.0, "{value}");
        self.close(name)
    }

    /// As `text`, or nothing.
    pub(super) fn maybe(&mut self, name: &str, text: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    /// `<name/>`.
    pub(super) fn empty(&mut self, name: &str) -> &mut Self {
        let _ = write!(self.0, "<{name}/>");
        self
    }

    /// `<name>…</name>`.
    pub(super) fn within(&mut self, name: &str, write: impl FnOnce(&mut Xml)) -> &mut Self {
        self.open(name);
        write(self);
        self.close(name)
    }

    /// `<name><item>…</item>…</name>`; `<name/>` for none.
    pub(super) fn items<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Xml, T),
    ) -> &mut Self {
        self.each(name, "item", items, &mut write)
    }

    /// As `items`, with `<member>`, as older services call it.
    pub(super) fn members<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Xml, T),
    ) -> &mut Self {
        self.each(name, "member", items, &mut write)
    }

    /// A whole document whose root is `name` with a namespace.
    pub(super) fn document(
        name: &str,
        namespace: Option<&str>,
        write: impl FnOnce(&mut Xml),
    ) -> String {
        let mut xml = Xml::default();
        xml.0
            .push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
        xml.0.push_str(name);
        if let Some(namespace) = namespace {
            let _ = write!(xml.0, " xmlns=\"{namespace}\"");
        }
        xml.0.push('>');
        write(&mut xml);
        xml.close(name);
        xml.0
    }

    /// Appends a finished piece.
    pub(super) fn piece(&mut self, piece: &Xml) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    /// Replaces text, markup included.
    pub(super) fn replace(&mut self, what: &str, into: &str) {
        self.0 = self.0.replace(what, into);
    }

    pub(super) fn contains(&self, what: &str) -> bool {
        self.0.contains(what)
    }

    fn each<T>(
        &mut self,
        name: &str,
        item: &str,
        items: impl IntoIterator<Item = T>,
        write: &mut impl FnMut(&mut Xml, T),
    ) -> &mut Self {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return self.empty(name);
        }
        self.open(name);
        for one in items {
            self.open(item);
            write(self, one);
            self.close(item);
        }
        self.close(name)
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }
}
