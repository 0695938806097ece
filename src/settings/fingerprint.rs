//! Whether a table says the same as another time: a number for all that is in it, for its values with the
//! variables in them, and for what is in the files that it names.

use std::hash::{DefaultHasher, Hash, Hasher};

use toml::de::{DeTable, DeValue};

use super::document::{Document, Named};

pub(super) fn fingerprint(document: &Document<'_>, table: Option<&DeTable<'_>>) -> u64 {
    let mut print = Print { document, hasher: DefaultHasher::new() };
    if let Some(table) = table {
        print.table(table);
    }
    print.hasher.finish()
}

struct Print<'d> {
    document: &'d Document<'d>,
    hasher: DefaultHasher,
}

impl Print<'_> {
    fn table(&mut self, table: &DeTable<'_>) {
        table.len().hash(&mut self.hasher);
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            key.hash(&mut self.hasher);
            self.value(key, value.get_ref());
        }
    }

    fn value(&mut self, key: &str, value: &DeValue<'_>) {
        value.type_str().hash(&mut self.hasher);
        match value {
            DeValue::String(text) => self.text(key, text),
            DeValue::Integer(number) => (number.radix(), number.as_str()).hash(&mut self.hasher),
            DeValue::Float(number) => number.as_str().hash(&mut self.hasher),
            DeValue::Boolean(truth) => truth.hash(&mut self.hasher),
            DeValue::Datetime(time) => time.to_string().hash(&mut self.hasher),
            DeValue::Array(items) => {
                items.len().hash(&mut self.hasher);
                items.iter().for_each(|item| self.value(key, item.get_ref()));
            }
            DeValue::Table(table) => self.table(table),
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        let text = self.document.expand(text).unwrap_or_default();
        text.hash(&mut self.hasher);
        // A token that was replaced is another one, under the same name.
        if key.ends_with("_file")
            && let Ok(Named::At(path)) = self.document.locate(&text)
        {
            self.document.read(&path).unwrap_or_default().hash(&mut self.hasher);
        }
    }
}
